"""The tables. Rows never leave `data/`; `data.rows` turns them into values."""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    Uuid,
    text,
)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetimes in UTC; SQLite itself would give naive ones back."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store UTC without the zone; a naive value is a mistake of ours."""
        if value is None:
            return None
        assert value.tzinfo is not None, "naive datetime"
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Say that it is UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# An integer key orders and pages (and rowid is what full text search joins on); the UUID is public.
_KEY = BigInteger().with_variant(Integer, "sqlite")
_UNFINISHED = text("state IN ('created', 'queued', 'running')")
_LIVING = text("deleted_at IS NULL")

job = Table(
    "job",
    metadata,
    Column("key", _KEY, primary_key=True, autoincrement=True),
    Column("id", Uuid, nullable=False, unique=True),
    Column("group_id", Uuid, nullable=True, index=True),
    Column("state", String(12), nullable=False),
    Column("target", String(200), nullable=False),
    Column("backend_id", String(200), nullable=True),
    Column("prompt", Text, nullable=False),
    Column("request", JSON, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("rank", String(200), nullable=False),
    Column("version", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("losses", Integer, nullable=False),
    Column("cancel_requested", Boolean, nullable=False),
    Column("not_before", UtcDateTime, nullable=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("queued_at", UtcDateTime, nullable=True),
    Column("started_at", UtcDateTime, nullable=True),
    Column("finished_at", UtcDateTime, nullable=True),
    Column("failure", JSON(none_as_null=True), nullable=True),
    # Off the list, but restorable until it is forgotten.
    Column("removed_at", UtcDateTime, nullable=True),
    Index("ix_job_state_key", "state", "key"),
    Index("ix_job_rank", "rank"),
    Index(
        "ix_job_unfinished",
        "priority",
        "rank",
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    ),
    sqlite_autoincrement=True,
)

attempt = Table(
    "attempt",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("job_id", Uuid, ForeignKey("job.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("backend_id", String(200), nullable=False),
    Column("state", String(12), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("accepted_at", UtcDateTime, nullable=True),
    Column("ended_at", UtcDateTime, nullable=True),
    Column("failure", JSON(none_as_null=True), nullable=True),
)

image = Table(
    "image",
    metadata,
    Column("key", _KEY, primary_key=True, autoincrement=True),
    Column("id", Uuid, nullable=False, unique=True),
    # No foreign key: the job may be taken off the list, its images stay and keep naming it.
    Column("job_id", Uuid, nullable=True, index=True),
    Column("attempt_id", Uuid, nullable=True),
    Column("backend_id", String(200), nullable=True),
    Column("node_id", String(200), nullable=False),
    Column("index", Integer, nullable=False),
    Column("file", Text, nullable=False, unique=True),
    Column("mime", String(80), nullable=False),
    Column("sha256", String(64), nullable=False, index=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("prompt", Text, nullable=False),
    Column("request", JSON(none_as_null=True), nullable=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime, nullable=True),
    Index("uq_image_attempt_id_node_id_index", "attempt_id", "node_id", "index", unique=True),
    Index(
        "ix_image_living_backend",
        "backend_id",
        "key",
        sqlite_where=_LIVING,
        postgresql_where=_LIVING,
    ),
    Index(
        "ix_image_living_created",
        "created_at",
        "key",
        sqlite_where=_LIVING,
        postgresql_where=_LIVING,
    ),
    Index("ix_image_living", "key", sqlite_where=_LIVING, postgresql_where=_LIVING),
    sqlite_autoincrement=True,
)

event = Table(
    "event",
    metadata,
    Column("seq", _KEY, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("type", String(40), nullable=False),
    Column("subject", String(200), nullable=False, index=True),
    Column("note", Text, nullable=False),
    Column("data", JSON, nullable=False),
    sqlite_autoincrement=True,
)

receipt = Table(
    "receipt",
    metadata,
    Column("key", String(200), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("job_ids", JSON, nullable=False),
    Column("at", UtcDateTime, nullable=False, index=True),
)

session = Table(
    "session",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("label", String(200), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)

setting = Table(
    "setting",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("value", JSON, nullable=False),
)
