"""axe finds nothing to complain of, on any page, in either theme."""

import pytest
from playwright.sync_api import expect

from tests.contract.demo_graphs import from_checkpoint
from tests.e2e.conftest import OpenPage
from tests.e2e.steps import api, card, expect_status, generate, made_image, violations
from tests.support.app_process import AppProcess

_PROMPT = "a lake for everybody"
_TOKEN = "a-token-for-the-journeys"


@pytest.fixture
def image(app: AppProcess, open_page: OpenPage) -> dict:
    """A picture, and a cancelled job beside it."""
    with api(app.url) as client:
        have = [each["prompt"] for each in client.get("/images").json()["images"]]
    if _PROMPT not in have:
        page = open_page(app.url)
        generate(page, _PROMPT, steps=2)
        expect_status(page, _PROMPT, "done")
        generate(page, "a lake for nobody", steps=99)
        expect_status(page, "a lake for nobody", "running")
        card(page, "a lake for nobody").get_by_test_id("job-cancel").click()
        expect_status(page, "a lake for nobody", "cancelled")
    return made_image(app.url, _PROMPT)


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("width", [375, 1280])
def test_pages_have_no_violations(
    app: AppProcess, open_page: OpenPage, image: dict, scheme: str, width: int
) -> None:
    for path in ("/", "/canvas", f"/canvas/{image['id']}"):
        page = open_page(f"{app.url}{path}", width=width, color_scheme=scheme)
        expect(page.locator("img").first).to_be_attached()
        page.wait_for_timeout(700)  # faded-in text has its full contrast only then

        assert violations(page) == [], path


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_builder_has_no_violations(app: AppProcess, open_page: OpenPage, scheme: str) -> None:
    graph = from_checkpoint("none.safetensors", prompt="a shore")
    with api(app.url) as client:
        given = {"name": f"A shore in {scheme}", "document": graph}
        made = client.post("/workflows", json=given).raise_for_status().json()["id"]
    library = open_page(f"{app.url}/builder", color_scheme=scheme)
    expect(library.get_by_test_id(f"workflow-{made}")).to_be_visible()
    page = open_page(f"{app.url}/builder/{made}", width=1440, color_scheme=scheme)
    expect(page.get_by_test_id("status-runs")).to_be_visible()
    page.get_by_test_id("node-6").locator(".o-wg-head").click()
    expect(page.get_by_test_id("node-properties")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_test_id("quick-add")).to_be_visible()
    page.wait_for_timeout(700)

    found = [*violations(library), *violations(page)]
    for tab in ("form", "versions"):
        page.get_by_test_id(f"tab-panel-{tab}").click()
        found += violations(page)

    assert found == []


def test_login_and_help_have_no_violations(own_app, app: AppProcess, open_page: OpenPage) -> None:
    login = open_page(own_app(AUTH_TOKEN=_TOKEN, DEMO_ENGINE="false").url)
    expect(login.get_by_test_id("login-form")).to_be_visible()
    page = open_page(app.url)
    page.get_by_test_id("shortcuts").click()
    expect(page.get_by_test_id("shortcuts-dialog")).to_be_visible()
    page.wait_for_timeout(700)

    assert violations(login) == []
    assert violations(page) == []


def test_queue_with_every_state_has_no_violations(app: AppProcess, open_page: OpenPage) -> None:
    page = open_page(app.url)
    page.get_by_test_id("queue-pause").click()
    expect(page.get_by_test_id("queue-paused")).to_be_visible()
    generate(page, "waits for axe", steps=3)
    expect_status(page, "waits for axe", "queued")
    page.wait_for_timeout(700)

    found = violations(page)

    card(page, "waits for axe").get_by_test_id("job-cancel").click()
    expect_status(page, "waits for axe", "cancelled")
    page.get_by_test_id("queue-pause").click()
    assert found == []
