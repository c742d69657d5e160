"""The state machine of jobs, and what the end of an attempt means for its job."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app import errors
from app.config import RetrySettings
from app.errors import BackendError, OrchestratorError
from app.models import AttemptState, Fallback, Job, JobFailure, JobState, JobTerms
from app.outcomes import Ending, failure_of, pause_s
from app.policy import POLICIES, policy_of
from tests.support.values import NOW, a_job, a_request, an_attempt, an_image

RETRY = RetrySettings(max_attempts=3, backoff_s=2, backoff_max_s=60, max_losses=3)
ALLOWED = {
    ("created", "queued"),
    ("created", "cancelled"),
    ("queued", "running"),
    ("queued", "cancelled"),
    ("queued", "failed"),
    ("running", "created"),
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
    number = job.attempts if job.state is JobState.RUNNING else job.attempts + 1
    attempt = an_attempt(job, number=number, accepted_at=NOW if accepted else None)
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
        (2, YES, NO, "created", "lost", 3, 0),
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
    assert change.job.lost_on == (("gpu-1",) if lost > losses else ())
    if state == "created":
        assert change.job.failure is not None
        assert change.job.failure.code == "poison"
        assert change.job.failure.message.endswith("drew this: gpu-1 at 12:00 UTC.")


def test_a_job_under_which_two_backends_went_away_is_held_whatever_the_limit() -> None:
    earlier = an_attempt(
        a_job(), backend_id="gpu-9", state=AttemptState.LOST, accepted_at=NOW, ended_at=NOW
    )
    job = running_job(losses=1, lost_on=("gpu-9",))

    held = ending(job).lost(job, earlier=[earlier]).job

    assert (held.state, held.lost_on) == (JobState.CREATED, ("gpu-9", "gpu-1"))
    assert held.failure is not None
    assert "gpu-9 at 12:00 UTC, gpu-1 at 12:00 UTC" in held.failure.message


def test_a_backend_that_died_with_the_job_counts_as_a_loss() -> None:
    job = running_job()

    change = ending(job).failed(job, error=errors.BackendDiedError("It went away."))

    assert (change.job.state, change.job.losses, change.job.attempts) == (JobState.QUEUED, 1, 0)


def test_what_only_waited_at_a_backend_that_went_away_is_not_suspect() -> None:
    job = a_job(ahead_on="gpu-1")

    change = ending(job).lost(job)

    assert (change.job.state, change.job.losses, change.job.ahead_on) == (JobState.QUEUED, 0, None)
    assert change.attempt is not None
    assert change.attempt.state is AttemptState.LOST


@pytest.mark.parametrize(
    ("kind", "before", "failed_on"),
    [
        (errors.NodeFailedError, None, ("gpu-1",)),
        (errors.BadOutputError, None, ("gpu-1",)),
        (errors.DiskFullError, None, ("gpu-1",)),
        (errors.BackendUnreachableError, None, ()),
        (errors.NotSentError, None, ()),
        (errors.OutOfMemoryError, None, ()),
        (errors.OutOfMemoryError, "out_of_memory", ("gpu-1",)),
        (errors.OutOfMemoryError, "node_failed", ()),
    ],
)
def test_where_a_job_is_tried_again(
    kind: type[OrchestratorError], before: str | None, failed_on: tuple[str, ...]
) -> None:
    earlier = JobFailure(code=before, message="Earlier.") if before else None
    job = running_job(failure=earlier, request=a_request(target="auto"))

    again = ending(job).failed(job, error=kind("It broke.")).job

    assert (again.state, again.failed_on, again.backend_id) == (JobState.QUEUED, failed_on, "gpu-1")


@pytest.mark.parametrize("kind", [errors.MissingCapabilityError, errors.CorruptModelError])
def test_what_can_only_help_elsewhere_is_tried_if_the_job_may_go_there(
    kind: type[OrchestratorError],
) -> None:
    error = kind("It is not there.")
    named, free = running_job(), running_job(request=a_request(target="auto"))
    loose = running_job(terms=JobTerms(fallback=Fallback.AUTO))

    states = [ending(each).failed(each, error=error).job.state for each in (named, free, loose)]

    assert states == [JobState.FAILED, JobState.QUEUED, JobState.QUEUED]


def test_every_error_of_a_backend_has_its_row() -> None:
    def below(kind: type[BackendError]) -> set[type[BackendError]]:
        return {kind}.union(*(below(each) for each in kind.__subclasses__()))

    ours = {each for each in below(errors.BackendError) if each.__module__ == errors.__name__}
    assert ours - set(POLICIES) == set()
    assert all(policy_of(_made(kind)) is row for kind, row in POLICIES.items())


def _made(kind: type[BackendError]) -> BackendError:
    if kind is errors.BusyError:
        return errors.BusyError("It broke.", wait_s=1)
    return kind("It broke.")


def test_a_job_that_was_sent_ahead_is_counted_when_it_begins() -> None:
    job = a_job(ahead_on="gpu-1", attempts=1)

    begun = ending(job).begun(job).job
    refused = ending(job).failed(job, error=errors.PromptRejectedError("No.")).job
    unsent = ending(job).failed(job, error=errors.NotSentError("Gone.")).job
    taken_back = ending(job).recalled(job, note="Paused").job
    done = ending(job).done(job, images=[an_image()]).job

    assert (begun.state, begun.attempts, begun.started_at) == (JobState.RUNNING, 2, NOW)
    assert (refused.state, refused.attempts) == (JobState.FAILED, 2)
    assert (unsent.state, unsent.attempts) == (JobState.QUEUED, 1)
    assert (taken_back.state, taken_back.attempts) == (JobState.QUEUED, 1)
    assert (done.state, done.attempts) == (JobState.DONE, 2)
    everything = (begun, refused, unsent, taken_back, done)
    assert {(each.ahead_on, each.version) for each in everything} == {(None, 2)}


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
