"""What the end of an attempt means for its backend: trust, quarantine, and what is learned."""

import logging
from dataclasses import dataclass
from datetime import datetime

from app.errors import BackendError, ConflictError, CorruptModelError, OrchestratorError
from app.estimates import Estimates
from app.health import Evidence, Health
from app.matching import files_of, workflow_of
from app.models import Attempt, Job
from app.policy import policy_of
from app.ports import Clock
from app.runs import Backend
from app.slots import Slots

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Consequences:
    """Draws them."""

    health: Health
    estimates: Estimates
    slots: Slots
    clock: Clock

    async def succeeded(
        self, job: Job, attempt: Attempt, *, began: datetime | None, ended: datetime
    ) -> None:
        """It ran well; `began` is None if it was not watched from start to end."""
        backend_id = attempt.backend_id
        self.health.worked(backend_id, workflow_of(job.request))
        work = self.slots.work(backend_id, job.id)
        if began is None or work is None:
            return
        await self.estimates.learn(
            job.request,
            backend_id,
            seconds=(ended - began).total_seconds(),
            model=work.model,
            warm=work.warm,
        )

    async def failed(self, job: Job, attempt: Attempt, error: OrchestratorError) -> None:
        """It ended with an error."""
        policy, backend_id = policy_of(error), attempt.backend_id
        if policy.backend_fault:
            self.health.faulted(backend_id, error.message)
        elif isinstance(error, BackendError):
            self.health.worked(backend_id)  # it answered
        evidence = Evidence(job_id=job.id, at=self.clock.now(), message=error.message)
        workflow = workflow_of(job.request)
        if policy.quarantine == "workflow":
            await self.health.workflow_failed(
                backend_id, workflow, evidence=evidence, code=error.code
            )
        if policy.quarantine == "model" and (model := self._model_of(job, attempt, error)):
            await self.health.quarantine(
                "model",
                model,
                backend_id=backend_id,
                code=error.code,
                reason=error.message,
                because=[evidence],
            )

    def lost(self, attempt: Attempt, reason: str) -> None:
        """The backend forgot what it had accepted."""
        self.slots.unloaded(attempt.backend_id)
        if attempt.accepted_at is not None:
            self.health.faulted(attempt.backend_id, reason)

    async def free(self, backend: Backend) -> None:
        """Have it free its memory, if it can."""
        self.slots.unloaded(backend.info.id)
        try:
            await backend.free()
        except (BackendError, ConflictError) as exc:
            log.warning("The memory of %s could not be freed: %s", backend.info.id, exc)

    def _model_of(self, job: Job, attempt: Attempt, error: OrchestratorError) -> str | None:
        if isinstance(error, CorruptModelError) and error.model:
            return error.model
        work = self.slots.work(attempt.backend_id, job.id)
        if work is not None and work.model:
            return work.model
        return next(iter(files_of(job.request)), None)
