"""The files that a request names: pictures to start from, and what saved workflows take."""

from dataclasses import replace

from app.drawing.checks.judging import judge
from app.errors import InvalidRequestError
from app.graphs import inline, running
from app.graphs.preset import GIVEN_FILES, Option, Preset
from app.graphs.sizes import size_for
from app.inputs import InputService
from app.known_nodes import KnownNodes
from app.models import GenerationRequest
from app.presets import Presets
from app.said import Said
from app.submission import Submission


class GivenFiles:
    """Sees to it that no job begins without them."""

    def __init__(self, *, inputs: InputService, known: KnownNodes, presets: Presets) -> None:
        self._inputs = inputs
        self._known = known
        self._presets = presets

    async def ready(self, request: GenerationRequest, submission: Submission) -> GenerationRequest:
        """The request, whose files are there; without a size of its own it has their shape.

        Raises:
            InvalidRequestError: a file is missing, or not of the kind that is wanted there.
        """
        preset, params = self._presets.get(request.preset), submission.params
        if preset is not None and preset.version is not None:
            for field, (option, name) in running.files_of(preset, request).items():
                await self._require(preset, option, name, field=field)
            return request  # its size is what the graph says, unless people say otherwise
        if request.mask is not None:
            await self._inputs.require(request.mask, field="params.mask")
        if request.image is None:
            return request
        picture = await self._inputs.require(request.image, field="params.image")
        if preset is None or preset.kind == "bfl" or params.width or params.height:
            return request  # the cloud has shapes of its own, and they have a price
        size = size_for(preset, width=picture.width, height=picture.height)
        return request if size is None else replace(request, width=size[0], height=size[1])

    async def _require(self, preset: Preset, option: Option, name: str, *, field: str) -> None:
        """The file is there: given to us, or on a backend, or what the graph has there itself."""
        if not name and not option.default:
            raise InvalidRequestError(
                field,
                Said("{label} needs a file.", label=option.label),
                fix=Said("Give one: neither the request nor the workflow names any."),
            )
        if inline.is_of_ours(name):
            await self._inputs.require(name, field=field, kind=GIVEN_FILES[option.type])
        elif name and name != option.default and preset.variants:
            variant = preset.variants[0]
            node_id, _, place = variant.bindings[option.name][0].partition(".")
            class_type = variant.graph[node_id]["class_type"]
            schema = self._known.schemas.get(class_type)
            spec = schema.input(place) if schema is not None else None
            wrong = judge(name, spec, class_type=class_type) if spec is not None else None
            if wrong is not None:
                raise InvalidRequestError(field, wrong.message, fix=wrong.fix)
