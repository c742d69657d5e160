"""Jobs, attempts, images, the event log and full text search."""

import sqlalchemy as sa
from alembic import op

from data.tables import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_UNFINISHED = sa.text("state IN ('created', 'queued', 'running')")
_LIVING = sa.text("deleted_at IS NULL")


def upgrade() -> None:
    """Create everything."""
    _jobs()
    _images()
    _log()
    _access()
    if op.get_bind().dialect.name == "sqlite":
        _full_text()


def _jobs() -> None:
    op.create_table(
        "job",
        sa.Column("key", _KEY, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Uuid, nullable=False, unique=True),
        sa.Column("group_id", sa.Uuid, nullable=True, index=True),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("target", sa.String(200), nullable=False),
        sa.Column("backend_id", sa.String(200), nullable=True),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("request", sa.JSON, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("rank", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("max_attempts", sa.Integer, nullable=False),
        sa.Column("losses", sa.Integer, nullable=False),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        sa.Column("not_before", UtcDateTime, nullable=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("queued_at", UtcDateTime, nullable=True),
        sa.Column("started_at", UtcDateTime, nullable=True),
        sa.Column("finished_at", UtcDateTime, nullable=True),
        sa.Column("failure", sa.JSON, nullable=True),
        sa.Column("removed_at", UtcDateTime, nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_job_state_key", "job", ["state", "key"])
    op.create_index("ix_job_rank", "job", ["rank"])
    op.create_index(
        "ix_job_unfinished",
        "job",
        ["priority", "rank"],
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    )
    op.create_table(
        "attempt",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column(
            "job_id",
            sa.Uuid,
            sa.ForeignKey("job.id", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("backend_id", sa.String(200), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("accepted_at", UtcDateTime, nullable=True),
        sa.Column("ended_at", UtcDateTime, nullable=True),
        sa.Column("failure", sa.JSON, nullable=True),
    )


def _images() -> None:
    op.create_table(
        "image",
        sa.Column("key", _KEY, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Uuid, nullable=False, unique=True),
        sa.Column("job_id", sa.Uuid, nullable=True, index=True),
        sa.Column("attempt_id", sa.Uuid, nullable=True),
        sa.Column("backend_id", sa.String(200), nullable=True),
        sa.Column("node_id", sa.String(200), nullable=False),
        sa.Column("index", sa.Integer, nullable=False),
        sa.Column("file", sa.Text, nullable=False, unique=True),
        sa.Column("mime", sa.String(80), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False, index=True),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("request", sa.JSON, nullable=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("deleted_at", UtcDateTime, nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_image_attempt_id_node_id_index",
        "image",
        ["attempt_id", "node_id", "index"],
        unique=True,
    )
    for name, columns in {
        "ix_image_living_backend": ["backend_id", "key"],
        "ix_image_living_created": ["created_at", "key"],
        "ix_image_living": ["key"],
    }.items():
        op.create_index(name, "image", columns, sqlite_where=_LIVING, postgresql_where=_LIVING)


def _log() -> None:
    op.create_table(
        "event",
        sa.Column("seq", _KEY, primary_key=True, autoincrement=True),
        sa.Column("at", UtcDateTime, nullable=False, index=True),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False, index=True),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "setting",
        sa.Column("name", sa.String(80), primary_key=True),
        sa.Column("value", sa.JSON, nullable=False),
    )


def _access() -> None:
    op.create_table(
        "receipt",
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("job_ids", sa.JSON, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False, index=True),
    )
    op.create_table(
        "session",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("secret_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("label", sa.String(200), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
    )


def _full_text() -> None:
    # External content: the text lives in `image` once; triggers keep the index in step.
    op.execute(
        "CREATE VIRTUAL TABLE image_text USING fts5(prompt, content='image', content_rowid='key', "
        "tokenize='unicode61 remove_diacritics 2')"
    )
    op.execute(
        "CREATE TRIGGER image_text_insert AFTER INSERT ON image BEGIN "
        "INSERT INTO image_text(rowid, prompt) VALUES (new.key, new.prompt); END"
    )
    op.execute(
        "CREATE TRIGGER image_text_delete AFTER DELETE ON image BEGIN "
        "INSERT INTO image_text(image_text, rowid, prompt) "
        "VALUES ('delete', old.key, old.prompt); END"
    )
    op.execute(
        "CREATE TRIGGER image_text_update AFTER UPDATE OF prompt ON image BEGIN "
        "INSERT INTO image_text(image_text, rowid, prompt) "
        "VALUES ('delete', old.key, old.prompt); "
        "INSERT INTO image_text(rowid, prompt) VALUES (new.key, new.prompt); END"
    )
