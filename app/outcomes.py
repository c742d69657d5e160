"""What the end of an attempt means for its job: pure, one function for each way to end."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from app.config import RetrySettings
from app.errors import BackendError, LostError, NotSentError, OrchestratorError
from app.models import AUTO, Attempt, AttemptState, Fallback, Image, Job, JobFailure, JobState
from app.policy import Again, Policy, policy_of
from app.ports import JobChange
from app.said import Said, listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """An attempt that has ended now."""

    attempt: Attempt
    now: datetime
    retry: RetrySettings

    def done(self, job: Job, *, images: Sequence[Image], notices: Sequence[str] = ()) -> JobChange:
        """The pictures are here. A cancel that came too late changes nothing: they are kept."""
        finished = self._begun(job).to(
            JobState.DONE,
            finished_at=self.now,
            failure=None,
            cancel_requested=False,
            notices=(*job.notices, *notices),
        )
        pictures = "1 picture" if len(images) == 1 else f"{len(images)} pictures"
        return JobChange(
            job=finished,
            attempt=self._ended(AttemptState.DONE),
            images=images,
            note=f"Done: {pictures}",
        )

    def failed(self, job: Job, *, error: OrchestratorError) -> JobChange:
        """Queued again where that may help, else failed."""
        policy = policy_of(error)
        if policy.lost:
            return self.lost(job)
        unsent = isinstance(error, NotSentError)
        failure = failure_of(error)
        attempt = self._ended(AttemptState.UNSENT if unsent else AttemptState.FAILED, failure)
        if job.cancel_requested:
            return self._cancel(job, attempt, note="Cancelled")
        attempts = self.attempt.number if policy.counts else self.attempt.number - 1
        if not self.again(job, policy) or attempts >= job.max_attempts:
            ended = job.to(
                JobState.FAILED,
                attempts=attempts,
                failure=failure,
                finished_at=self.now,
                ahead_on=None,
            )
            return JobChange(job=ended, attempt=attempt, note=f"Failed: {error.message}")
        pause = pause_s(self.retry, attempts=max(1, attempts))
        waits = self._queued(
            job,
            attempts=attempts,
            failure=failure,
            backend_id=self.attempt.backend_id,
            failed_on=self._failed_on(job, policy, failure),
            not_before=self.now + timedelta(seconds=pause),
        )
        note = f"{error.message} Tries again in {pause:.0f} s"
        return JobChange(job=waits, attempt=attempt, note=note)

    def again(self, job: Job, policy: Policy) -> bool:
        """Whether trying the job again may help, the number of attempts aside."""
        if policy.again is Again.ELSEWHERE_ONLY:
            return job.request.target == AUTO or job.terms.fallback is Fallback.AUTO
        return policy.again is not Again.NEVER

    def lost(self, job: Job, *, earlier: Sequence[Attempt] = ()) -> JobChange:
        """The backend knows nothing of it: sent again, unless backends die of it."""
        attempt = self._ended(AttemptState.LOST)
        if job.cancel_requested:
            return self._cancel(
                job, replace(attempt, state=AttemptState.CANCELLED), note="Cancelled"
            )
        attempts = self.attempt.number - 1  # a recovery is not the job's fault
        # One that only waited there has nothing to do with what happened.
        if self.attempt.accepted_at is None or job.state is not JobState.RUNNING:
            waits = self._queued(job, attempts=attempts, failure=None)
            note = f"{self.attempt.backend_id} never drew it; queued again"
            return JobChange(job=waits, attempt=attempt, note=note)
        suspect: dict[str, Any] = {
            "attempts": attempts,
            "losses": job.losses + 1,
            "lost_on": (*job.lost_on, self.attempt.backend_id),
        }
        if suspect["losses"] >= self.retry.max_losses or len(set(suspect["lost_on"])) > 1:
            failure = failure_of(
                _poison([*(each for each in earlier if each.id != attempt.id), attempt])
            )
            held = job.to(JobState.CREATED, failure=failure, **suspect)
            note = f"Held: {failure.message}"
            return JobChange(job=held, attempt=attempt, note=note, event="job.held")
        waits = self._queued(job, failure=None, **suspect)
        note = f"{self.attempt.backend_id} lost it; queued again"
        return JobChange(job=waits, attempt=attempt, note=note)

    def cancelled(self, job: Job, *, note: str) -> JobChange:
        """Stopped, by the user here or by somebody at the backend."""
        return self._cancel(job, self._ended(AttemptState.CANCELLED), note=note)

    def recalled(self, job: Job, *, note: str) -> JobChange:
        """Taken back from its backend before it was drawn there: it waits as before."""
        if job.cancel_requested:
            return self.cancelled(job, note="Cancelled")
        waits = self._queued(job, attempts=self.attempt.number - 1)
        attempt = self._ended(AttemptState.CANCELLED)
        return JobChange(job=waits, attempt=attempt, note=note, event="job.recalled")

    def begun(self, job: Job) -> JobChange:
        """The backend has begun what was sent ahead."""
        running = self._begun(job)
        note = _begin_note(job, self.attempt)
        return JobChange(job=replace(running, version=job.version + 1), note=note, hint=True)

    def _begun(self, job: Job) -> Job:
        """The job as running: a very short run may end before we hear of its start."""
        if job.state is not JobState.QUEUED:
            return job
        running = job.to(
            JobState.RUNNING,
            backend_id=self.attempt.backend_id,
            ahead_on=None,
            attempts=self.attempt.number,
            started_at=self.now,
            finished_at=None,
        )
        return replace(running, version=job.version)

    def _queued(self, job: Job, **changes: Any) -> Job:
        if job.state is JobState.QUEUED:
            return job.changed(ahead_on=None, **changes)
        return job.to(JobState.QUEUED, ahead_on=None, **changes)

    def _failed_on(self, job: Job, policy: Policy, failure: JobFailure) -> tuple[str, ...]:
        here = self.attempt.backend_id
        same = job.failure is not None and job.failure.code == failure.code
        stays = policy.again is Again.ANYWHERE or (
            policy.again is Again.ONCE_MORE_HERE and not same
        )
        return job.failed_on if stays or here in job.failed_on else (*job.failed_on, here)

    def _cancel(self, job: Job, attempt: Attempt, *, note: str) -> JobChange:
        ended = job.to(JobState.CANCELLED, finished_at=self.now, failure=None, ahead_on=None)
        return JobChange(job=ended, attempt=attempt, note=note)

    def _ended(self, state: AttemptState, failure: JobFailure | None = None) -> Attempt:
        return replace(self.attempt, state=state, ended_at=self.now, failure=failure)


def failure_of(error: OrchestratorError) -> JobFailure:
    """An error as it is kept with a job."""
    node_id = error.node_id if isinstance(error, BackendError) else None
    return JobFailure(code=error.code, message=error.message, fix=error.fix, node_id=node_id)


def pause_s(retry: RetrySettings, *, attempts: int) -> float:
    """How long to wait after that many failed attempts: doubling, with up to half as jitter."""
    doubled = retry.backoff_s * 2 ** (attempts - 1)
    jitter = 1 + random.random() / 2  # noqa: S311 - spreads retries, guards nothing
    return min(retry.backoff_max_s, doubled * jitter)


def _begin_note(job: Job, attempt: Attempt) -> str:
    return f"Attempt {attempt.number} of {job.max_attempts} on {attempt.backend_id}"


def _poison(attempts: Sequence[Attempt]) -> LostError:
    """Which backends went away under it, and when."""
    lost = [each for each in attempts if each.state is AttemptState.LOST and each.accepted_at]
    places = [
        Said("{backend} at {time} UTC", backend=each.backend_id, time=f"{each.ended_at:%H:%M}")
        for each in lost
    ]
    where = listed(places)
    return LostError(
        Said("Backends went away while they drew this: {where}.", where=where),
        fix=Said("Does it crash them? Look at their logs. Run gives it another chance."),
    )
