"""Test runs: what is queued, which seeds come next, and what the graph is told."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from app.drawing.diagram import Diagram, Mode, Parameter
from app.errors import InvalidRequestError, UnknownBackendError
from app.events import JobChanged, JobNodesProgressed
from app.ids import new_id
from app.models import Job, JobFailure, JobState, NodeProgress, ShownFile
from app.services import Services
from app.trial import NewSeed, Sample, Trial, new_seeds
from tests.support import diagrams as draw
from tests.support.fakes import FakeBackend, info
from tests.support.running import running
from tests.support.values import a_job, an_image

WORKFLOW = UUID(int=7)
PROMPT = Parameter(name="prompt", node="6", input="text", type="multiline", label="Prompt")


@pytest.fixture
async def services(home: Path) -> AsyncIterator[Services]:
    """The running core, with one machine that never ends its prompts."""
    async with running(home, FakeBackend(info())) as core:
        yield core


async def started(services: Services, sample: Sample, **changes: object) -> tuple[Trial, list]:
    """A test run of text to image with a prompt in its form."""
    diagram = replace(draw.text_to_image(), parameters=(PROMPT,), **changes)
    return await services.trials.start(WORKFLOW, diagram, schemas=draw.schemas(), sample=sample)


async def test_sample_prompt_takes_the_place_of_the_prompt_and_seeds_stay(
    services: Services,
) -> None:
    trial, _ = await started(services, Sample(prompt="a hare"))

    request = trial.job.request
    assert request.graph is not None
    assert request.graph["6"]["inputs"]["text"] == "a hare"
    assert request.prompt == "a hare"
    assert request.options == {"3.seed": 7}
    assert trial.job.source == "builder"
    assert services.trials.of(WORKFLOW) is trial


async def test_without_a_sample_the_workflow_keeps_its_prompt(services: Services) -> None:
    trial, _ = await started(services, Sample())

    assert trial.job.request.prompt == "a fox"


async def test_sample_prompt_needs_no_field_of_the_form(services: Services) -> None:
    trial, _ = await services.trials.start(
        WORKFLOW, draw.text_to_image(), schemas=draw.schemas(), sample=Sample(prompt="a hare")
    )

    assert trial.job.request.graph is not None
    assert trial.job.request.graph["6"]["inputs"]["text"] == "a hare"
    assert trial.job.request.prompt == "a hare"


async def test_chosen_output_leaves_out_what_it_does_not_need(services: Services) -> None:
    two = draw.text_to_image().root
    preview = draw.node("10", "PreviewImage")
    root = replace(two, nodes={**two.nodes, "10": preview})
    diagram = draw.relinked(replace(draw.text_to_image(), root=root), "8", 0, "10", 0)

    trial, _ = await services.trials.start(
        WORKFLOW, diagram, schemas=draw.schemas(), sample=Sample(outputs=frozenset({"10"}))
    )

    assert "10" in trial.nodes
    assert "9" not in trial.nodes


async def test_workflow_that_no_server_would_take_is_refused_with_its_node(
    services: Services,
) -> None:
    diagram = draw.unlinked(draw.text_to_image(), "8", 0)

    with pytest.raises(InvalidRequestError) as refused:
        await services.trials.start(WORKFLOW, diagram, schemas=draw.schemas(), sample=Sample())

    assert refused.value.field == "8"


async def test_empty_canvas_and_unknown_backends_are_refused(services: Services) -> None:
    with pytest.raises(InvalidRequestError, match="nothing to run"):
        await services.trials.start(WORKFLOW, Diagram(), schemas=draw.schemas(), sample=Sample())
    with pytest.raises(UnknownBackendError):
        await started(services, Sample(backend="gpu-9"))


@pytest.mark.parametrize(
    ("control", "now", "following"),
    [
        ("increment", 7, 8),
        ("decrement", 7, 6),
        ("decrement", 0, 2**64 - 1),
        ("increment", 2**64 - 1, 0),
        ("fixed", 7, None),
        ("nonsense", 7, None),
    ],
)
def test_seed_after_a_run_follows_its_control(
    control: str, now: int, following: int | None
) -> None:
    diagram = draw.valued(draw.text_to_image(), "3", seed=now, control_after_generate=control)

    found = new_seeds(diagram, schemas=draw.schemas(), ran=["3", "4"])

    expected = [] if following is None else [following]
    assert [each.value for each in found] == expected


def test_randomized_seed_is_another_one_that_browsers_can_hold() -> None:
    diagram = draw.valued(draw.text_to_image(), "3", control_after_generate="randomize")

    (found,) = new_seeds(diagram, schemas=draw.schemas(), ran=["3"])

    assert found == NewSeed(level="", node="3", name="seed", value=found.value)
    assert 0 <= found.value < 2**53


def test_nodes_that_did_not_run_keep_their_seeds() -> None:
    diagram = draw.valued(draw.text_to_image(), "3", control_after_generate="increment")

    assert new_seeds(diagram, schemas=draw.schemas(), ran=["4"]) == []
    muted = draw.changed(diagram, "3", mode=Mode.MUTED)
    assert new_seeds(muted, schemas=draw.schemas(), ran=["3"]) == []


def a_trial(job: Job) -> Trial:
    """A run of two nodes."""
    waiting = NodeProgress(state="waiting")
    return Trial(job=job, nodes={"3": waiting, "9": waiting})


def test_running_node_shows_how_far_it_is_and_its_preview() -> None:
    trial = a_trial(a_job(state=JobState.RUNNING))
    told = {"3": NodeProgress(state="running", value=4, max=20)}

    heard = trial.hear(
        JobNodesProgressed(job_id=trial.job.id, nodes=told, preview_rev=2, preview_node="3")
    )

    nodes = trial.view(say=str)["nodes"]
    assert heard
    assert nodes["9"] == {"state": "waiting", "value": 0, "max": 0}
    assert nodes["3"]["value"] == 4
    assert nodes["3"]["previewUrl"] == f"/api/jobs/{trial.job.id}/preview?rev=2"


def test_done_run_has_its_pictures_on_the_nodes_that_made_them() -> None:
    trial = a_trial(a_job(state=JobState.RUNNING))
    image = an_image(node_id="9")

    trial.hear(JobChanged(job=replace(trial.job, state=JobState.DONE), images=(image,)))

    nodes = trial.view(say=str)["nodes"]
    assert trial.is_over
    assert {each["state"] for each in nodes.values()} == {"done"}
    assert [each["id"] for each in nodes["9"]["images"]] == [str(image.id)]


def test_picture_that_is_only_shown_comes_from_its_backend_until_the_gallery_has_it() -> None:
    trial = a_trial(replace(a_job(state=JobState.RUNNING), backend_id="gpu-1"))
    shown = ShownFile(address="view?filename=a.png&type=temp", kind="image")
    told = {each: NodeProgress(state="done", shown=(shown,)) for each in ("3", "9")}
    trial.hear(JobNodesProgressed(job_id=trial.job.id, nodes=told))
    image = an_image(node_id="9")

    trial.hear(JobChanged(job=replace(trial.job, state=JobState.DONE), images=(image,)))

    nodes = trial.view(say=str)["nodes"]
    url = "/api/backends/gpu-1/comfy/view?filename=a.png&type=temp"
    assert [each["url"] for each in nodes["3"]["images"]] == [url]
    assert [each["id"] for each in nodes["9"]["images"]] == [str(image.id)]


def test_run_that_goes_elsewhere_begins_anew() -> None:
    trial = a_trial(replace(a_job(state=JobState.RUNNING), backend_id="gpu-1"))
    trial.hear(JobNodesProgressed(job_id=trial.job.id, nodes={"3": NodeProgress(state="done")}))

    trial.hear(JobChanged(job=replace(trial.job, state=JobState.QUEUED, backend_id=None)))

    assert trial.nodes["3"] == NodeProgress(state="waiting")


def test_failed_run_says_so_at_the_node_it_failed_at() -> None:
    trial = a_trial(a_job(state=JobState.RUNNING))
    failure = JobFailure(code="oom", message="Out of memory.", fix="Make it smaller.", node_id="3")

    trial.hear(JobChanged(job=replace(trial.job, state=JobState.FAILED, failure=failure)))

    nodes = trial.view(say=str)["nodes"]
    assert nodes["3"]["state"] == "failed"
    assert (nodes["3"]["error"], nodes["3"]["fix"]) == ("Out of memory.", "Make it smaller.")
    assert nodes["9"]["state"] == "waiting"


def test_other_jobs_are_none_of_its_business() -> None:
    trial = a_trial(a_job())

    assert not trial.hear(JobNodesProgressed(job_id=new_id(), nodes={}))
