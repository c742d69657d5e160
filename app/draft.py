"""A workflow being drawn: what it is now, and all that was done to it since it was opened."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from app import draft_views
from app.drawing.diagram import Diagram, level_at
from app.drawing.editing.applying import apply
from app.drawing.editing.operations import Operation, read_operations
from app.drawing.editing.pasting import copied
from app.drawing.files.ui_format import settle
from app.drawing.schema import Schemas
from app.errors import NotFoundError, StorageError
from app.said import Said

_KEPT_VERSIONS = 200  # that a page may be behind before it gets everything anew


class Draft:
    """One workflow being drawn, with all that was done to it since it was opened."""

    def __init__(
        self,
        workflow_id: UUID,
        diagram: Diagram,
        *,
        base: int,
        dirty: bool,
        schemas: Callable[[], Schemas],
        on_change: "Callable[[Draft], None]",
    ) -> None:
        self.workflow_id = workflow_id
        self.diagram = diagram
        self.base = base
        """The version it was begun on; 0: none."""
        self.problem: StorageError | None = None
        """Why it cannot be kept; None: it can."""
        self.touched = time.monotonic()
        self._saved: Diagram | None = None if dirty else diagram
        self._undone: list[Diagram] = []
        self._done: list[Diagram] = []
        self._schemas = schemas
        self._on_change = on_change
        # Milliseconds of the clock: pages that outlive a restart see it only grow.
        self.rev = time.time_ns() // 1_000_000
        self._versions: OrderedDict[int, tuple[Diagram, Schemas]] = OrderedDict()
        self._remember()

    @property
    def schemas(self) -> Schemas:
        """The node classes that are known now."""
        return self._schemas()

    @property
    def dirty(self) -> bool:
        """Whether it differs from the version it was begun on."""
        return self._saved is None or (
            self._saved is not self.diagram and self._saved != self.diagram
        )

    @property
    def can_undo(self) -> bool:
        """Whether there is something to take back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether something was taken back."""
        return bool(self._undone)

    def apply(self, path: str, ops: Any) -> int:
        """Do what a browser sent to the level with that path, all of it or nothing; the revision.

        Raises:
            InvalidRequestError: it does not fit; nothing is changed.
        """
        return self.perform(path, read_operations(ops))

    def perform(self, path: str, operations: Sequence[Operation]) -> int:
        """Do that to the level with that path, all of it or nothing; the revision.

        Raises:
            InvalidRequestError: it does not fit; nothing is changed.
        """
        diagram, schemas = self.diagram, self.schemas
        for operation in operations:
            diagram = apply(diagram, path, operation, schemas=schemas)
        return self.replace(diagram)

    def replace(self, diagram: Diagram) -> int:
        """Draw something else instead, which can be undone; the revision."""
        if diagram is self.diagram or diagram == self.diagram:
            return self.rev
        self._done.append(self.diagram)
        self._undone.clear()
        return self._show(diagram)

    def amend(self, diagram: Diagram) -> int:
        """Draw something else as part of the last change: undo takes back both; the revision."""
        if diagram is self.diagram or diagram == self.diagram:
            return self.rev
        return self._show(diagram)

    def undo(self) -> int:
        """Take the last change back, if there is one; the revision."""
        if not self._done:
            return self.rev
        self._undone.append(self.diagram)
        return self._show(self._settled(self._done.pop()))

    def redo(self) -> int:
        """Do again what was taken back last; the revision."""
        if not self._undone:
            return self.rev
        self._done.append(self.diagram)
        return self._show(self._settled(self._undone.pop()))

    def saved(self, number: int, diagram: Diagram) -> None:
        """Say that this was saved as the version of that number; what was done since stays."""
        self.base = number
        self._saved = diagram
        self._show(self.diagram)

    def refresh(self) -> None:
        """Let the pages look again: the node classes that are known have changed."""
        if self._versions[self.rev][1] is not self.schemas:
            diagram = self._settled(self.diagram)
            if not self.dirty:
                self._saved = diagram
            self._show(diagram)

    def view(self, path: str) -> dict[str, Any]:
        """A level for a browser.

        Raises:
            NotFoundError: there is no such level.
        """
        self.touched = time.monotonic()
        try:
            return draft_views.view(self.diagram, path, state=self._state(), schemas=self.schemas)
        except KeyError as exc:
            raise NotFoundError(Said("This subgraph is not there any more.")) from exc

    def changes_since(self, rev: int, path: str) -> dict[str, Any] | None:
        """What a browser that shows that revision of a level has to change.

        None where it needs the whole view: it is too far behind, the level came or went, or the
        backends have other node classes than they had.
        """
        self.touched = time.monotonic()
        old, schemas = self._versions.get(rev, (None, None))
        if old is None or schemas is not self.schemas:
            return None
        try:
            return draft_views.patch(
                old, self.diagram, path, state=self._state(), schemas=self.schemas
            )
        except KeyError:
            return None

    def nearest(self, path: str) -> str:
        """The path of the level, or of the closest one around it that is still there."""
        while path:
            try:
                level_at(self.diagram, path)
            except KeyError:
                path = path.rpartition(":")[0]
            else:
                break
        return path

    def copy(self, path: str, ids: Sequence[str]) -> dict[str, Any]:
        """Nodes as a fragment that `paste` takes, here or in another workflow.

        Raises:
            InvalidRequestError: there is no such level.
        """
        return copied(self.diagram, path, ids, schemas=self.schemas)

    def _settled(self, diagram: Diagram) -> Diagram:
        """The diagram with names for values of classes that were unknown when it was drawn."""
        return settle(diagram, schemas=self.schemas)

    def _show(self, diagram: Diagram) -> int:
        self.diagram = diagram
        return self._tell()

    def _tell(self) -> int:
        self.rev += 1
        self.touched = time.monotonic()
        self._remember()
        self._on_change(self)
        return self.rev

    def _remember(self) -> None:
        self._versions[self.rev] = (self.diagram, self.schemas)
        while len(self._versions) > _KEPT_VERSIONS:
            self._versions.popitem(last=False)

    def _state(self) -> draft_views.State:
        return draft_views.State(
            rev=self.rev, can_undo=self.can_undo, can_redo=self.can_redo, dirty=self.dirty
        )
