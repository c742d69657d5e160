"""The builder as a page: the library, the form a workflow makes, versions and test runs."""

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.contract.demo_graphs import from_checkpoint
from tests.e2e.steps import SLOW_MS, api, card, expect_status, made_image, path_of
from tests.support.app_process import AppProcess
from tests.support.pictures import png

OpenPage = Callable[..., Page]
CHECKPOINT = "demo_sd15.safetensors"
_GIVE = """([target, kind, name, type, bytes]) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes)], name, { type }));
    const box = target.getBoundingClientRect();
    const place = { clientX: box.left + 300, clientY: box.top + 200 };
    const more = { bubbles: true, cancelable: true };
    target.focus();
    target.dispatchEvent(
        kind === "drop"
            ? new DragEvent("drop", { dataTransfer: data, ...place, ...more })
            : new ClipboardEvent("paste", { clipboardData: data, ...more }),
    );
}"""


def imported(app: AppProcess, prompt: str) -> str:
    """The id of a new workflow with that prompt."""
    body = json.dumps(from_checkpoint(CHECKPOINT, prompt=prompt)).encode()
    with api(app.url) as client:
        answer = client.post("/workflows/import", params={"name": prompt}, content=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


def run_test(page: Page, prompt: str) -> None:
    """Press Test run and fill in the dialog."""
    page.get_by_test_id("test-run").click()
    page.get_by_test_id("test-prompt").fill(prompt)
    page.get_by_test_id("test-start").click()


def give(page: Page, kind: str, *, name: str, data: bytes) -> None:
    """Drop or paste a file on the canvas."""
    stage = page.get_by_role("application").element_handle()
    media = "image/png" if name.endswith(".png") else "application/json"
    page.evaluate(_GIVE, [stage, kind, name, media, list(data)])


@pytest.mark.refused
@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_files_given_to_the_canvas_open_or_become_a_node(
    app: AppProcess, open_page: OpenPage, kind: str
) -> None:
    address = f"{app.url}/builder/{imported(app, f'a cape to {kind} on')}"
    page = open_page(address)
    expect(page.get_by_test_id("node-9")).to_be_visible()

    give(page, kind, name="shore.png", data=png(size=(48, 32)))

    loader = page.locator(".vue-flow__node.selected")
    shown = loader.get_by_test_id("picture-image")
    expect(shown).to_have_attribute("src", re.compile("^/api/inputs/[0-9a-f]{64}"))
    expect(page).to_have_url(address)

    graph = json.dumps(from_checkpoint(CHECKPOINT, prompt="given")).encode()
    give(page, kind, name=f"reef {kind}.json", data=graph)

    expect(page).not_to_have_url(address)
    expect(page.get_by_test_id("workflow-name")).to_have_value(f"reef {kind}")
    expect(page.get_by_test_id("toast")).to_contain_text("was opened as a new workflow")
    page.goto(address)
    expect(page.get_by_test_id("picture-image")).to_be_visible()


def test_preview_node_shows_its_picture_beside_one_that_is_saved(
    app: AppProcess, open_page: OpenPage
) -> None:
    graph = from_checkpoint(CHECKPOINT, prompt="a bay")
    graph["10"] = {"class_type": "PreviewImage", "inputs": {"images": ["8", 0]}}
    body = json.dumps(graph).encode()
    with api(app.url) as client:
        made = client.post("/workflows/import", params={"name": "bay"}, content=body).json()
    page = open_page(f"{app.url}/builder/{made['id']}", width=1600, height=1000)

    run_test(page, "a bay with a pier")

    expect(page.get_by_test_id("status-test")).to_have_attribute("data-st", "done", timeout=SLOW_MS)
    shown = page.get_by_test_id("node-10").locator("img")
    expect(shown).to_have_attribute("src", re.compile("/api/backends/demo/comfy/view"))
    expect(shown).to_have_js_property("naturalWidth", 64)
    kept = page.get_by_test_id("node-9").locator("img")
    expect(kept).to_have_attribute("src", re.compile("/api/images/"))
    page.goto(f"{app.url}/canvas?q=pier")
    expect(page.locator("[data-testid^=gallery-item-]")).to_have_count(1)


def test_fields_of_the_form_are_set_saved_and_used_on_the_dashboard(
    app: AppProcess, open_page: OpenPage
) -> None:
    page = open_page(f"{app.url}/builder/{imported(app, 'a harbour')}")
    page.get_by_test_id("tab-panel-form").click()
    page.get_by_test_id("param-steps").get_by_role("button").click()
    page.get_by_test_id("param-label").fill("How long")
    page.get_by_test_id("param-label").press("Tab")
    page.get_by_test_id("param-max").fill("12")
    page.get_by_test_id("param-max").press("Tab")
    expect(page.get_by_test_id("param-steps")).to_contain_text("1 to 12")
    expect(page.get_by_test_id("form-preview")).to_contain_text("How long")
    expect(page.get_by_test_id("unsaved")).to_be_visible()

    page.get_by_test_id("workflow-save").click()
    page.get_by_test_id("save-note").fill("Named the steps")
    page.get_by_test_id("save-confirm").click()
    expect(page.get_by_test_id("workflow-version")).to_contain_text("version 2")
    expect(page.get_by_test_id("unsaved")).to_have_count(0)

    page.goto(app.url)
    page.get_by_test_id("backend-select").click()
    page.get_by_role("option", name="a harbour").click()
    expect(page.get_by_test_id("option-steps-input")).to_have_attribute("aria-label", "How long")
    expect(page.get_by_test_id("steps-input")).to_be_hidden()
    page.get_by_test_id("option-prompt-input").fill("a harbour in fog")
    page.get_by_test_id("generate-button").click()
    expect_status(page, "a harbour in fog", "done")


def test_a_deleted_workflow_comes_back_by_undo(app: AppProcess, open_page: OpenPage) -> None:
    made = imported(app, "a bridge")
    page = open_page(f"{app.url}/builder")
    one = page.get_by_test_id(f"workflow-{made}")

    one.get_by_test_id("workflow-delete").click()
    expect(one).to_have_count(0)
    page.get_by_test_id("toast-undo").click()

    expect(one).to_be_visible()


def test_a_picture_names_its_version_and_opens_it_beside_what_changed_since(
    app: AppProcess, open_page: OpenPage
) -> None:
    workflow = imported(app, "a pier in rain")
    with api(app.url) as client:
        job = {"workflow_id": workflow, "parameters": {"steps": 2}, "backend_id": "demo"}
        client.post("/job", json=job).raise_for_status()
    page = open_page(app.url)
    expect_status(page, "a pier in rain", "done")
    with api(app.url) as client:
        graph = from_checkpoint(CHECKPOINT, prompt="a pier in sun")
        client.put(f"/workflows/{workflow}", json={"document": graph}).raise_for_status()
    image = made_image(app.url, "a pier in rain")

    page.goto(f"{app.url}/canvas/{image['id']}")
    expect(page.get_by_test_id("image-params")).to_contain_text("a pier in rain, version 1")
    page.goto(f"{app.url}/builder?image={image['id']}")

    expect(page).to_have_url(re.compile(f"/builder/{workflow}"))
    expect(page.get_by_test_id("comparison")).to_contain_text("a pier in sun")
    expect(page.get_by_test_id("compare-old")).to_have_value("1")


def test_the_workflow_of_a_job_opens_in_the_builder(app: AppProcess, open_page: OpenPage) -> None:
    made = imported(app, "a tower")
    page = open_page(f"{app.url}/builder/{made}")
    expect(page.get_by_test_id("status-valid")).to_be_visible()
    run_test(page, "a tower of glass")
    expect(page.get_by_test_id("status-test")).to_have_attribute("data-st", "done", timeout=SLOW_MS)
    page.get_by_test_id("status-test").click()
    expect_status(page, "a tower of glass", "done")
    one = card(page, "a tower of glass")

    page.goto(app.url + "/builder?job=" + str(one.get_attribute("data-testid"))[9:])

    expect(page.get_by_test_id("workflow-name")).to_have_value("a tower of glass")
    assert path_of(page) != f"/builder/{made}"


def test_a_small_window_shows_the_graph_to_look_at_only(
    app: AppProcess, open_page: OpenPage
) -> None:
    page = open_page(f"{app.url}/builder/{imported(app, 'a pond')}", width=375, height=800)

    expect(page.get_by_test_id("builder-status")).to_be_visible()
    expect(page.get_by_test_id("workflow-panel")).to_be_hidden()
    expect(page.get_by_test_id("workflow-save")).to_be_hidden()
