"""The state machine of jobs, and what the end of an attempt means for its job."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app import errors
from app.config import RetrySettings
from app.errors import OrchestratorError
from app.models import AttemptState, Job, JobState
from app.outcomes import Ending, failure_of, pause_s
from tests.support.values import NOW, a_job, an_attempt, an_image

RETRY = RetrySettings(max_attempts=3, backoff_s=2, backoff_max_s=60, max_losses=3)
ALLOWED = {
    ("created", "queued"),
    ("created", "cancelled"),
    ("queued", "running"),
    ("queued", "cancelled"),
    ("queued", "failed"),
    ("running", "queued"),
    ("running", "done"),
    ("running", "failed"),
    ("running", "cancelled"),
    ("failed", "queued"),
    ("cancelled", "queued"),
}
PAIRS = [(old, new) for old in JobState for new in JobState]
PERMITTED = [pair for pair in PAIRS if (pair[0].value, pair[1].value) in ALLOWED]
FORBIDDEN = [pair for pair in PAIRS if pair not in PERMITTED]


def running_job(**changes: object) -> Job:
    """A job in its first attempt."""
    return a_job(state=JobState.RUNNING, **{"attempts": 1, "backend_id": "gpu-1", **changes})


def ending(job: Job, *, accepted: bool = True) -> Ending:
    """Its attempt ends now."""
    attempt = an_attempt(job, accepted_at=NOW if accepted else None)
    return Ending(attempt=attempt, now=NOW, retry=RETRY)


@pytest.mark.parametrize(("old", "new"), PERMITTED)
def test_a_step_of_the_state_machine_makes_the_next_version(old: JobState, new: JobState) -> None:
    job = a_job(state=old, version=7)

    moved = job.to(new, backend_id="gpu-9")

    assert (moved.state, moved.version, moved.backend_id) == (new, 8, "gpu-9")
    assert (job.state, job.version) == (old, 7)


@pytest.mark.parametrize(("old", "new"), FORBIDDEN)
def test_every_other_step_is_refused(old: JobState, new: JobState) -> None:
    with pytest.raises(ValueError, match=f"from {old} to {new}"):
        a_job(state=old).to(new)


def test_final_states_are_those_that_only_a_retry_leaves() -> None:
    assert {state for state in JobState if state.is_terminal} == {
        JobState.DONE,
        JobState.FAILED,
        JobState.CANCELLED,
    }


NO = False
YES = True


@pytest.mark.parametrize(
    ("kind", "attempts", "cancelled", "state", "attempt_state", "counted"),
    [
        (errors.NodeFailedError, 1, NO, "queued", "failed", 1),
        (errors.NodeFailedError, 2, NO, "queued", "failed", 2),
        (errors.NodeFailedError, 3, NO, "failed", "failed", 3),
        (errors.NodeFailedError, 1, YES, "cancelled", "failed", 1),
        (errors.OutOfMemoryError, 1, NO, "queued", "failed", 1),
        (errors.BadOutputError, 2, NO, "queued", "failed", 2),
        (errors.BackendUnreachableError, 1, NO, "queued", "failed", 1),
        (errors.BackendUnreachableError, 3, NO, "failed", "failed", 3),
        (errors.NotSentError, 1, NO, "queued", "unsent", 0),
        (errors.NotSentError, 3, NO, "queued", "unsent", 2),
        (errors.NotSentError, 1, YES, "cancelled", "unsent", 1),
        (errors.PromptRejectedError, 1, NO, "failed", "failed", 1),
        (errors.PromptRejectedError, 1, YES, "cancelled", "failed", 1),
        (errors.MissingCapabilityError, 1, NO, "failed", "failed", 1),
        (errors.StorageError, 1, NO, "failed", "failed", 1),
        (errors.OrchestratorError, 1, NO, "failed", "failed", 1),
    ],
)
def test_what_an_error_means(
    kind: type[OrchestratorError],
    attempts: int,
    cancelled: bool,
    state: str,
    attempt_state: str,
    counted: int,
) -> None:
    job = running_job(attempts=attempts, cancel_requested=cancelled)

    change = ending(job).failed(job, error=kind("It broke.", fix="Mend it."))

    assert change.job.state == state
    assert change.job.attempts == counted
    assert change.attempt is not None
    assert change.attempt.state == attempt_state
    assert change.attempt.ended_at == NOW
    assert change.job.version == job.version + 1


def test_a_retry_waits_and_keeps_the_cause() -> None:
    job = running_job()

    again = ending(job).failed(job, error=errors.NodeFailedError("It broke.", fix="Mend it.")).job

    assert again.not_before is not None
    assert NOW + timedelta(seconds=2) <= again.not_before <= NOW + timedelta(seconds=3)
    assert again.failure == failure_of(errors.NodeFailedError("It broke.", fix="Mend it."))
    assert again.finished_at is None


def test_a_failed_job_says_when_and_why() -> None:
    job = running_job(attempts=3)

    failed = ending(job).failed(job, error=errors.NodeFailedError("It broke.")).job

    assert failed.finished_at == NOW
    assert failed.failure is not None
    assert (failed.failure.code, failed.failure.message) == ("node_failed", "It broke.")


@pytest.mark.parametrize(
    ("losses", "accepted", "cancelled", "state", "attempt_state", "lost", "attempts"),
    [
        (0, YES, NO, "queued", "lost", 1, 0),
        (1, YES, NO, "queued", "lost", 2, 0),
        (2, YES, NO, "failed", "lost", 3, 1),
        (0, NO, NO, "queued", "lost", 0, 0),
        (2, NO, NO, "queued", "lost", 2, 0),
        (0, YES, YES, "cancelled", "cancelled", 0, 1),
        (2, YES, YES, "cancelled", "cancelled", 2, 1),
    ],
)
def test_what_a_loss_means(
    losses: int,
    accepted: bool,
    cancelled: bool,
    state: str,
    attempt_state: str,
    lost: int,
    attempts: int,
) -> None:
    job = running_job(losses=losses, cancel_requested=cancelled)

    change = ending(job, accepted=accepted).lost(job)

    assert (change.job.state, change.job.losses, change.job.attempts) == (state, lost, attempts)
    assert change.attempt is not None
    assert change.attempt.state == attempt_state
    if state == "failed":
        assert change.job.failure is not None
        assert change.job.failure.code == "poison"


def test_a_done_job_keeps_its_pictures_even_if_a_cancel_came_too_late() -> None:
    job = running_job(cancel_requested=True)
    image = an_image()

    change = ending(job).done(job, images=[image])

    assert change.job.state is JobState.DONE
    assert not change.job.cancel_requested
    assert change.job.finished_at == NOW
    assert change.images == [image]
    assert change.attempt is not None
    assert change.attempt.state is AttemptState.DONE


def test_a_cancelled_job_has_no_failure() -> None:
    job = replace(running_job(), failure=failure_of(errors.NodeFailedError("Earlier.")))

    change = ending(job).cancelled(job, note="Stopped")

    assert (change.job.state, change.job.failure) == (JobState.CANCELLED, None)
    assert change.note == "Stopped"


@pytest.mark.parametrize(("attempts", "low", "high"), [(1, 2, 3), (2, 4, 6), (3, 8, 12)])
def test_pauses_double_with_up_to_half_as_jitter(attempts: int, low: float, high: float) -> None:
    pauses = [pause_s(RETRY, attempts=attempts) for _ in range(200)]

    assert low <= min(pauses) < max(pauses) <= high


def test_pauses_have_a_ceiling() -> None:
    assert pause_s(RETRY, attempts=10) == RETRY.backoff_max_s
