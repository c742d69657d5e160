"""The builder as a page: the library, the form a workflow makes, versions and test runs."""

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.contract.demo_graphs import from_checkpoint
from tests.e2e.steps import SLOW_MS, api, card, expect_status, path_of, violations
from tests.support.app_process import AppProcess

OpenPage = Callable[..., Page]
CHECKPOINT = "demo_sd15.safetensors"


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


def test_a_dropped_file_opens_and_its_test_run_shows_on_the_canvas(
    app: AppProcess, open_page: OpenPage
) -> None:
    page = open_page(f"{app.url}/builder")
    graph = json.dumps(from_checkpoint(CHECKPOINT, prompt="a lake of a dropped file")).encode()
    page.get_by_test_id("library-file").set_input_files(
        {"name": "lake.json", "mimeType": "application/json", "buffer": graph}
    )
    expect(page).to_have_url(re.compile("/builder/[0-9a-f-]{36}$"))
    expect(page.get_by_test_id("workflow-name")).to_have_value("lake")
    expect(page.get_by_test_id("status-valid")).to_be_visible()

    run_test(page, "a lake at dawn")

    status = page.get_by_test_id("status-test")
    expect(status).to_have_attribute("data-st", "done", timeout=SLOW_MS)
    made = page.get_by_test_id("workflow-graph").locator("img[src*='/api/images/']")
    expect(made.first).to_be_visible()
    page.goto(f"{app.url}/canvas?q=dawn")
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


def test_two_versions_are_compared_in_words_and_the_old_one_comes_back(
    app: AppProcess, open_page: OpenPage
) -> None:
    page = open_page(f"{app.url}/builder/{imported(app, 'a mill')}")
    page.get_by_test_id("tab-panel-form").click()
    page.get_by_test_id("param-cfg").get_by_role("checkbox").click()
    expect(page.get_by_test_id("param-cfg")).to_have_count(0)
    page.get_by_test_id("workflow-save").click()
    page.get_by_test_id("save-confirm").click()
    page.get_by_test_id("tab-panel-versions").click()

    page.get_by_test_id("version-compare-1").click()
    expect(page.get_by_test_id("comparison")).to_contain_text("CFG")
    page.get_by_test_id("version-restore-1").click()

    page.get_by_test_id("tab-panel-form").click()
    expect(page.get_by_test_id("param-cfg")).to_be_visible()
    page.get_by_test_id("builder-undo").click()
    expect(page.get_by_test_id("param-cfg")).to_have_count(0)


def test_a_deleted_workflow_comes_back_by_undo(app: AppProcess, open_page: OpenPage) -> None:
    made = imported(app, "a bridge")
    page = open_page(f"{app.url}/builder")
    one = page.get_by_test_id(f"workflow-{made}")

    one.get_by_test_id("workflow-delete").click()
    expect(one).to_have_count(0)
    page.get_by_test_id("toast-undo").click()

    expect(one).to_be_visible()


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


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_pages_of_the_builder_have_no_violations(
    app: AppProcess, open_page: OpenPage, scheme: str
) -> None:
    made = imported(app, f"a shore in {scheme}")
    library = open_page(f"{app.url}/builder", color_scheme=scheme)
    expect(library.get_by_test_id(f"workflow-{made}")).to_be_visible()
    page = open_page(f"{app.url}/builder/{made}", color_scheme=scheme)
    expect(page.get_by_test_id("status-valid")).to_be_visible()

    found = [*violations(library), *violations(page)]
    for tab in ("form", "versions"):
        page.get_by_test_id(f"tab-panel-{tab}").click()
        page.wait_for_timeout(300)  # faded-in text has its full contrast only then
        found += violations(page)

    assert found == []
