"""The builder without a browser: what is drawn, checked, saved, tried and offered as a form."""

import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from nicegui.testing import User
from nicegui.testing.user_interaction import UserInteraction

from app.drawing.diagram import Diagram
from app.drawing.form.suggesting import suggest
from app.models import Catalog, Workflow
from app.services import Services
from components.builder_bar import BuilderBar, BuilderStatus
from components.generation_form.values import FormValues, fields_of, mistakes
from components.workflow_graph import WorkflowGraph
from components.workflow_library import WorkflowLibrary
from components.workflow_panel import WorkflowPanel
from tests.support import diagrams as draw
from tests.support.fakes import FakeBackend, info
from tests.support.running import running
from tests.support.visitor import browsing, click, fill, jobs_of, messages, part, until, until_jobs

CLASSES = (
    "KSampler", "CheckpointLoaderSimple", "EmptyLatentImage", "CLIPTextEncode", "VAEDecode",
    "SaveImage",
)  # fmt: skip
FILE = "tiny_sd15_random.safetensors"


def catalog() -> Catalog:
    """A machine that can run text to image, and says what its classes take."""
    entries = json.loads(gzip.decompress(draw.CATALOG.read_bytes()))
    return Catalog(
        node_classes=frozenset(CLASSES),
        models={"checkpoints": (FILE,)},
        samplers=("euler",),
        schedulers=("normal",),
        specs={name: json.dumps(entries[name]) for name in CLASSES},
    )


class KnowingBackend(FakeBackend):
    """A machine with those classes; its prompts wait until a test ends them."""

    def __init__(self) -> None:
        super().__init__(info())
        self._status = replace(self._status, catalog=catalog())


@pytest.fixture
async def services(home: Path) -> AsyncIterator[Services]:
    """The running core."""
    async with running(home, KnowingBackend()) as core:
        yield core


async def kept(services: Services, name: str = "Fox", diagram: Diagram | None = None) -> Workflow:
    """A workflow of the library, saved once."""
    first = await services.workflows.converted(diagram or draw.text_to_image())
    return await services.workflows.create(name, first=first)


def only(user: User, kind: type) -> Any:
    """The one element of that kind."""
    return next(iter(user.find(kind).elements))


def told(element: Any, name: str) -> list[Any]:
    """What a component is told by one of its methods from here on."""
    calls: list[Any] = []
    setattr(element, name, calls.append)
    return calls


def state_of(element: Any) -> dict[str, Any]:
    """All a component is told by `send` from here on, put together."""
    state: dict[str, Any] = {}
    element.send = state.update
    return state


async def drawing(user: User) -> tuple[WorkflowGraph, BuilderBar, WorkflowPanel]:
    """The parts of the page, once it is there."""
    assert user.client
    elements = user.client.elements
    await until(lambda: any(isinstance(each, BuilderStatus) for each in elements.values()))
    return only(user, WorkflowGraph), only(user, BuilderBar), only(user, WorkflowPanel)


async def test_operation_is_acknowledged_and_kept_in_the_draft(services: Services) -> None:
    made = await kept(services)
    async with browsing(services, f"/builder/{made.id}") as user:
        graph, *_ = await drawing(user)
        patches = told(graph, "send_patch")
        value = {"op": "value", "id": "3", "name": "steps", "value": 33}

        user.find(WorkflowGraph).trigger("ops", {"seq": 5, "path": "", "ops": [value]})

        assert [each["ack"] for each in patches] == [5]
        draft = await services.drafts.open(made.id)
        assert draft.diagram.root.nodes["3"].values["steps"] == 33
        assert draft.dirty


async def test_wrong_link_is_refused_with_a_sentence_and_the_whole_view(services: Services) -> None:
    made = await kept(services)
    async with browsing(services, f"/builder/{made.id}") as user:
        graph, *_ = await drawing(user)
        refusals, views = told(graph, "send_refusal"), told(graph, "send_view")
        link = {"op": "connect", "from": ["5", 0], "to": ["6", "clip"]}

        user.find(WorkflowGraph).trigger("ops", {"seq": 6, "path": "", "ops": [link]})

        assert refusals[0]["refused"] == 6
        assert "LATENT" in refusals[0]["message"]
        assert set(views[0]["nodes"]) == set(draw.text_to_image().root.nodes)


async def test_two_pages_on_one_workflow_stay_in_step(services: Services) -> None:
    made = await kept(services)
    async with browsing(services, f"/builder/{made.id}") as user:
        graph, *_ = await drawing(user)
        sent = told(graph, "send_patch")
        graph.send_view = sent.append  # whichever of the two it takes
        draft = await services.drafts.open(made.id)

        draft.apply("", [{"op": "title", "id": "3", "title": "Engine"}])

        await until(lambda: sent and "3" in sent[-1]["nodes"])
        assert sent[-1]["nodes"]["3"]["title"] == "Engine"


async def test_findings_needs_and_form_are_shown_after_a_change(services: Services) -> None:
    made = await kept(services)
    async with browsing(services, f"/builder/{made.id}") as user:
        _, _, panel = await drawing(user)
        shown = state_of(panel)
        findings = told(only(user, WorkflowGraph), "send_findings")
        value = {"op": "value", "id": "4", "name": "ckpt_name", "value": "tiny_sd15.safetensors"}

        user.find(WorkflowGraph).trigger("ops", {"seq": 1, "path": "", "ops": [value]})

        await until(lambda: findings and "4" in findings[-1])
        assert shown["needs"]["backends"][0]["ok"] is False
        assert FILE in shown["needs"]["backends"][0]["lacks"][0]["choices"]
        assert {"prompt", "seed", "steps"} <= {each["name"] for each in shown["suggested"]}


async def test_near_match_and_suggested_fields_are_taken_over(services: Services) -> None:
    made = await kept(services)
    async with browsing(services, f"/builder/{made.id}") as user:
        _, _, panel = await drawing(user)
        shown = state_of(panel)
        await until(lambda: shown.get("suggested"))
        draft = await services.drafts.open(made.id)

        user.find(WorkflowPanel).trigger("suggest", "steps")
        user.find(WorkflowPanel).trigger("pick", {"node": "3", "input": "steps", "value": 9})
        await until(lambda: shown.get("parameters"))

        assert [each["name"] for each in shown["parameters"]] == ["steps"]
        assert draft.diagram.root.nodes["3"].values["steps"] == 9


async def test_saving_makes_a_version_that_the_form_can_use(services: Services) -> None:
    made = await kept(services)
    async with browsing(services, f"/builder/{made.id}") as user:
        _, bar, panel = await drawing(user)
        state, shown = state_of(bar), state_of(panel)
        said = messages(user)
        await until(lambda: shown.get("suggested"))
        user.find(WorkflowPanel).trigger("suggest", "")

        user.find(BuilderBar).trigger("save", "With a form")

        await until(lambda: [each["number"] for each in shown["versions"]] == [2, 1])
        assert shown["versions"][0]["note"] == "With a form"
        assert ("done", "Saved as version 2") in said
        await until(lambda: state.get("version") == 2 and not state["dirty"])
        preset = services.presets.get(str(made.id))
        assert preset is not None
        assert preset.option("prompt") is not None


async def test_test_run_is_followed_node_by_node(services: Services) -> None:
    made = await kept(services)
    async with browsing(services, f"/builder/{made.id}") as user:
        graph, bar, _ = await drawing(user)
        state = state_of(bar)
        runs = told(graph, "send_run")

        user.find(BuilderBar).trigger("test", {"backend": "gpu-1", "prompt": "", "output": ""})
        await until(lambda: runs)

        assert set(runs[0]["nodes"]) == set(draw.text_to_image().root.nodes)
        user.find(BuilderBar).trigger("stop")
        await until(lambda: state["test"]["state"] == "cancelled")


async def test_workflow_that_cannot_run_says_why_and_goes_to_the_node(services: Services) -> None:
    made = await kept(services, diagram=draw.unlinked(draw.text_to_image(), "8", 0))
    async with browsing(services, f"/builder/{made.id}") as user:
        graph, *_ = await drawing(user)
        said, shown = messages(user), told(graph, "show_node")

        user.find(BuilderBar).trigger("test", {"backend": "auto"})
        await until(lambda: said)

        assert said[0][0] == "error"
        assert shown == ["8"]


async def test_old_version_comes_back_and_that_can_be_undone(services: Services) -> None:
    made = await kept(services)
    draft = await services.drafts.open(made.id)
    draft.apply("", [{"op": "remove", "ids": ["9"]}])
    async with browsing(services, f"/builder/{made.id}") as user:
        await drawing(user)

        user.find(WorkflowPanel).trigger("restore", 1)

        await until(lambda: "9" in draft.diagram.root.nodes)
        user.find(WorkflowGraph).trigger("undo")
        assert "9" not in draft.diagram.root.nodes


async def test_library_shows_where_workflows_run_and_deletes_with_undo(services: Services) -> None:
    made = await kept(services)
    async with browsing(services, "/builder") as user:
        await until(lambda: user.client and any(
            isinstance(each, WorkflowLibrary) for each in user.client.elements.values()
        ))  # fmt: skip
        library = only(user, WorkflowLibrary)
        lists = told(library, "send")
        await until(lambda: lists or not library.client.has_socket_connection)

        user.find(WorkflowLibrary).trigger("tag", {"id": str(made.id), "tags": ["fox", " "]})
        await until(lambda: lists and lists[-1][0]["tags"] == ["fox"])
        assert lists[-1][0]["runs"] == {"ok": True, "text": "GPU-1"}
        user.find(WorkflowLibrary).trigger("remove", str(made.id))

        await until(lambda: lists[-1] == [])
        assert (await services.workflows.all(deleted=True))[0].id == made.id


@pytest.mark.parametrize("path", ["nonsense", str(UUID(int=1))])
async def test_workflow_that_is_not_there_says_so(services: Services, path: str) -> None:
    async with browsing(services, f"/builder/{path}") as user:
        await user.should_see("This workflow cannot be opened")


async def test_saved_workflow_is_made_from_the_dashboard(services: Services) -> None:
    parameters = draw_form(services)
    made = await kept(services, "A <b>form</b>\" :x='1'", diagram=parameters)
    async with browsing(services) as user:
        fill(user, backend_select=str(made.id))
        fill(user, option_prompt_input="a hare", option_steps_input=12)
        assert not is_shown(user, "prompt-input")

        click(user, "generate-button")

        jobs = await until_jobs(services, lambda found: bool(found))
        assert jobs[0].prompt == "a hare"
        assert jobs[0].params.steps == 12
        assert jobs[0].workflow_id.startswith(str(made.id))


async def test_prompt_of_a_saved_workflow_is_previewed_and_drawn_for_each_job(
    services: Services,
) -> None:
    folder = services.settings.wildcards_dir
    folder.mkdir(parents=True)
    (folder / "weather.txt").write_text("snow\n", encoding="utf-8")
    made = await kept(services, diagram=draw_form(services))
    async with browsing(services) as user:
        fill(user, backend_select=str(made.id))
        fill(user, option_prompt_input="a {red|blue} fox in the __weather__")
        await user.should_see("a red fox in the snow", retries=60)
        await user.should_see("a blue fox in the snow")

        fill(user, count_input=4)
        UserInteraction(user, {part(user, "generation-form")}, None).trigger(
            "keydown.ctrl.enter.prevent"
        )

        jobs = await until_jobs(services, lambda found: len(found) == 4)
        drawn = {job.prompt for job in jobs}
        assert drawn <= {"a red fox in the snow", "a blue fox in the snow"}

        fill(user, option_prompt_input="a {red|blue fox")
        await until(lambda: part(user, "error-option-prompt").text)
        assert "not closed" in part(user, "error-option-prompt").text

        fill(user, option_prompt_input="a fox in the __wea")
        await user.should_see("__weather__", retries=60)
        click(user, "wildcard-weather")
        assert part(user, "option-prompt-input").value == "a fox in the __weather__"


def is_shown(user: User, testid: str) -> bool:
    """Whether an element is on the page, with all that is around it."""
    element = part(user, testid)
    while element is not None:
        if not element.visible:
            return False
        element = element.parent_slot.parent if element.parent_slot else None
    return True


def draw_form(services: Services) -> Diagram:
    """Text to image with every usual field in its form."""
    diagram = draw.text_to_image()
    found = suggest(diagram, schemas=services.known_nodes.schemas)
    return replace(diagram, parameters=found)


async def test_form_of_a_saved_workflow_takes_what_was_typed_and_checks_it(
    services: Services,
) -> None:
    made = await kept(services, diagram=draw_form(services))
    preset = services.presets.get(str(made.id))
    assert preset is not None
    values = FormValues(where="gpu-1", prompt="typed before")

    values.change_preset(str(made.id), preset)

    assert values.options["prompt"] == "typed before"
    assert fields_of(str(made.id), preset) == ("seed",)
    submission = values.to_submission(preset)
    assert (submission.prompt, submission.workflow_id) == ("typed before", preset.id)
    assert submission.params.steps == 20
    assert await jobs_of(services) == []
    values.options["steps"] = 0
    with pytest.raises(ValueError) as wrong:  # noqa: PT011 - pydantic's own
        values.to_submission(preset)
    assert set(mistakes(wrong.value)) == {"steps"}  # pyright: ignore[reportArgumentType]
