"""The graph of an attempt: what is sent, what must be there first, how its files are called."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from app.errors import (
    InvalidRequestError,
    MissingCapabilityError,
    OrchestratorError,
    PromptRejectedError,
)
from app.models import BackendInfo, Catalog, GenerationRequest
from app.presets import BuiltGraph, Presets, SavedAs, uploaded_name
from app.said import Said
from backends.comfyui import failures
from backends.comfyui.files import ComfyFiles

_SAVE_NODE = "9"  # of graphs made by versions before the presets


class Workflow:
    """Built when it is sent, or later to know what to look for."""

    def __init__(
        self,
        request: GenerationRequest,
        *,
        attempt_id: str,
        info: BackendInfo,
        presets: Presets,
        inputs: Callable[[str], Path] | None,
    ) -> None:
        """`inputs` tells where an input picture lies."""
        self._request = request
        self._attempt_id = attempt_id
        self._info = info
        self._presets = presets
        self._inputs = inputs
        self._saves: Sequence[SavedAs] = ()

    @property
    def saving(self) -> list[str]:
        """The nodes that should leave a file; none while that is not known."""
        return [save.node_id for save in self._saves]

    def build(self, catalog: Catalog) -> BuiltGraph:
        """The graph for a server with that catalog.

        Raises:
            MissingCapabilityError, PromptRejectedError: there is none.
        """
        try:
            built = self._built(catalog)
        except MissingCapabilityError as exc:
            backend = failures.label(self._info)
            message = Said("{backend} cannot run this: {cause}", backend=backend, cause=exc.message)
            raise MissingCapabilityError(message, fix=exc.fix) from exc
        except InvalidRequestError as exc:  # checked at submission, so it was put in another way
            raise PromptRejectedError(exc.message, fix=exc.fix) from exc
        return built

    async def upload(self, names: Sequence[str], *, files: ComfyFiles) -> None:
        """Put the input pictures there.

        Raises:
            NotSentError, PromptRejectedError: one is not there.
        """
        for name in names:
            try:
                path = self._inputs(name) if self._inputs else Path(name)
            except OrchestratorError as exc:
                raise PromptRejectedError(exc.message, fix=exc.fix) from exc
            await files.upload(path, name=uploaded_name(name))

    def saves(self, catalog: Catalog | None) -> Sequence[SavedAs]:
        """What its files are called; the first node's bear the id of the attempt alone."""
        if not self._saves and catalog is not None:
            # It may be that it can no longer be run there, but its files are there.
            with suppress(MissingCapabilityError, InvalidRequestError):
                self._built(catalog)
        first = SavedAs(node_id=_SAVE_NODE, prefix=self._attempt_id, suffixes=(".png",))
        return self._saves or (first,)

    def _built(self, catalog: Catalog) -> BuiltGraph:
        built = self._presets.build(self._request, prefix=self._attempt_id, catalog=catalog)
        self._saves = built.saves
        return built
