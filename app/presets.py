"""The presets: which of them a backend can run, and the graph of a request for it."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from app.errors import InvalidRequestError, MissingCapabilityError
from app.graphs import inline
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


class Presets:
    """All presets, by id."""

    def __init__(self, presets: Iterable[Preset]) -> None:
        self._presets = {preset.id: preset for preset in presets}
        # Asked for thousands of waiting jobs and every backend in each turn of the dispatcher.
        self._resolve = lru_cache(maxsize=_CACHED)(self._resolve_now)
        self._fit_given = lru_cache(maxsize=_CACHED_GIVEN)(_fit_given)

    def all(self) -> list[Preset]:
        """Every preset, in the order of the form."""
        return list(self._presets.values())

    def get(self, preset_id: str) -> Preset | None:
        """One of them."""
        return self._presets.get(preset_id)

    def fit(self, request: GenerationRequest, catalog: Catalog) -> Fit:
        """What a backend with that catalog lacks for the request; quick when asked again."""
        if request.graph is not None:
            return self._fit_given(inline.Given(request.graph), catalog)
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
            graph = inline.patch(request)
            return _finish(graph, request, prefix=prefix, fit=fit, saves=inline.save_nodes(graph))
        resolved = self._resolve(needs_of(request), catalog)
        graph = _filled(self._presets[request.preset], resolved, request)
        return _finish(graph, request, prefix=prefix, fit=fit, saves=resolved.variant.saves)

    def _resolve_now(self, needs: Needs, catalog: Catalog) -> Resolved:
        preset = self._presets.get(needs.preset)
        if preset is None or not preset.variants:
            unknown = Fit(missing=(Said("the preset {name}", name=needs.preset),))
            return Resolved(variant=Variant(graph={}, bindings={}), fit=unknown)
        return resolve(preset, needs, catalog=catalog)


def uploaded_name(name: str) -> str:
    """What a picture of app.inputs is called on a backend."""
    return f"orchestrator_{name}"


def _fit_given(given: inline.Given, catalog: Catalog) -> Fit:
    return Fit(
        missing=tuple(dict.fromkeys(inline.lacks(given.graph, catalog=catalog))),
        model_key=inline.model_of(given.graph),
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


def _finish(
    graph: Graph, request: GenerationRequest, *, prefix: str, fit: Fit, saves: Iterable[str]
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
    names = inline.pictures_of_ours(graph, named=(request.image, request.mask))
    for node_id, name in names:
        graph[node_id]["inputs"]["image"] = uploaded_name(name)
    return BuiltGraph(
        graph=graph,
        saves=tuple(saved),
        notices=fit.notices,
        model_key=fit.model_key,
        inputs=tuple(dict.fromkeys(name for _, name in names)),
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
