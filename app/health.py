"""Which backends rest, and what is in quarantine where: learned from how attempts end.

A circuit per backend: closed (work goes there), open (it rests after too many faults in a row),
half open (one job may try whether it works again).
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, Protocol
from uuid import UUID

from app.config import HealthSettings
from app.errors import ConflictError, NotFoundError, StorageError
from app.events import EventBus, LoggedEvent, QuarantineChanged
from app.ids import new_id
from app.ports import Clock
from app.said import Said

log = logging.getLogger(__name__)

CircuitState = Literal["closed", "open", "half_open"]
QuarantineKind = Literal["model", "workflow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitView:
    """Whether a backend gets work."""

    state: CircuitState = "closed"
    faults: int = 0  # in a row
    until: datetime | None = None  # of an open one: when it is tried again
    reason: str | None = None  # the last fault, for people


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One fault that led to a quarantine."""

    job_id: UUID
    at: datetime
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """A model file, or a workflow, that gets no more work on one backend until it is lifted."""

    id: UUID
    kind: QuarantineKind
    subject: str  # the file, the id of the workflow, or "graph:" and a hash
    backend_id: str
    code: str  # of the errors
    reason: str  # for people
    evidence: tuple[Evidence, ...] = ()
    created_at: datetime
    lifted_at: datetime | None = None


class QuarantineStore(Protocol):
    """Quarantines on disk."""

    async def all(self) -> list[Quarantine]:
        """Every one, lifted ones too, newest first."""
        ...

    async def put(self, quarantine: Quarantine, /) -> LoggedEvent:
        """Insert it, or overwrite the one with its id."""
        ...


@dataclass(slots=True)
class _Circuit:
    faults: int = 0
    trips: int = 0  # times it has opened without a success since
    until: datetime | None = None
    reason: str | None = None
    probe: UUID | None = None  # the one job that tries it


class Health:
    """Hears how attempts end; says who rests and what is in quarantine."""

    def __init__(
        self, *, store: QuarantineStore, bus: EventBus, clock: Clock, settings: HealthSettings
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._settings = settings
        self._circuits: dict[str, _Circuit] = {}
        self._failures: dict[tuple[str, str], list[Evidence]] = {}
        self._quarantines: dict[UUID, Quarantine] = {}
        self._in_force: dict[tuple[str, str, str], Quarantine] = {}
        self._being_written: set[tuple[str, str, str]] = set()
        self._called: Callable[[str], str] = str
        self.revision = 0
        """Grows whenever a verdict on a backend may have changed."""

    async def open(self) -> None:
        """Read what a former process left."""
        for each in reversed(await self._store.all()):
            self._keep(each)

    def name_workflows(self, called: Callable[[str], str]) -> None:
        """Ask this from now on what people call a workflow."""
        self._called = called

    def circuit(self, backend_id: str) -> CircuitView:
        """How the circuit of a backend is now."""
        circuit = self._circuits.get(backend_id)
        if circuit is None:
            return CircuitView()
        if circuit.until is None:
            return CircuitView(faults=circuit.faults, reason=circuit.reason)
        state: CircuitState = "open" if self._rests(circuit) else "half_open"
        return CircuitView(
            state=state, faults=circuit.faults, until=circuit.until, reason=circuit.reason
        )

    def allowance(self, backend_id: str) -> int | None:
        """How many more jobs may go there now; None: as many as there are slots."""
        circuit = self._circuits.get(backend_id)
        if circuit is None or circuit.until is None:
            return None
        return int(not self._rests(circuit) and circuit.probe is None)

    def trying(self, backend_id: str, job_id: UUID) -> None:
        """A job goes there; of a half-open circuit it is the one that tries it."""
        circuit = self._circuits.get(backend_id)
        if circuit is not None and circuit.until is not None:
            circuit.probe = job_id

    def released(self, backend_id: str, job_id: UUID) -> None:
        """The job has left the backend, whatever came of it."""
        circuit = self._circuits.get(backend_id)
        if circuit is not None and circuit.probe == job_id:
            circuit.probe = None

    def faulted(self, backend_id: str, reason: str) -> None:
        """The backend itself did something wrong."""
        self.revision += 1
        circuit = self._circuits.setdefault(backend_id, _Circuit())
        circuit.faults += 1
        circuit.reason = reason
        trying = circuit.until is not None
        if not trying and circuit.faults < self._settings.circuit_faults:
            return
        pause_s = self._settings.circuit_pause_s * 2 ** min(circuit.trips, 30)
        pause_s = min(pause_s, self._settings.circuit_pause_max_s)
        circuit.trips += 1
        circuit.until = self._clock.now() + timedelta(seconds=pause_s)
        circuit.probe = None
        log.warning("%s rests for %.0f s after %d faults", backend_id, pause_s, circuit.faults)

    def worked(self, backend_id: str, workflow: str | None = None) -> None:
        """The backend did its part; with a workflow: it ran well there."""
        if self._circuits.pop(backend_id, None) is not None:
            self.revision += 1
            log.info("%s works again", backend_id)
        if workflow is not None:
            self._failures.pop((backend_id, workflow), None)

    def close(self, backend_id: str) -> None:
        """Give it work again at once: somebody says that it is mended, or it is gone."""
        self.revision += 1
        self._circuits.pop(backend_id, None)

    def next_time(self) -> datetime | None:
        """When the next open circuit may be tried."""
        times = [each.until for each in self._circuits.values() if each.until and self._rests(each)]
        return min(times, default=None)

    def _rests(self, circuit: _Circuit) -> bool:
        # Further away than the longest rest: the clock was set back, and it has rested enough.
        now = self._clock.now()
        longest = timedelta(seconds=self._settings.circuit_pause_max_s)
        return circuit.until is not None and now < circuit.until <= now + longest

    async def workflow_failed(
        self, backend_id: str, workflow: str, *, evidence: Evidence, code: str
    ) -> None:
        """A node of the workflow failed there; too often in a row puts it in quarantine."""
        failures = self._failures.setdefault((backend_id, workflow), [])
        failures.append(evidence)
        del failures[:-10]
        enough = self._settings.quarantine_faults
        # The attempts of one job may all fail for a fault of its own.
        jobs = {each.job_id for each in failures}
        if len(failures) < enough or len(jobs) < min(2, enough):
            return
        reason = Said(
            "{workflow} failed {n} times in a row on {backend}: {message}",
            workflow=self._called(workflow),
            n=len(failures),
            backend=backend_id,
            message=evidence.message,
        )
        await self.quarantine(
            "workflow", workflow, backend_id=backend_id, code=code, reason=reason, because=failures
        )
        self._failures.pop((backend_id, workflow), None)  # unless it worked meanwhile

    async def quarantine(
        self,
        kind: QuarantineKind,
        subject: str,
        *,
        backend_id: str,
        code: str,
        reason: str,
        because: Sequence[Evidence] = (),
    ) -> Quarantine | None:
        """Put it in quarantine there; None if that could not be written down, or it is already."""
        key = (kind, subject, backend_id)
        if key in self._in_force or key in self._being_written:
            return None
        made = Quarantine(
            id=new_id(),
            kind=kind,
            subject=subject,
            backend_id=backend_id,
            code=code,
            reason=reason,
            evidence=tuple(because),
            created_at=self._clock.now(),
        )
        self._being_written.add(key)
        try:
            logged = await self._store.put(made)
        except StorageError as exc:
            log.warning("A quarantine could not be written down: %s", exc)
            return None
        finally:
            self._being_written.discard(key)
        self._keep(made)
        log.warning("In quarantine on %s: %s %s", backend_id, kind, subject)
        self._bus.publish(QuarantineChanged(backend_id=backend_id, logged=logged))
        return made

    async def lift(self, quarantine_id: UUID) -> Quarantine:
        """Let it out.

        Raises:
            NotFoundError: there is no such quarantine.
            ConflictError: it is lifted already.
        """
        known = self._quarantines.get(quarantine_id)
        if known is None:
            raise NotFoundError(Said("There is no quarantine {id}.", id=quarantine_id))
        if known.lifted_at is not None:
            raise ConflictError(Said("This quarantine is lifted already."))
        lifted = replace(known, lifted_at=self._clock.now())
        logged = await self._store.put(lifted)
        self._keep(lifted)
        self._bus.publish(QuarantineChanged(backend_id=lifted.backend_id, logged=logged))
        return lifted

    def quarantines(self, *, lifted: bool = False) -> list[Quarantine]:
        """Those in force, newest first; with `lifted` also those that were."""
        kept = reversed(self._quarantines.values())
        return [each for each in kept if lifted or each.lifted_at is None]

    def quarantined(
        self, backend_id: str, *, workflow: str, models: Sequence[str]
    ) -> Quarantine | None:
        """What keeps this work from the backend."""
        if not self._in_force:
            return None
        keys = [("workflow", workflow, backend_id)]
        keys += [("model", each, backend_id) for each in models]
        return next((self._in_force[key] for key in keys if key in self._in_force), None)

    def _keep(self, quarantine: Quarantine) -> None:
        self.revision += 1
        self._quarantines[quarantine.id] = quarantine
        key = (quarantine.kind, quarantine.subject, quarantine.backend_id)
        if quarantine.lifted_at is None:
            self._in_force[key] = quarantine
        else:
            self._in_force.pop(key, None)
