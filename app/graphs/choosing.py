"""Which model file of a backend a workflow uses: the one asked for, or the best that fits."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.graphs.families import LABELS, Kin, kin_of, words_of
from app.graphs.nodes import BUILT_IN
from app.graphs.preset import ModelSlot
from app.models import Catalog
from app.said import Said

ANY = "any"
"""The family of a slot that takes every model that makes a picture from a prompt."""

_OLD_NAMES = {"diffusion_models": "unet", "text_encoders": "clip"}
# For a slot of any family: those that ordinary steps and cfg suit come first.
_ANY_ORDER = {"sd15": 0, "sdxl": 0, None: 0, "sd21": 2, "sd3": 3, "sd35": 3, "flux-dev": 4}
_ANY_LAST = {"flux-schnell": 5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The file for a slot, or what is missing; `guessed`: nothing tells that it fits."""

    file: str = ""
    missing: str | None = None
    notice: str | None = None
    guessed: bool = False


def choose(slot: ModelSlot, *, wanted: str | None, catalog: Catalog) -> Chosen:
    """The file for a slot: what is wanted if it is there, else the best one."""
    offered = files(catalog, slot.folder)
    if wanted is not None:
        return _explicit(slot, wanted=wanted, offered=offered)
    if slot.names:
        return _by_name(slot, offered=offered)
    ranked = [(rank, name) for name in offered if (rank := _rank(slot, kin_of(name))) is not None]
    if not ranked:
        return Chosen(missing=_what(slot))
    _, best = min(ranked, key=lambda each: each[0])
    if slot.families and ANY not in slot.families and kin_of(best).family is None:
        notice = Said(
            "Nothing tells that {file} is a model for {family}: it is used for want of another.",
            file=best,
            family=_family_label(slot),
        )
        return Chosen(file=best, notice=notice, guessed=True)
    return Chosen(file=best)


def find(wanted: str, *, offered: Sequence[str]) -> str | None:
    """The name under which a backend has a file: exactly, or in another folder."""
    if wanted in offered:
        return wanted
    by_path = {_slashes(name): name for name in reversed(offered)}
    if (same := by_path.get(_slashes(wanted))) is not None:
        return same
    file = _slashes(wanted).rsplit("/", 1)[-1]
    return next((name for path, name in by_path.items() if path.rsplit("/", 1)[-1] == file), None)


def lacking(wanted: str, *, offered: Sequence[str]) -> str:
    """A missing file, for people, with the one they may have meant."""
    by_words = {words_of(name): name for name in offered}
    near = difflib.get_close_matches(words_of(wanted), list(by_words), n=1, cutoff=0.75)
    if near:
        return Said("{name} (there is {near})", name=wanted, near=by_words[near[0]])
    return wanted


def files(catalog: Catalog, folder: str) -> tuple[str, ...]:
    """The files of a folder, by its name of today or the earlier one."""
    found = catalog.models.get(folder)
    return found if found is not None else catalog.models.get(_OLD_NAMES.get(folder, ""), ())


def _explicit(slot: ModelSlot, *, wanted: str, offered: Sequence[str]) -> Chosen:
    file = find(wanted, offered=offered)
    if file is None and wanted in BUILT_IN.get(slot.folder, frozenset()):
        file = wanted
    if file is None:
        return Chosen(missing=lacking(wanted, offered=offered))
    kin = kin_of(file)
    strange = slot.families and ANY not in slot.families and kin.family not in slot.families
    if strange and kin.family is not None:
        notice = Said(
            "{file} looks like a model of {other}; this workflow is made for {family}.",
            file=file,
            other=LABELS[kin.family],
            family=_family_label(slot),
        )
        return Chosen(file=file, notice=notice)
    return Chosen(file=file)


def _by_name(slot: ModelSlot, *, offered: Sequence[str]) -> Chosen:
    for rule in slot.names:
        for name in offered:
            if re.search(rule, words_of(name)):
                return Chosen(file=name)
    return Chosen(missing=_what(slot))


def _rank(slot: ModelSlot, kin: Kin) -> int | None:
    """Lower is better; None: it is for something else."""
    if not slot.families:
        return 0
    if kin.unfit:
        return None
    if ANY in slot.families:
        order = {**_ANY_ORDER, **_ANY_LAST}
        if kin.family not in order:
            return None
        return order[kin.family] + (10 if kin.special else 1 if kin.few_steps else 0)
    if kin.family is None:
        return 30 + (10 if kin.special else 0)
    if kin.family not in slot.families:
        return None
    # Among several families the first named is meant most.
    return slot.families.index(kin.family) + (20 if kin.special else 10 if kin.few_steps else 0)


def _what(slot: ModelSlot) -> str:
    if slot.label:
        return Said(slot.label)
    if ANY in slot.families or not slot.families:
        return Said("a checkpoint")
    return Said("a checkpoint of family {family}", family=_family_label(slot))


def _family_label(slot: ModelSlot) -> str:
    return LABELS.get(slot.families[0], slot.families[0])


def _slashes(name: str) -> str:
    return name.replace("\\", "/").lower()
