"""Which variant of a preset a backend can run, with which of its files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from app.graphs.choosing import choose, files, find, lacking
from app.graphs.nodes import BUILT_IN, required_classes
from app.graphs.preset import Fit, Preset, Variant
from app.graphs.samplers import nearest
from app.models import Catalog, GenerationRequest
from app.said import Said


class Needs(NamedTuple):
    """What of a request decides whether a backend can run it."""

    preset: str
    checkpoint: str | None
    vae: str | None
    loras: tuple[str, ...]
    sampler: str
    scheduler: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A variant with the files of one backend, or with what that backend lacks."""

    variant: Variant
    fit: Fit
    files: Mapping[str, str] = field(default_factory=dict[str, str])  # by "node.input"
    loras: tuple[str, ...] = ()
    vae: str | None = None  # in place of the checkpoint's own
    sampler: str = ""
    scheduler: str = ""
    guesses: int = 0  # files of which nothing tells that they fit


def needs_of(request: GenerationRequest) -> Needs:
    """What of it decides."""
    return Needs(
        request.preset,
        request.checkpoint,
        request.vae,
        tuple(lora.name for lora in request.loras) if request.loras else (),
        request.sampler,
        request.scheduler,
    )


def resolve(preset: Preset, needs: Needs, *, catalog: Catalog) -> Resolved:
    """The first variant that lacks nothing and needs no guess, else the one that lacks least."""
    tried = [_try(each, preset, needs, catalog) for each in preset.variants]
    return min(tried, key=lambda each: (len(each.fit.missing), each.guesses))


def _try(variant: Variant, preset: Preset, needs: Needs, catalog: Catalog) -> Resolved:
    missing = _lacking_classes(variant, needs, catalog=catalog)
    notices: list[str] = [Said(variant.notice)] if variant.notice else []
    wanted = {
        name: value
        for name, value in (("checkpoint", needs.checkpoint), ("vae", needs.vae))
        if value is not None and name in preset.fields
    }
    found: dict[str, str] = {}
    guesses = 0
    for slot in variant.models:
        chosen = choose(slot, wanted=wanted.pop(slot.field or "", None), catalog=catalog)
        missing += [] if chosen.missing is None else [chosen.missing]
        notices += [] if chosen.notice is None else [chosen.notice]
        guesses += chosen.guessed
        found[f"{slot.node}.{slot.input}"] = chosen.file
    vae = wanted.pop("vae", None) if variant.vae else None
    if vae is not None:
        vae = _there(vae, folder="vae", catalog=catalog, missing=missing)
    # What is left was chosen by people, but this variant has no place for it.
    missing += wanted.values()
    loras = needs.loras if "loras" in preset.fields else ()
    loras = tuple(_there(n, folder="loras", catalog=catalog, missing=missing) for n in loras)
    sampler, scheduler = _sampling(variant, needs, catalog=catalog, notices=notices)
    fit = Fit(
        missing=tuple(dict.fromkeys(missing)),
        notices=tuple(notices),
        model_key=next(iter(found.values()), ""),
    )
    return Resolved(
        variant=variant,
        fit=fit,
        files=found,
        loras=loras,
        vae=vae,
        sampler=sampler,
        scheduler=scheduler,
        guesses=guesses,
    )


def _lacking_classes(variant: Variant, needs: Needs, *, catalog: Catalog) -> list[str]:
    if not catalog.node_classes:
        return []  # the backend did not tell
    classes = set(required_classes(variant.graph))
    if needs.loras and variant.lora_model:
        classes.add("LoraLoader")
    if needs.vae is not None and variant.vae:
        classes.add("VAELoader")
    return [Said("node class {name}", name=name) for name in sorted(classes - catalog.node_classes)]


def _there(wanted: str, *, folder: str, catalog: Catalog, missing: list[str]) -> str:
    """The file as the backend calls it; noted as missing if it has none like it."""
    if wanted in BUILT_IN.get(folder, frozenset()):
        return wanted
    offered = files(catalog, folder)
    file = find(wanted, offered=offered)
    if file is None:
        missing.append(lacking(wanted, offered=offered))
    return file or wanted


def _sampling(
    variant: Variant, needs: Needs, *, catalog: Catalog, notices: list[str]
) -> tuple[str, str]:
    sampler, scheduler = nearest(
        needs.sampler,
        scheduler=needs.scheduler,
        samplers=catalog.samplers,
        schedulers=catalog.schedulers,
    )
    if sampler != needs.sampler and "sampler" in variant.bindings:
        notices.append(
            Said(
                "There is no sampler {wanted}: {used} is used.", wanted=needs.sampler, used=sampler
            )
        )
    if scheduler != needs.scheduler and "scheduler" in variant.bindings:
        notices.append(
            Said(
                "There is no scheduler {wanted}: {used} is used.",
                wanted=needs.scheduler,
                used=scheduler,
            )
        )
    return sampler, scheduler
