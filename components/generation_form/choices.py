"""What the form offers: what can be made, where, and with which of the files that are there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.fleet import Fleet
from app.graphs.choosing import ANY, files
from app.graphs.families import LABELS, kin_of
from app.graphs.preset import Fit, Preset
from app.models import (
    AUTO,
    DEMO,
    FLUX,
    TEXT_TO_IMAGE,
    BackendInfo,
    BackendStatus,
    Catalog,
    GenerationRequest,
)
from app.paid import MICRO, Budget, usd
from app.presets import Presets
from app.services import Services
from components.generation_form.values import make_of
from components.i18n import say, tr, trn

_FALLBACK_SAMPLERS = ("euler",)
_FALLBACK_SCHEDULERS = ("normal",)
_NAMED = 3  # backends in one line


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An entry of a picker: its name, and how it stands with it."""

    id: str
    name: str
    online: bool
    state: str  # a sentence: ready, or why not

    @property
    def label(self) -> str:
        """Both lines of the entry."""
        return f"{self.name}\n{self.state}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """Whether something can be made now, and a sentence about it."""

    online: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Machine:
    """A backend, as configured and as it is."""

    info: BackendInfo
    status: BackendStatus

    @property
    def id(self) -> str:
        return self.info.id

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def online(self) -> bool:
        return self.status.online

    @property
    def shown(self) -> tuple[object, ...]:
        """What of it the form shows; its figures change all the time, and are none of it."""
        now = self.status
        return self.info, now.online, now.last_error, now.gpu_name, now.version, now.catalog


class Choices:
    """What there is to choose from right now."""

    def __init__(self, fleet: Fleet, presets: Presets, budget: Budget) -> None:
        self._presets = presets
        self._budget = budget
        self._machines = {
            info.id: _Machine(info=info, status=fleet.status(info.id))
            for info in fleet.infos()
            if info.enabled
        }
        self._real = [each for each in self._machines.values() if each.info.kind == "comfyui"]

    @classmethod
    def of(cls, services: Services) -> "Choices":
        """What there is now."""
        return cls(services.fleet, services.presets, services.budget)

    def __eq__(self, other: object) -> bool:
        """Whether there is the same to choose from."""
        return isinstance(other, Choices) and self._shown == other._shown

    __hash__ = None  # pyright: ignore[reportAssignmentType] - compared, never a key

    @property
    def _shown(self) -> list[tuple[object, ...]]:
        saved = [
            (each.id, each.name, each.description)
            for each in self._presets.all()
            if each.version is not None
        ]
        return [*saved, *(each.shown for each in self._machines.values())]

    def makes(self) -> list[Choice]:
        """What can be made, each with where it can run now: the demo, saved workflows, presets."""
        demo = [self._demo(tr("Demo"))] if DEMO in self._machines else []
        saved_first = sorted(self._presets.all(), key=lambda each: each.version is None)
        return [*demo, *(self.standing(each) for each in saved_first)]

    def usual_make(self) -> str:
        """What is made unless somebody chooses: the demo, else the first preset of ours."""
        ours = next(each for each in self._presets.all() if each.version is None)
        return DEMO if DEMO in self._machines else make_of(ours)

    def preset(self, make: str) -> Preset:
        """The preset behind an entry of `makes`."""
        found = self._presets.get(TEXT_TO_IMAGE if make == DEMO else make)
        return found or self._presets.all()[0]

    def usual_place(self) -> str:
        """Where to make something unless somebody says otherwise."""
        return DEMO if not self._real and DEMO in self._machines else AUTO

    def places(self, request: GenerationRequest, preset: Preset) -> list[Choice]:
        """Where this can be made: anywhere, on one machine, or by the demo engine."""
        state = self._cloud() if preset.paid else self._anywhere(request)
        any_one = Choice(id=AUTO, name=tr("Any backend"), online=state.online, state=state.text)
        if preset.paid:
            return [any_one]
        machines = [self._machine(each, request) for each in self._real]
        demo = [self._demo(tr("Demo engine"))] if DEMO in self._machines else []
        return [any_one, *machines, *demo]

    def samplers(self, where: str) -> list[str]:
        """What is reported there, or something every one has while it is not known."""
        return _union(each.samplers for each in self._catalogs(where)) or list(_FALLBACK_SAMPLERS)

    def schedulers(self, where: str) -> list[str]:
        """Like `samplers`."""
        return _union(each.schedulers for each in self._catalogs(where)) or list(
            _FALLBACK_SCHEDULERS
        )

    def checkpoints(self, where: str, preset: Preset) -> dict[str, str]:
        """The models of the workflow's kind, with a remark where they may not suit it."""
        if preset.paid:
            return {
                model: f"{model} — {usd(round(price * MICRO))}"
                for model, price in self._budget.prices.items()
            }
        names = self._files(where, preset.folders("checkpoint"))
        families = _families(preset)
        return dict(sorted(
            ((name, name + _remark(name, families)) for name in names),
            key=lambda each: _suits(each[0], families),
        ))  # fmt: skip

    def files(self, where: str, folder: str) -> dict[str, str]:
        """The model files of a folder, as the backends there name them."""
        return {name: name for name in sorted(self._files(where, (folder,)), key=str.lower)}

    def _files(self, where: str, folders: Sequence[str]) -> list[str]:
        catalogs = self._catalogs(where)
        return _union(files(catalog, folder) for catalog in catalogs for folder in folders)

    def _catalogs(self, where: str) -> list[Catalog]:
        """Of the machines that it may go to."""
        machines = self._real
        if where != AUTO:
            machines = [self._machines[where]] if where in self._machines else []
        return [each.status.catalog for each in machines if each.status.catalog is not None]

    def _demo(self, name: str) -> Choice:
        online = self._machines[DEMO].online
        state = tr("Demo — no AI model") if online else tr("The demo engine is starting.")
        return Choice(id=DEMO, name=name, online=online, state=state)

    def standing(self, preset: Preset) -> Choice:
        """A preset, and where it can be made now."""
        state = self._cloud() if preset.paid else self._anywhere(_bare(preset))
        name = preset.name if preset.version is not None else tr(preset.name)
        return Choice(id=make_of(preset), name=name, online=state.online, state=state.text)

    def _cloud(self) -> _State:
        cloud = self._machines.get(FLUX)
        if not self._budget.is_allowed:
            return _State(online=False, text=tr("Switched off: shows only what it would cost"))
        if cloud is None or not cloud.online:
            why = say(cloud.status.last_error or "") if cloud else ""
            return _State(online=False, text=why or tr("Offline. Jobs wait until it is back."))
        cheapest = usd(round(min(self._budget.prices.values()) * MICRO))
        return _State(online=True, text=tr("Costs money: from {price} a picture", price=cheapest))

    def _anywhere(self, request: GenerationRequest) -> _State:
        """Whether any machine can make it now: which, or why none."""
        if not self._real:
            text = tr("No ComfyUI machine is set up")
            if DEMO in self._machines:
                text = tr("Demo engine only; no ComfyUI machine is set up")
            return _State(online=False, text=text)
        fits = {each.id: self._fit(each, request) for each in self._real}
        able = [each for each in self._real if (fit := fits[each.id]) is not None and fit.ok]
        ready = [each.name for each in able if each.online]
        if ready:
            more = f" +{len(ready) - _NAMED}" if len(ready) > _NAMED else ""
            return _State(online=True, text=" · ".join(ready[:_NAMED]) + more)
        if able:
            names = ", ".join(each.name for each in able[:_NAMED])
            state = trn("Only {names} can, and is offline", "Only {names} can, and are offline",
                        len(able), names=names)  # fmt: skip
            return _State(online=False, text=state)
        known = [fit for fit in fits.values() if fit is not None]
        if not known:
            return _State(online=False, text=tr("No backend has been online yet"))
        least = min(known, key=lambda fit: len(fit.missing))
        needs = _listed(least)
        return _State(online=False, text=tr("Needs {names}; no backend has it", names=needs))

    def _machine(self, machine: _Machine, request: GenerationRequest) -> Choice:
        now = machine.status
        facts = [now.gpu_name, f"ComfyUI {now.version}" if now.version else None]
        ready = " · ".join(fact for fact in facts if fact) or tr("Online")
        fit = self._fit(machine, request)
        if not now.online:
            state = say(now.last_error or "") or tr("Offline. Jobs wait until it is back.")
        elif fit is not None and not fit.ok:
            state = tr("Lacks {names}", names=_listed(fit))
        elif fit is not None and fit.notices:
            state = " ".join([f"{ready}.", *map(say, fit.notices)])
        else:
            state = ready
        able = now.online and (fit is None or fit.ok)
        return Choice(id=machine.id, name=machine.name, online=able, state=state)

    def _fit(self, machine: _Machine, request: GenerationRequest) -> Fit | None:
        """Whether the catalog of a backend has what is needed; None while it is not known."""
        catalog = machine.status.catalog
        return None if catalog is None else self._presets.fit(request, catalog)


def backend_names(fleet: Fleet) -> dict[str, str]:
    """How boards and badges name each backend and preset."""
    names = {info.id: info.name for info in fleet.infos()}
    return {**names, DEMO: tr("Demo"), AUTO: tr("Any ComfyUI")}


def _bare(preset: Preset) -> GenerationRequest:
    """What the preset needs when nothing is chosen by hand."""
    return GenerationRequest(
        target=AUTO,
        preset=preset.id,
        prompt="",
        sampler=preset.defaults.get("sampler", _FALLBACK_SAMPLERS[0]),
        scheduler=preset.defaults.get("scheduler", _FALLBACK_SCHEDULERS[0]),
    )


def _families(preset: Preset) -> frozenset[str]:
    """Of the checkpoints that suit the preset; empty: all do."""
    slots = [slot for each in preset.variants for slot in each.models if slot.field == "checkpoint"]
    return frozenset(family for slot in slots for family in slot.families)


def _suits(name: str, families: frozenset[str]) -> tuple[int, str]:
    """Those that suit come first, those of which nothing is known next."""
    kin = kin_of(name)
    if not families or kin.family in families:
        rank = 0
    elif kin.family is None:
        rank = 0 if ANY in families else 1
    else:
        rank = 0 if ANY in families and kin.family not in ("svd", "other", "cascade") else 2
    return rank + (3 if families and kin.unfit else 0), name.lower()


def _remark(name: str, families: frozenset[str]) -> str:
    rank, _ = _suits(name, families)
    if rank == 0:
        return ""
    family = kin_of(name).family
    if family is None:
        return f" — {tr('unknown family')}"
    return f" — {tr('another family') if family == 'other' else LABELS[family]}"


def _listed(fit: Fit) -> str:
    more = f" +{len(fit.missing) - _NAMED}" if len(fit.missing) > _NAMED else ""
    return ", ".join(say(each) for each in fit.missing[:_NAMED]) + more


def _union(lists: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(item for items in lists for item in items))
