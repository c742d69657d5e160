"""Ids made by us: UUIDv7, sortable by creation, and canonical as ComfyUI wants a `prompt_id`."""

from uuid import UUID

from uuid_utils import compat


def new_id() -> UUID:
    """A new UUIDv7; later ids sort after earlier ones of the same process."""
    return compat.uuid7()
