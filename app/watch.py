"""Notices trouble: listens to what happens and says when an incident begins and when it is over."""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from app.errors import LostError, StorageError
from app.events import (
    BackendChanged,
    BackendRemoved,
    DeliveryChanged,
    Event,
    EventBus,
    JobChanged,
    JobRemoved,
    QuarantineChanged,
    Sampled,
)
from app.fleet import Fleet
from app.health import Health
from app.incidents import Incidents
from app.metrics import is_step
from app.models import BackendInfo, JobState
from app.ports import Clock
from app.said import Said
from app.samples import Disk, Sample, Sampler
from app.webhooks import Delivery, DeliveryState

log = logging.getLogger(__name__)

OFFLINE_AFTER = timedelta(seconds=15)
"""A backend may be away that long, as when ComfyUI is started anew."""
LAG_S = 1.0
_CALM_SAMPLES = 12
_FIRST_SAMPLES = 4
"""While the app starts, it may be slow."""
_GIB = 2**30
_DISK_LOW = 5 * _GIB
_DISK_FULL = _GIB
_DISK_SHARE = 0.05
_NO_BACKEND = "jobs"
_STATES_OF_BACKENDS = ("backend_offline", "circuit_open")
_CLOUD_FIX = Said(
    "Check the key and the credits of the account, and the internet connection of this machine "
    "(outbound_proxy)."
)


class Watch:
    """The one who notices; `serve` it."""

    def __init__(
        self,
        *,
        incidents: Incidents,
        fleet: Fleet,
        health: Health,
        sampler: Sampler,
        delivery: Callable[[UUID], Awaitable[Delivery | None]],
        bus: EventBus,
        clock: Clock,
    ) -> None:
        self._incidents = incidents
        self._fleet = fleet
        self._health = health
        self._sampler = sampler
        self._delivery = delivery
        self._bus = bus
        self._clock = clock
        self._offline_since: dict[str, datetime] = {}
        self._calm = 0

    async def serve(self) -> None:
        """Watch until cancelled."""
        with self._bus.subscribe(
            BackendChanged,
            BackendRemoved,
            DeliveryChanged,
            JobChanged,
            JobRemoved,
            QuarantineChanged,
            Sampled,
        ) as inbox:
            self.look_at_quarantines()
            self._forget_removed_backends()
            async for event in inbox:
                if inbox.lagged:
                    inbox.caught_up()
                    self.look_at_quarantines()
                    self._forget_removed_backends()
                await self._take_in(event)

    async def _take_in(self, event: Event) -> None:
        match event:
            case JobChanged():
                self._look_at_job(event)
            case JobRemoved(job_id=job_id):
                self._incidents.over(LostError.code, f"job:{job_id}")
            case BackendChanged(info=info):
                self.look_at_backend(info)
            case BackendRemoved(backend_id=backend_id):
                self._offline_since.pop(backend_id, None)
                self._incidents.over_where(subject=f"backend:{backend_id}")
            case QuarantineChanged():
                self.look_at_quarantines()
            case DeliveryChanged(delivery_id=delivery_id):
                await self._look_at_delivery(delivery_id)
            case Sampled():
                self._look_at_sample(self._sampler.last)
                for info in self._fleet.infos():
                    self.look_at_backend(info)
            case _:
                pass

    def look_at_backend(self, info: BackendInfo) -> None:
        """Whether it has been away for too long, or rests."""
        if self._fleet.info(info.id) is None:
            return  # removed meanwhile
        subject = f"backend:{info.id}"
        status = self._fleet.status(info.id)
        if status.online or not info.enabled:
            self._offline_since.pop(info.id, None)
            self._incidents.over("backend_offline", subject)
        else:
            now = self._clock.now()
            since = self._offline_since.setdefault(info.id, now)
            if now - since >= OFFLINE_AFTER:
                cause = status.last_error or ""
                fix = _CLOUD_FIX if info.kind == "bfl" else ""
                self._incidents.ensure("backend_offline", subject, cause=cause, fix=fix)
        circuit = self._health.circuit(info.id)
        if circuit.state == "closed":
            self._incidents.over("circuit_open", subject)
        else:
            cause = circuit.reason or ""
            self._incidents.ensure("circuit_open", subject, severity="warning", cause=cause)

    def look_at_quarantines(self) -> None:
        """What is in quarantine, and what no longer is."""
        in_force = {f"quarantine:{each.id}": each for each in self._health.quarantines()}
        for subject, each in in_force.items():
            self._incidents.ensure(
                "quarantine",
                subject,
                severity="warning",
                cause=each.reason,
                data={
                    "backendId": each.backend_id,
                    "what": each.subject,
                    "jobIds": [str(one.job_id) for one in each.evidence][-10:],
                },
            )
        for incident in self._incidents.now_open():
            if incident.code == "quarantine" and incident.subject not in in_force:
                self._incidents.over(incident.code, incident.subject)

    def _forget_removed_backends(self) -> None:
        """What was wrong with a backend that is no longer configured is over."""
        for incident in self._incidents.now_open():
            kind, _, backend_id = incident.subject.partition(":")
            if kind == "backend" and self._fleet.info(backend_id) is None:
                self._incidents.over(incident.code, incident.subject)

    def _look_at_job(self, event: JobChanged) -> None:
        job, failure = event.job, event.job.failure
        held = f"job:{job.id}"
        if job.state is JobState.CREATED and failure is not None:
            self._incidents.ensure(
                failure.code, held, cause=failure.message, fix=failure.fix,
                data={"jobIds": [str(job.id)]},
            )  # fmt: skip
            return
        self._incidents.over(LostError.code, held)
        subject = f"backend:{job.backend_id}" if job.backend_id else _NO_BACKEND
        if is_step(event, JobState.DONE):
            self._incidents.over_where(subject=subject, but=_STATES_OF_BACKENDS)
            self._incidents.over_where(subject=_NO_BACKEND)
        elif is_step(event, JobState.FAILED) and failure is not None:
            self._incidents.notice(
                failure.code, subject, cause=failure.message, fix=failure.fix, job_id=job.id
            )

    async def _look_at_delivery(self, delivery_id: UUID) -> None:
        try:
            delivery = await self._delivery(delivery_id)
        except StorageError as exc:
            log.warning("What became of webhook %s cannot be read: %s", delivery_id, exc)
            return
        if delivery is None:
            return
        subject = f"webhook:{urlsplit(delivery.url).hostname}"
        if delivery.state is DeliveryState.DELIVERED:
            self._incidents.over("webhook_failed", subject)
        elif delivery.state is DeliveryState.FAILED:
            last = delivery.tries[-1] if delivery.tries else None
            reason = (last.error or f"HTTP {last.status}") if last else "?"
            cause = Said(
                "{n} tries did not reach the receiver: {reason}",
                n=len(delivery.tries),
                reason=reason,
            )
            self._incidents.notice("webhook_failed", subject, severity="warning", cause=cause)

    def _look_at_sample(self, sample: Sample | None) -> None:
        if sample is None:
            return
        self._look_at_disk(sample.machine.disk)
        if sample.number <= _FIRST_SAMPLES:
            return
        self._calm = 0 if sample.lag_s > LAG_S else self._calm + 1
        if sample.lag_s > LAG_S:
            cause = Said(
                "The event loop of this app was held up for {seconds} s.",
                seconds=f"{sample.lag_s:.1f}",
            )
            self._incidents.notice("loop_lag", "app", severity="warning", cause=cause)
        elif self._calm >= _CALM_SAMPLES:
            self._incidents.over("loop_lag", "app")

    def _look_at_disk(self, disk: Disk | None) -> None:
        if disk is None:
            return
        low = disk.free_bytes < _DISK_LOW and disk.free_bytes < disk.total_bytes * _DISK_SHARE
        if not (low or disk.free_bytes < _DISK_FULL):
            self._incidents.over("disk_low", "disk")
            return
        cause = Said(
            "{free} GB of {total} GB are free where pictures are kept.",
            free=f"{disk.free_bytes / _GIB:.1f}",
            total=f"{disk.total_bytes / _GIB:.0f}",
        )
        severity = "error" if disk.free_bytes < _DISK_FULL else "warning"
        known = self._incidents.find("disk_low", "disk")
        if known is None or known.severity != severity:  # not anew for every megabyte
            self._incidents.ensure("disk_low", "disk", severity=severity, cause=cause)
