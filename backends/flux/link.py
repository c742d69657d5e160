"""What a run needs of its backend."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol
from uuid import UUID

from app.errors import BackendError
from backends.flux.answers import Task


class Link(Protocol):
    """What a run needs of its backend."""

    @property
    def webhook(self) -> Mapping[str, str]:
        """What an order says of where to post its end; empty when it is only polled."""
        ...

    def heard(self, error: BackendError | None) -> None:
        """Tell how the cloud answered: it is rested or offline after some errors."""
        ...

    def remember(self, attempt_id: UUID, handle: Mapping[str, Any]) -> None:
        """Keep a handle in memory, for when the disk fails right after the order."""
        ...

    def remembered(self, attempt_id: UUID) -> Mapping[str, Any] | None:
        """The handle kept of an attempt."""
        ...

    def listening(
        self, task_id: str, deliver: Callable[[Task], None]
    ) -> AbstractContextManager[None]:
        """Hand over what is posted about a task, inside `with`."""
        ...
