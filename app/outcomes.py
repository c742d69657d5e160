"""What the end of an attempt means for its job: pure, one function for each way to end."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.config import RetrySettings
from app.errors import LostError, NotSentError, OrchestratorError
from app.models import Attempt, AttemptState, Image, Job, JobFailure, JobState
from app.ports import JobChange
from app.said import Said


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """An attempt that has ended now."""

    attempt: Attempt
    now: datetime
    retry: RetrySettings

    def done(self, job: Job, *, images: Sequence[Image]) -> JobChange:
        """The pictures are here. A cancel that came too late changes nothing: they are kept."""
        finished = job.to(JobState.DONE, finished_at=self.now, failure=None, cancel_requested=False)
        pictures = "1 picture" if len(images) == 1 else f"{len(images)} pictures"
        return JobChange(
            job=finished,
            attempt=self._ended(AttemptState.DONE),
            images=images,
            note=f"Done: {pictures}",
        )

    def failed(self, job: Job, *, error: OrchestratorError) -> JobChange:
        """Queued again where that may help, else failed."""
        unsent = isinstance(error, NotSentError)
        failure = failure_of(error)
        attempt = self._ended(AttemptState.UNSENT if unsent else AttemptState.FAILED, failure)
        if job.cancel_requested:
            return self._cancel(job, attempt, note="Cancelled")
        attempts = job.attempts - 1 if unsent else job.attempts
        if not error.retryable or attempts >= job.max_attempts:
            ended = job.to(JobState.FAILED, failure=failure, finished_at=self.now)
            return JobChange(job=ended, attempt=attempt, note=f"Failed: {error.message}")
        pause = pause_s(self.retry, attempts=max(1, attempts))
        again = job.to(
            JobState.QUEUED,
            attempts=attempts,
            failure=failure,
            not_before=self.now + timedelta(seconds=pause),
        )
        note = f"{error.message} Tries again in {pause:.0f} s"
        return JobChange(job=again, attempt=attempt, note=note)

    def lost(self, job: Job) -> JobChange:
        """The backend knows nothing of it: sent again, unless it lost it too often."""
        attempt = self._ended(AttemptState.LOST)
        if job.cancel_requested:
            return self._cancel(
                job, replace(attempt, state=AttemptState.CANCELLED), note="Cancelled"
            )
        losses = job.losses + (self.attempt.accepted_at is not None)
        if losses >= self.retry.max_losses:
            failure = failure_of(
                LostError(
                    Said(
                        "{backend} lost this job {n} times.",
                        backend=self.attempt.backend_id,
                        n=losses,
                    ),
                    fix=Said(
                        "Does it crash on this picture? Look at its log, or try it elsewhere."
                    ),
                )
            )
            ended = job.to(JobState.FAILED, losses=losses, failure=failure, finished_at=self.now)
            return JobChange(job=ended, attempt=attempt, note=f"Failed: {failure.message}")
        # A recovery is not the job's fault: it does not count against its attempts.
        again = job.to(
            JobState.QUEUED, losses=losses, attempts=max(0, job.attempts - 1), failure=None
        )
        note = f"{self.attempt.backend_id} never drew it; queued again"
        return JobChange(job=again, attempt=attempt, note=note)

    def cancelled(self, job: Job, *, note: str) -> JobChange:
        """Stopped, by the user here or by somebody at the backend."""
        return self._cancel(job, self._ended(AttemptState.CANCELLED), note=note)

    def _cancel(self, job: Job, attempt: Attempt, *, note: str) -> JobChange:
        ended = job.to(JobState.CANCELLED, finished_at=self.now, failure=None)
        return JobChange(job=ended, attempt=attempt, note=note)

    def _ended(self, state: AttemptState, failure: JobFailure | None = None) -> Attempt:
        return replace(self.attempt, state=state, ended_at=self.now, failure=failure)


def failure_of(error: OrchestratorError) -> JobFailure:
    """An error as it is kept with a job."""
    return JobFailure(code=error.code, message=error.message, fix=error.fix)


def pause_s(retry: RetrySettings, *, attempts: int) -> float:
    """How long to wait after that many failed attempts: doubling, with up to half as jitter."""
    doubled = retry.backoff_s * 2 ** (attempts - 1)
    jitter = 1 + random.random() / 2  # noqa: S311 - spreads retries, guards nothing
    return min(retry.backoff_max_s, doubled * jitter)
