"""The presets: which of them a backend can run, and the graph of a request for it."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, NamedTuple

from app.drawing.schema import FILES
from app.errors import InvalidRequestError, MissingCapabilityError
from app.graphs import inline, running
from app.graphs.choosing import files
from app.graphs.filling import fill, put_loras, put_vae
from app.graphs.nodes import Graph
from app.graphs.preset import (
    BuiltGraph,
    Fit,
    ModelSlot,
    Option,
    OptionType,
    OptionValue,
    Preset,
    SavedAs,
    Variant,
)
from app.graphs.resolving import Needs, Resolved, needs_of, resolve
from app.known_nodes import schema_of
from app.models import Catalog, GenerationRequest
from app.said import Said, listed

__all__ = [
    "BuiltGraph",
    "Fit",
    "ModelSlot",
    "Option",
    "OptionType",
    "OptionValue",
    "Preset",
    "Presets",
    "SavedAs",
    "Variant",
    "uploaded_name",
]

_CACHED = 16_384
_CACHED_GIVEN = 2048  # these keep graphs of any size
_NAMED = 5  # files in a sentence
_SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "SaveVideo": (".mp4", ".webm", ".mkv"),
    "SaveWEBM": (".webm",),
    "SaveAnimatedWEBP": (".webp",),
    "SaveAudio": (".flac",),
    "SaveAudioMP3": (".mp3",),
    "SaveAudioOpus": (".opus",),
    "SaveLatent": (".latent",),
    "SaveText": (".txt",),
    "SaveGLB": (".glb",),
    "SaveImageAdvanced": (".png", ".exr", ".webp", ".jpg"),
    "SaveSVGNode": (".svg",),
    "VHS_VideoCombine": (".mp4", ".webm", ".gif", ".webp"),
}


Load = Callable[[str, int], Awaitable[Preset | None]]
"""Makes the preset of a version of a saved workflow, or says that there is none."""


class SavedNeeds(NamedTuple):
    """What of a request decides whether a backend can run a saved workflow."""

    preset: str
    files: tuple[tuple[str, Any], ...]


class Presets:
    """All presets, by id: those that come with the app, and the saved workflows."""

    def __init__(self, presets: Iterable[Preset]) -> None:
        self._presets = {preset.id: preset for preset in presets}
        self._saved: dict[str, Preset] = {}  # by workflow and version
        self._files: dict[str, Sequence[str]] = {}  # what of them names model files
        self._heads: dict[str, str] = {}  # the newest version of each workflow that lives
        self._load: Load | None = None
        # Asked for thousands of waiting jobs and every backend in each turn of the dispatcher.
        self._resolve = lru_cache(maxsize=_CACHED)(self._resolve_now)
        self._fit_given = lru_cache(maxsize=_CACHED_GIVEN)(_fit_given)
        self._fit_saved = lru_cache(maxsize=_CACHED)(self._fit_saved_now)

    def all(self) -> list[Preset]:
        """Every preset, in the order of the form: saved workflows that run come last, by name."""
        saved = [self._saved[each] for each in self._heads.values()]
        able = [each for each in saved if each.variants]
        return [*self._presets.values(), *sorted(able, key=lambda each: each.name.casefold())]

    def get(self, preset_id: str) -> Preset | None:
        """One of them; a saved workflow by its id is its newest version."""
        found = self._presets.get(preset_id) or self._saved.get(preset_id)
        return found or self._saved.get(self._heads.get(preset_id, ""))

    def bundled(self) -> list[Preset]:
        """Those that come with the app: the ones whose ids people know."""
        return list(self._presets.values())

    def called(self, preset_id: str) -> str:
        """What people call it: a saved workflow has a name of theirs, the others their id."""
        # An old version may not be at hand; its workflow has the same name.
        found = self.get(preset_id) or self.get(running.split_id(preset_id)[0])
        return found.name if found is not None and found.version is not None else preset_id

    async def fetch(self, preset_id: str) -> Preset | None:
        """One of them, also a version that nobody asked for since the start."""
        found = self.get(preset_id)
        workflow_id, number = running.split_id(preset_id)
        if found is not None or number is None or self._load is None:
            return found
        found = await self._load(workflow_id, number)
        if found is not None:
            self.put_saved(found, is_head=False)
        return found

    def consult(self, load: Load) -> None:
        """Ask this from now on for versions that are not at hand."""
        self._load = load

    def put_saved(self, preset: Preset, *, is_head: bool) -> None:
        """Offer a version of a saved workflow; a head is what its workflow's id stands for."""
        self._saved[preset.id] = preset
        self._files[preset.id] = running.names_files(preset)
        if is_head:
            self._heads[running.split_id(preset.id)[0]] = preset.id
        self._forget_fits()

    def rename_saved(self, workflow_id: str, *, name: str, description: str) -> None:
        """Call every version of a saved workflow so."""
        for preset_id, preset in self._saved.items():
            if running.split_id(preset_id)[0] == workflow_id:
                self._saved[preset_id] = replace(preset, name=name, description=description)

    def withdraw_saved(self, workflow_id: str) -> None:
        """Offer a saved workflow no more; jobs that name one of its versions still run."""
        self._heads.pop(workflow_id, None)

    def forget_saved(self) -> None:
        """Know of no saved workflow."""
        self._saved.clear()
        self._heads.clear()
        self._forget_fits()

    def _forget_fits(self) -> None:
        self._resolve.cache_clear()  # it may have found that there is no such preset
        self._fit_saved.cache_clear()

    def fit(self, request: GenerationRequest, catalog: Catalog) -> Fit:
        """What a backend with that catalog lacks for the request; quick when asked again."""
        if request.graph is not None:
            return self._fit_given(inline.Given(request.graph), catalog)
        saved = self._saved.get(request.preset)
        if saved is not None and saved.variants:
            values = running.values_of(saved, request, only=self._files[saved.id])
            return self._fit_saved(SavedNeeds(saved.id, tuple(values.items())), catalog)
        return self._resolve(needs_of(request), catalog).fit

    def build(self, request: GenerationRequest, *, prefix: str, catalog: Catalog) -> BuiltGraph:
        """The graph of a request for a backend; its files are named `prefix_…`.

        Raises:
            MissingCapabilityError: the backend lacks something, see `Fit.missing`.
            InvalidRequestError: an input picture or an input of the given graph is not there.
        """
        fit = self.fit(request, catalog)
        if fit.missing:
            raise _missing(fit, catalog)
        if request.graph is not None:
            graph = running.with_own_files(inline.patch(request), catalog)
            saves = inline.save_nodes(graph)
            return _finish(graph, request, prefix=prefix, catalog=catalog, fit=fit, saves=saves)
        saved = self._saved.get(request.preset)
        if saved is not None and saved.variants:
            variant, values = saved.variants[0], running.values_of(saved, request)
            values, notices = running.with_near_samplers(variant, values, catalog)
            fit = replace(fit, notices=(*fit.notices, *notices))
            graph = running.with_own_files(fill(variant, values=values, files={}), catalog)
            saves = variant.saves
            return _finish(graph, request, prefix=prefix, catalog=catalog, fit=fit, saves=saves)
        resolved = self._resolve(needs_of(request), catalog)
        graph = _filled(self._presets[request.preset], resolved, request)
        saves = resolved.variant.saves
        return _finish(graph, request, prefix=prefix, catalog=catalog, fit=fit, saves=saves)

    def _fit_saved_now(self, needs: SavedNeeds, catalog: Catalog) -> Fit:
        variant = self._saved[needs.preset].variants[0]
        return _fit_graph(fill(variant, values=dict(needs.files), files={}), catalog)

    def _resolve_now(self, needs: Needs, catalog: Catalog) -> Resolved:
        preset = self.get(needs.preset)
        if preset is None or not preset.variants:
            unknown = Fit(missing=(Said("the preset {name}", name=needs.preset),))
            return Resolved(variant=Variant(graph={}, bindings={}), fit=unknown)
        return resolve(preset, needs, catalog=catalog)


def uploaded_name(name: str) -> str:
    """What a file of app.inputs is called on a backend."""
    return f"orchestrator_{name}"


def _fit_given(given: inline.Given, catalog: Catalog) -> Fit:
    return _fit_graph(given.graph, catalog)


def _fit_graph(graph: Mapping[str, Any], catalog: Catalog) -> Fit:
    return Fit(
        missing=tuple(dict.fromkeys(inline.lacks(graph, catalog=catalog))),
        model_key=inline.model_of(graph),
    )


def _filled(preset: Preset, resolved: Resolved, request: GenerationRequest) -> Graph:
    variant = resolved.variant
    for name in ("image", "mask"):
        if name in variant.bindings and not getattr(request, name):
            raise InvalidRequestError(
                f"params.{name}",
                Said("{preset} needs a picture to start from.", preset=preset.name),
            )
    graph = fill(variant, values=_values(preset, resolved, request), files=resolved.files)
    if resolved.vae is not None and variant.vae is not None:
        put_vae(graph, resolved.vae, instead_of=variant.vae)
    if resolved.loras and variant.lora_model and variant.lora_clip:
        weights = [
            (file, lora.weight, lora.weight if lora.clip_weight is None else lora.clip_weight)
            for file, lora in zip(resolved.loras, request.loras, strict=True)
        ]
        put_loras(graph, weights, model=variant.lora_model, clip=variant.lora_clip)
    return graph


def _values(preset: Preset, resolved: Resolved, request: GenerationRequest) -> dict[str, Any]:
    """What the bindings of a variant take, by field or option."""
    return {
        **{option.name: option.default for option in preset.options},
        **{name: value for name, value in request.options.items() if preset.option(name)},
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "width": request.width,
        "height": request.height,
        "steps": request.steps,
        "cfg": request.cfg,
        "sampler": resolved.sampler,
        "scheduler": resolved.scheduler,
        "denoise": request.denoise,
        "seed": request.seed,
        "image": request.image,
        "mask": request.mask,
    }


def _takes_file(catalog: Catalog, class_type: str, name: str) -> bool:
    schema = schema_of(catalog, class_type)
    spec = schema.input(name) if schema is not None else None
    return spec is not None and spec.widget in FILES


def _finish(
    graph: Graph,
    request: GenerationRequest,
    *,
    prefix: str,
    catalog: Catalog,
    fit: Fit,
    saves: Iterable[str],
) -> BuiltGraph:
    """Name the files that go in and those that come out."""
    saved: list[SavedAs] = []
    for node_id in saves:
        # The first keeps the bare prefix: so were files named before graphs could save twice.
        # A hyphen: after an underscore the node's id would be read as the number of a file.
        own = prefix if not saved else f"{prefix}-{node_id.replace(':', '-')}"
        suffixes = _SUFFIXES.get(graph[node_id]["class_type"], (".png",))
        graph[node_id]["inputs"]["filename_prefix"] = own
        saved.append(SavedAs(node_id=node_id, prefix=own, suffixes=suffixes))
    given = (request.image, request.mask)
    names = inline.files_of_ours(graph, named=given, takes=partial(_takes_file, catalog))
    for node_id, place, name in names:
        graph[node_id]["inputs"][place] = uploaded_name(name)
    return BuiltGraph(
        graph=graph,
        saves=tuple(saved),
        notices=fit.notices,
        model_key=fit.model_key,
        inputs=tuple(dict.fromkeys(name for _, _, name in names)),
    )


def _missing(fit: Fit, catalog: Catalog) -> MissingCapabilityError:
    checkpoints = files(catalog, "checkpoints")
    shown = ", ".join(checkpoints[:_NAMED])
    more = f" (+{len(checkpoints) - _NAMED})" if len(checkpoints) > _NAMED else ""
    return MissingCapabilityError(
        Said("It lacks {names}.", names=listed(fit.missing)),
        fix=Said(
            "Its checkpoints: {names}. Choose another, or install what is missing.",
            names=shown + more,
        )
        if checkpoints
        else Said("Put a model file into its models/checkpoints folder and restart it."),
    )
