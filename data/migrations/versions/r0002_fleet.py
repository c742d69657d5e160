"""A fleet: how jobs are placed, groups, backends of the page, what was learned, and money."""

import sqlalchemy as sa
from alembic import op

from data.tables import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it; what is there stays as it is."""
    _columns()
    _groups()
    _fleet()
    _money()
    _trouble()


def _columns() -> None:
    for column in (
        sa.Column("preset", sa.String(200), nullable=False, server_default="text-to-image"),
        sa.Column("source", sa.String(200), nullable=False, server_default="page"),
        sa.Column("ahead_on", sa.String(200), nullable=True),
        sa.Column("lost_on", sa.JSON, nullable=False, server_default="[]"),
        sa.Column("failed_on", sa.JSON, nullable=False, server_default="[]"),
        sa.Column("terms", sa.JSON, nullable=False, server_default="{}"),
        sa.Column("placement", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("notices", sa.JSON, nullable=False, server_default="[]"),
    ):
        op.add_column("job", column)
    listed = sa.text("removed_at IS NULL")
    op.create_index(
        "ix_job_listed",
        "job",
        ["state", "finished_at"],
        sqlite_where=listed,
        postgresql_where=listed,
    )
    op.add_column("attempt", sa.Column("decision", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("attempt", sa.Column("handle", sa.JSON(none_as_null=True), nullable=True))
    kind = sa.Column("kind", sa.String(8), nullable=False, server_default="image")
    op.add_column("image", kind)
    op.add_column("image", sa.Column("duration_s", sa.Float, nullable=True))


def _groups() -> None:
    op.create_table(
        "job_group",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("preset", sa.String(200), nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("seed_strategy", sa.String(20), nullable=False),
        sa.Column("base_seed", sa.JSON, nullable=True),
        sa.Column("timeout_s", sa.Float, nullable=True),
        sa.Column("webhook", sa.Text, nullable=True),
        sa.Column("metadata", sa.JSON, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False, index=True),
    )


def _fleet() -> None:
    op.create_table(
        "backend",
        sa.Column("id", sa.String(200), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("capabilities", sa.JSON, nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("max_concurrent_jobs", sa.Integer, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "catalog",
        sa.Column("backend_id", sa.String(200), primary_key=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("catalog", sa.JSON, nullable=False),
        sa.Column("read_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "pace",
        sa.Column("work", sa.String(200), primary_key=True),
        sa.Column("backend_id", sa.String(200), primary_key=True),
        sa.Column("size", sa.Integer, primary_key=True),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "quarantine",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("backend_id", sa.String(200), nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("reason", sa.JSON, nullable=False),
        sa.Column("evidence", sa.JSON, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("lifted_at", UtcDateTime, nullable=True),
    )


def _money() -> None:
    op.create_table(
        "charge",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("job_id", sa.Uuid, nullable=True, index=True),
        sa.Column("backend_id", sa.String(200), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("state", sa.String(12), nullable=False, index=True),
        sa.Column("micro_usd", sa.BigInteger, nullable=False),
        sa.Column("task_id", sa.String(200), nullable=True),
        sa.Column("handle", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("note", sa.Text, nullable=False, server_default=""),
        sa.Column("created_at", UtcDateTime, nullable=False, index=True),
        sa.Column("settled_at", UtcDateTime, nullable=True),
    )


def _trouble() -> None:
    op.create_table(
        "incident",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("severity", sa.String(8), nullable=False),
        sa.Column("cause", sa.JSON, nullable=False),
        sa.Column("fix", sa.JSON, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("first_at", UtcDateTime, nullable=False),
        sa.Column("last_at", UtcDateTime, nullable=False, index=True),
        sa.Column("resolved_at", UtcDateTime, nullable=True),
        sa.Column("data", sa.JSON, nullable=False),
    )
    op.create_table(
        "delivery",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("subject", sa.String(200), nullable=False, index=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("event", sa.String(40), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("state", sa.String(12), nullable=False, index=True),
        sa.Column("tries", sa.JSON, nullable=False),
        sa.Column("next_at", UtcDateTime, nullable=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime, nullable=True),
    )
