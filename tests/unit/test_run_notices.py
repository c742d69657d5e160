"""What a run was changed by, and what is missing of it, stays with its job."""

from pathlib import Path

from app.models import JobState
from app.runs import Accepted, RunSucceeded
from tests.support.fakes import FakeBackend, info, output
from tests.support.running import running, submit, until_job


async def test_notices_at_the_start_and_at_the_end_are_kept_in_order(home: Path) -> None:
    backend = FakeBackend(info())
    backend.answer = Accepted(notices=("Another sampler is used.",))
    async with running(home, backend) as services:
        job = await submit(services)
        prompt = await backend.next_prompt()
        prompt.push(RunSucceeded(outputs=(output(),), notices=("One branch made nothing.",)))

        done = await until_job(services, job.id, JobState.DONE)

    assert done.notices == ("Another sampler is used.", "One branch made nothing.")
