"""The dashboard and the shell around it, without a browser."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from nicegui import ui
from nicegui.testing import User
from nicegui.testing.user_interaction import UserInteraction
from nicegui.testing.user_simulation import user_simulation

from app.errors import PromptRejectedError
from app.events import JobChanged
from app.ids import new_id
from app.models import Job, JobState
from app.runs import RunFailed
from app.services import Services
from components.feed import Batch
from components.generation_form.button import GenerateButton
from components.job_feed import JobFeed
from components.notify import Toast
from components.queue_board import QueueBoard
from components.status_bar import StatusBar
from pages.shell import build_root
from tests.support.fakes import FakeBackend, info
from tests.support.running import running, submit, until_job
from tests.support.visitor import (
    browsing,
    click,
    fill,
    jobs_of,
    messages,
    part,
    until,
    until_jobs,
)


@pytest.fixture
def backend() -> FakeBackend:
    """The machine of these tests; its prompts wait until a test ends them."""
    return FakeBackend(info())


@pytest.fixture
async def services(home: Path, backend: FakeBackend) -> AsyncIterator[Services]:
    """The running core."""
    async with running(home, backend) as core:
        yield core


def act(user: User, verb: str, job: Job | None = None, **more: Any) -> None:
    """Do something on the queue board."""
    args = {"verb": verb, "id": str(job.id) if job else None, **more}
    user.find(QueueBoard).trigger("action", args)


def feeds() -> set[str]:
    """The page tasks that are alive."""
    return {t.get_name() for t in asyncio.all_tasks()} & {"job feed", "recent results feed"}


async def test_generate_submits_what_the_form_holds(services: Services) -> None:
    async with browsing(services) as user:
        fill(user, where_select="gpu-1", prompt_input="a red fox", negative_prompt_input="snow")
        fill(user, width_input=640, height_input=960, steps_input=12, cfg_input=4.5)
        fill(user, count_input=2, priority_select=10, hold_toggle=True)
        click(user, "generate-button")
        jobs = await until_jobs(services, lambda jobs: len(jobs) == 2)

    for job in jobs:
        assert job.status is JobState.CREATED
        assert (job.priority, job.backend) == (10, "gpu-1")
        assert (job.prompt, job.negative_prompt) == ("a red fox", "snow")
        assert (job.params.width, job.params.height) == (640, 960)
        assert (job.params.steps, job.params.cfg) == (12, 4.5)


async def test_a_locked_seed_is_used_and_an_unlocked_one_is_shown_afterwards(
    services: Services,
) -> None:
    async with browsing(services) as user:
        fill(user, where_select="gpu-1", prompt_input="a red fox", seed_input="42")
        UserInteraction(user, {part(user, "seed-input")}, None).trigger("update:value", "42")
        click(user, "generate-button")
        jobs = await until_jobs(services, lambda jobs: len(jobs) == 1)
        assert jobs[0].params.seed == 42

        click(user, "seed-lock")
        click(user, "generate-button")
        jobs = await until_jobs(services, lambda jobs: len(jobs) == 2)
        drawn = next(job.params.seed for job in jobs if job.params.seed != 42)
        await until(lambda: part(user, "seed-input").value == str(drawn))


async def test_mistakes_stand_beside_their_fields_and_nothing_is_created(
    services: Services,
) -> None:
    async with browsing(services) as user:
        fill(user, prompt_input="  ", width_input=333, steps_input=0, count_input=None)
        click(user, "generate-button")
        await until(lambda: part(user, "error-prompt").text)

        assert part(user, "error-prompt").text.startswith("The prompt is empty.")
        assert part(user, "error-width").text == "Use a multiple of 8."
        assert part(user, "error-steps").text == "Use 1 or more."
        assert part(user, "error-count").text == "Enter a whole number."
        assert part(user, "error-height").text == ""

        fill(user, width_input=336)
        assert part(user, "error-width").text == ""

    assert await jobs_of(services) == []


async def test_the_limits_of_a_number_are_said_before_its_steps(services: Services) -> None:
    async with browsing(services) as user:
        fill(user, prompt_input="p" * 20_001, width_input=99_999, cfg_input=-1, steps_input=0)
        click(user, "generate-button")
        await until(lambda: part(user, "error-width").text)

        assert part(user, "error-width").text == "Use 16\u2009384 or less."
        assert part(user, "error-cfg").text == "Use 0 or more."
        assert part(user, "error-prompt").text == "Use 20\u2009000 characters or less."


async def test_what_was_typed_while_away_is_taken_up(services: Services) -> None:
    async with browsing(services) as user:
        fill(user, prompt_input="before", steps_input=20)
        typed = {"prompt-input": "while away", "steps-input": "12", "cfg-input": "", "x": "y"}
        user.find(GenerateButton).trigger("restore", {**typed, "seed-input": "7"})
        click(user, "generate-button")
        await until(lambda: part(user, "error-cfg").text)
        fill(user, cfg_input=3)
        click(user, "generate-button")
        jobs = await until_jobs(services, lambda jobs: len(jobs) == 1)

    assert jobs[0].prompt == "while away"
    assert (jobs[0].params.steps, jobs[0].params.cfg, jobs[0].params.seed) == (12, 3, 7)


async def test_the_button_counts_the_pictures_it_makes(services: Services) -> None:
    async with browsing(services) as user:
        fill(user, count_input=4)
        await user.should_see("Generate 4 pictures")


async def test_the_form_is_as_it_was_after_a_reload(services: Services) -> None:
    async with browsing(services) as user:
        fill(user, prompt_input="ten\nlines", steps_input=33)
        await user.open("/")
        saved = part(user, "prompt-input").value
        steps = part(user, "steps-input").value

    assert (saved, steps) == ("ten\nlines", 33)


@pytest.mark.parametrize(
    ("choice", "seed", "prompt"),
    [("all", "7", "a red fox"), ("prompt", "", "a red fox"), ("seed", "7", "")],
)
async def test_settings_of_a_picture_fill_the_form(
    services: Services, backend: FakeBackend, choice: str, seed: str, prompt: str
) -> None:
    job = await submit(services, "a red fox", params={"seed": 7})
    (await backend.next_prompt()).succeed()
    await until_job(services, job.id)
    view = await services.jobs.detail(job.id)
    assert view.result
    image_id = view.result.images[0].id

    async with browsing(services, f"/?use={image_id}&part={choice}") as user:
        said = messages(user)
        await until(lambda: said)

        assert part(user, "seed-input").value == seed
        assert part(user, "prompt-input").value == prompt


async def test_the_board_runs_cancels_and_retries(services: Services, backend: FakeBackend) -> None:
    held = await submit(services, "held", hold=True)
    async with browsing(services) as user:
        act(user, "run", held)
        await backend.next_prompt()
        act(user, "cancel", held)
        await until_job(services, held.id, JobState.CANCELLED)
        act(user, "retry", held)
        await backend.next_prompt()

    assert (await services.jobs.get(held.id)).state is JobState.RUNNING


async def test_the_board_moves_waiting_jobs(services: Services) -> None:
    await services.jobs.pause()
    first, second = await submit(services, "first"), await submit(services, "second")
    async with browsing(services) as user:
        act(user, "move", second, before=str(first.id))
        await until_jobs(services, lambda jobs: [job.id for job in jobs] == [second.id, first.id])


async def test_the_board_pauses_clears_and_empties_the_queue(services: Services) -> None:
    async with browsing(services) as user:
        said = messages(user)
        act(user, "pause")
        await until(lambda: services.jobs.queue().paused)
        for prompt in ("one", "two"):
            await submit(services, prompt)
        act(user, "cancel_waiting")
        await until(lambda: said == [("done", "2 jobs cancelled")])
        act(user, "clear")
        await until(lambda: len(said) == 2)
        act(user, "resume")
        await until(lambda: not services.jobs.queue().paused)

    assert said[1] == ("done", "2 jobs cleared")
    assert await jobs_of(services) == []


async def test_cleared_and_removed_jobs_are_offered_back(services: Services) -> None:
    await services.jobs.pause()
    jobs = [await submit(services, prompt) for prompt in ("one", "two")]
    await services.jobs.cancel_many([job.id for job in jobs])
    async with browsing(services) as user:
        undos: list[Callable[[], Any]] = []
        toast = next(iter(user.find(Toast).elements))
        toast.show = lambda text, *, kind, undo=None: undos.append(undo)
        act(user, "clear")
        await until(lambda: len(undos) == 1)
        await undos[0]()
        assert len(await jobs_of(services)) == 2

        act(user, "remove", jobs[0])
        await until(lambda: len(undos) == 2)
        assert len(await jobs_of(services)) == 1
        await undos[1]()

    assert len(await jobs_of(services)) == 2


async def test_cancelled_waiting_jobs_come_back_in_their_order(services: Services) -> None:
    await services.jobs.pause()
    jobs = [await submit(services, prompt) for prompt in ("one", "two", "three")]
    async with browsing(services) as user:
        undos: list[Callable[[], Any]] = []
        toast = next(iter(user.find(Toast).elements))
        toast.show = lambda text, *, kind, undo=None: undos.append(undo)
        act(user, "cancel_many", ids=[str(jobs[2].id), str(jobs[0].id), str(new_id())])
        await until(lambda: undos)
        assert [job.prompt for job in await jobs_of(services)][:1] == ["two"]

        await undos[0]()

    assert [job.prompt for job in await jobs_of(services)] == ["two", "one", "three"]


async def test_held_jobs_are_not_offered_back_because_they_would_run(services: Services) -> None:
    held = await submit(services, "held", hold=True)
    async with browsing(services) as user:
        undos: list[Any] = []
        toast = next(iter(user.find(Toast).elements))
        toast.show = lambda text, *, kind, undo=None: undos.append(undo)
        act(user, "cancel_many", ids=[str(held.id)])
        await until(lambda: undos)

    assert undos == [None]


async def test_failed_jobs_are_retried_at_once_and_finished_ones_removed(
    services: Services, backend: FakeBackend
) -> None:
    jobs = [await submit(services, prompt) for prompt in ("one", "two")]
    for _ in jobs:
        (await backend.next_prompt()).push(RunFailed(error=PromptRejectedError("It will not.")))
    for job in jobs:
        await until_job(services, job.id, JobState.FAILED)
    async with browsing(services) as user:
        said = messages(user)
        await services.jobs.pause()
        act(user, "retry_failed")
        await until(lambda: said == [("done", "2 jobs queued again")])
        act(user, "cancel_many", ids=[str(job.id) for job in jobs])
        await until(lambda: len(said) == 2)
        act(user, "remove_many", ids=[str(job.id) for job in jobs])
        await until(lambda: len(said) == 3)

    assert said[2] == ("done", "2 jobs cleared")
    assert await jobs_of(services) == []


@pytest.mark.parametrize(("seconds", "told"), [(21, True), (19, False)])
async def test_the_end_of_a_job_is_told_when_it_ran_long(
    services: Services, seconds: int, told: bool
) -> None:
    job = await submit(services, "long", hold=True)
    async with browsing(services) as user:
        bar = next(iter(user.find(StatusBar).elements))
        sent: list[str] = []
        bar.run_method = lambda name, *args: sent.append(name)
        end = job.created_at + timedelta(seconds=seconds)
        ended = replace(job, state=JobState.DONE, started_at=job.created_at, finished_at=end)
        batch: Batch = {}
        bar._fold(JobChanged(job=ended), batch)
        bar._send(batch)

    assert ("ended" in sent) is told


async def test_a_page_for_a_job_that_is_gone_still_gets_the_board(services: Services) -> None:
    await submit(services, "still here", hold=True)
    async with browsing(services, f"/jobs/{UUID(int=1)}") as user:
        feed = next(iter(user.find(JobFeed).elements))
        sent: list[Any] = []
        feed.run_method = lambda name, *args: sent.append((name, *args))
        await feed._snapshot()

    assert [job["prompt"] for job in sent[0][1]["jobs"]] == ["still here"]


async def test_what_cannot_be_done_is_said(services: Services) -> None:
    async with browsing(services) as user:
        said = messages(user)
        user.find(QueueBoard).trigger("action", {"verb": "cancel", "id": str(new_id())})
        await until(lambda: said)

    assert said[0][0] == "error"
    assert "There is no job" in said[0][1]


async def test_leaving_the_dashboard_ends_what_it_listens_to(services: Services) -> None:
    async with browsing(services) as user:
        assert feeds() == {"job feed", "recent results feed"}

        assert user.client
        with user.client:
            ui.navigate.to("/canvas")
        await until(lambda: not feeds())


async def test_a_path_that_leads_nowhere_shows_so_and_starts_nothing(services: Services) -> None:
    async with user_simulation(root=build_root(services)) as user:
        response = await user.http_client.get("/nowhere")

        assert response.status_code == 404
        assert "There is no page at /nowhere." in response.text
        assert "Not found – Orchestrator" in response.text
        assert "aria-current" not in response.text
        assert feeds() == set()


async def test_a_link_to_a_job_opens_its_card(services: Services) -> None:
    job = await submit(services)
    async with browsing(services, f"/jobs/{job.id}") as user:
        board = next(iter(user.find(QueueBoard).elements))

        assert board.props["expanded"] == str(job.id)


@pytest.mark.parametrize("job_id", ["nonsense", str(UUID(int=1))])
async def test_a_link_to_no_job_says_so(services: Services, job_id: str) -> None:
    async with browsing(services) as user:
        said = messages(user)
        assert user.client
        with user.client:
            ui.navigate.to(f"/jobs/{job_id}")
        await until(lambda: said)

    assert said[0][0] == "error"


async def test_a_russian_browser_gets_russian(services: Services) -> None:
    async with browsing(services, language="ru-RU,ru;q=0.9") as user:
        fill(user, count_input=4)

        await user.should_see("Создать 4 изображения")
        assert next(iter(user.find(QueueBoard).elements)).props["texts"]["Queue"] == "Очередь"


async def test_the_page_stays_small(services: Services) -> None:
    async with browsing(services) as user:
        assert user.client
        assert len(user.client.elements) < 300


async def test_the_theme_goes_round_and_is_remembered(services: Services) -> None:
    async with browsing(services) as user:
        click(user, "theme-toggle")
        assert part(user, "theme-toggle").props["title"] == "Theme: dark"

        await user.open("/")
        assert part(user, "theme-toggle").props["title"] == "Theme: dark"


async def test_a_backend_that_goes_is_shown_as_offline(
    services: Services, backend: FakeBackend
) -> None:
    async with browsing(services) as user:
        fill(user, where_select="gpu-1")
        assert part(user, "backend-state").text == "Online"

        backend.becomes(online=False, last_error="It was switched off.")
        await until(lambda: part(user, "backend-state").text == "It was switched off.")
