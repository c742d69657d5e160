"""Workflows that people keep, their versions, and what servers say of their node classes."""

import sqlalchemy as sa
from alembic import op

from data.tables import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it; what is there stays as it is."""
    op.create_table(
        "workflow",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("thumbnail", sa.Uuid, nullable=True),
        sa.Column("draft", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("draft_base", sa.Integer, nullable=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False, index=True),
        sa.Column("deleted_at", UtcDateTime, nullable=True),
    )
    op.create_table(
        "workflow_version",
        sa.Column("workflow_id", sa.Uuid, sa.ForeignKey("workflow.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("graph", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "node_spec",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("class_type", sa.String(200), nullable=False),
        sa.Column("spec", sa.Text, nullable=False),
    )
