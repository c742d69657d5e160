"""The tables. Rows never leave `data/`; `data.rows` turns them into values."""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
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
_LISTED = text("removed_at IS NULL")

job = Table(
    "job",
    metadata,
    Column("key", _KEY, primary_key=True, autoincrement=True),
    Column("id", Uuid, nullable=False, unique=True),
    Column("group_id", Uuid, nullable=True, index=True),
    Column("state", String(12), nullable=False),
    Column("target", String(200), nullable=False),
    Column("preset", String(200), nullable=False, server_default="text-to-image"),
    Column("source", String(200), nullable=False, server_default="page"),
    Column("ahead_on", String(200), nullable=True),
    Column("backend_id", String(200), nullable=True),
    Column("prompt", Text, nullable=False),
    Column("request", JSON, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("rank", String(200), nullable=False),
    Column("version", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("losses", Integer, nullable=False),
    Column("lost_on", JSON, nullable=False, server_default="[]"),
    Column("failed_on", JSON, nullable=False, server_default="[]"),
    Column("terms", JSON, nullable=False, server_default="{}"),
    Column("placement", JSON(none_as_null=True), nullable=True),
    Column("notices", JSON, nullable=False, server_default="[]"),
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
    # Covers the counts by state, of all and of those that ended lately: rows are large.
    Index(
        "ix_job_listed",
        "state",
        "finished_at",
        sqlite_where=_LISTED,
        postgresql_where=_LISTED,
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
    Column("decision", JSON(none_as_null=True), nullable=True),
    Column("handle", JSON(none_as_null=True), nullable=True),
)

# No key to it from the jobs: a group is older and may be younger than the last of its jobs.
job_group = Table(
    "job_group",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("preset", String(200), nullable=False),
    Column("total", Integer, nullable=False),
    Column("seed_strategy", String(20), nullable=False),
    Column("base_seed", JSON, nullable=True),  # up to 2**64, more than an integer column holds
    Column("timeout_s", Float, nullable=True),
    Column("webhook", Text, nullable=True),
    Column("metadata", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False, index=True),
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
    Column("kind", String(8), nullable=False, server_default="image"),
    Column("duration_s", Float, nullable=True),
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

# The backends added on the page or over the API; those of the configuration are not stored.
backend = Table(
    "backend",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("url", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("capabilities", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("max_concurrent_jobs", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

# What a backend could do when it was last read: there while it is offline.
catalog = Table(
    "catalog",
    metadata,
    Column("backend_id", String(200), primary_key=True),
    Column("url", Text, nullable=False),  # of another machine, it is no longer true
    Column("catalog", JSON, nullable=False),
    Column("read_at", UtcDateTime, nullable=False),
)

# How long work takes, learned: a moving average for each workflow, backend and size.
pace = Table(
    "pace",
    metadata,
    Column("work", String(200), primary_key=True),  # a preset, or "load:" and a model
    Column("backend_id", String(200), primary_key=True),
    Column("size", Integer, primary_key=True),  # binary logarithm of the work's units
    Column("seconds", Float, nullable=False),
    Column("count", Integer, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(12), nullable=False),  # model or workflow
    Column("subject", Text, nullable=False),
    Column("backend_id", String(200), nullable=False),
    Column("code", String(40), nullable=False),
    Column("reason", JSON, nullable=False),
    Column("evidence", JSON, nullable=False),  # [{jobId, at, message}]
    Column("created_at", UtcDateTime, nullable=False),
    Column("lifted_at", UtcDateTime, nullable=True),
)

# Money for paid calls: set aside before one is sent, then spent or given back.
charge = Table(
    "charge",
    metadata,
    Column("id", Uuid, primary_key=True),  # that of the attempt
    Column("job_id", Uuid, nullable=True, index=True),
    Column("backend_id", String(200), nullable=False),
    Column("model", String(200), nullable=False),
    Column("state", String(12), nullable=False, index=True),  # reserved, spent, released, uncertain
    Column("micro_usd", BigInteger, nullable=False),  # the estimate, then what it really cost
    Column("task_id", String(200), nullable=True),
    # Written with the price, before the attempt has it: a crash between them loses nothing.
    Column("handle", JSON(none_as_null=True), nullable=True),
    Column("note", Text, nullable=False, server_default=""),
    Column("created_at", UtcDateTime, nullable=False, index=True),
    Column("settled_at", UtcDateTime, nullable=True),
)

incident = Table(
    "incident",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("code", String(40), nullable=False),
    Column("subject", String(200), nullable=False),  # "backend:gpu-1", "job:…", "disk"
    Column("severity", String(8), nullable=False),  # info, warning, error
    Column("cause", JSON, nullable=False),
    Column("fix", JSON, nullable=False),
    Column("count", Integer, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False, index=True),
    Column("resolved_at", UtcDateTime, nullable=True),
    Column("data", JSON, nullable=False),
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("subject", String(200), nullable=False, index=True),  # id of the job or group
    Column("url", Text, nullable=False),
    Column("event", String(40), nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(12), nullable=False, index=True),  # waiting, delivered, failed
    Column("tries", JSON, nullable=False),  # [{at, status, error}]
    Column("next_at", UtcDateTime, nullable=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime, nullable=True),
)

# A workflow that somebody keeps. The document is the file that ComfyUI itself would keep.
workflow = Table(
    "workflow",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("description", Text, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("version", Integer, nullable=False),  # of the newest one; 0: none yet
    Column("thumbnail", Uuid, nullable=True),  # no foreign key: images come and go
    Column("draft", JSON(none_as_null=True), nullable=True),
    Column("draft_base", Integer, nullable=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False, index=True),
    Column("deleted_at", UtcDateTime, nullable=True),
)

workflow_version = Table(
    "workflow_version",
    metadata,
    Column("workflow_id", Uuid, ForeignKey("workflow.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("author", String(200), nullable=False),
    Column("note", Text, nullable=False),
    Column("document", JSON, nullable=False),
    Column("graph", JSON(none_as_null=True), nullable=True),
    Column("created_at", UtcDateTime, nullable=False),
)

# What servers say of their node classes, once for all that say the same.
node_spec = Table(
    "node_spec",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("class_type", String(200), nullable=False),
    Column("spec", Text, nullable=False),
)
