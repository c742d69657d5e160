"""Settings: machines come, change and go while the app runs; who is logged in; how it looks."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import OpenPage
from tests.e2e.steps import api, path_of
from tests.recovery.processes import Engine
from tests.support.app_process import AppProcess

_TOKEN = "a-token-for-the-journeys"
_NOBODY = "http://127.0.0.1:9"
_RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}

StartApp = Callable[..., AppProcess]


@pytest.fixture
def slow_engine(tmp_path: Path) -> Iterator[Engine]:
    """A machine that takes its time."""
    engine = Engine(tmp_path / "slow", step_delay_s=0.05).start()
    yield engine
    engine.kill()


def row(page: Page, backend_id: str) -> Locator:
    """The line of a backend."""
    return page.get_by_test_id(f"backend-row-{backend_id}")


def fill(page: Page, **values: str) -> None:
    """Type into the form."""
    for name, value in values.items():
        page.get_by_test_id(f"backend-{name}").fill(value)


def add(page: Page, *, name: str, url: str) -> None:
    """Add a machine and wait until its line is there."""
    page.get_by_test_id("backend-add").click()
    fill(page, name=name, url=url)
    page.get_by_test_id("backend-save").click()
    expect(row(page, name)).to_be_visible()


def test_a_machine_is_tried_added_changed_switched_off_removed_and_put_back(
    own_app: StartApp, open_page: OpenPage, faulty_engine: Engine
) -> None:
    app = own_app()
    page = open_page(f"{app.url}/settings")
    expect(page.get_by_test_id("backend-empty")).to_be_visible()

    page.get_by_test_id("backend-add").click()
    fill(page, name="tower", tags="fast, sdxl", url=_NOBODY)
    page.get_by_test_id("backend-test").click()
    expect(page.get_by_test_id("backend-trial")).to_contain_text("connection refused")
    fill(page, url=faulty_engine.url)
    page.get_by_test_id("backend-test").click()
    expect(page.get_by_test_id("backend-trial")).to_contain_text("0.33")
    expect(row(page, "tower")).to_have_count(0)  # trying adds nothing

    page.get_by_test_id("backend-save").click()
    expect(row(page, "tower")).to_have_attribute("data-state", "on")
    expect(row(page, "tower")).to_contain_text("sdxl")

    fill(page, name="Tower 2", slots="3")
    page.get_by_test_id("backend-save").click()
    expect(row(page, "tower")).to_contain_text("Tower 2")
    expect(row(page, "tower")).to_have_attribute("data-state", "on")
    page.get_by_test_id("backend-enabled").click()
    expect(row(page, "tower")).to_have_attribute("data-state", "off")
    page.get_by_test_id("backend-enabled").click()
    expect(row(page, "tower")).to_have_attribute("data-state", "on")

    dashboard = open_page(app.url)
    service = dashboard.get_by_test_id("service-card-tower")
    expect(service).to_have_attribute("data-state", "on")
    expect(service).to_contain_text("Tower 2")
    page.get_by_test_id("backend-remove").click()
    expect(row(page, "tower")).to_have_count(0)
    expect(service).to_have_count(0)
    page.get_by_test_id("toast-undo").click()
    expect(row(page, "tower")).to_have_attribute("data-state", "on")
    expect(service).to_have_attribute("data-state", "on")

    for each in (page, dashboard):
        each.close()  # a browser that reloads while it is told to close may never do so
    app.stop()
    app.start()
    with api(app.url) as client:
        kept = client.get("/backends/tower").json()
    assert (kept["name"], kept["tags"], kept["maxConcurrentJobs"]) == (
        "Tower 2",
        ["fast", "sdxl"],
        3,
    )


def test_a_machine_with_a_job_is_removed_after_asking_and_finishes_it(
    own_app: StartApp, open_page: OpenPage, slow_engine: Engine
) -> None:
    app = own_app()
    page = open_page(f"{app.url}/settings")
    add(page, name="tower", url=slow_engine.url)
    expect(row(page, "tower")).to_have_attribute("data-state", "on")
    with api(app.url) as client:
        params = {"width": 64, "height": 64, "steps": 80}
        body = {"prompt": "a fox", "backend": "tower", "params": params}
        job = client.post("/generate", json=body).json()["jobId"]
        _until(page, lambda: _status(client, job) == "running")

        page.get_by_test_id("backend-remove").click()
        expect(page.get_by_test_id("backend-confirm")).to_be_visible()
        page.get_by_test_id("confirm-no").click()
        expect(row(page, "tower")).to_be_visible()
        page.get_by_test_id("backend-remove").click()
        page.get_by_test_id("confirm-yes").click()
        expect(row(page, "tower")).to_have_count(0)

        assert _status(client, job) == "running"
        _until(page, lambda: _status(client, job) == "done")


def test_mistakes_are_said_beside_their_fields(app: AppProcess, open_page: OpenPage) -> None:
    page = open_page(app.url)
    expect(page.get_by_test_id("queue-panel")).to_be_visible()
    page.locator("body").click(position={"x": 5, "y": 5})
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page.get_by_test_id("backend-list")).to_be_visible()
    assert path_of(page) == "/settings"

    page.get_by_test_id("backend-add").click()
    fill(page, url="ftp://tower", slots="65")
    page.get_by_test_id("backend-save").click()

    expect(page.get_by_test_id("error-name")).to_contain_text("Give it a name")
    expect(page.get_by_test_id("error-url")).to_contain_text("This is no address")
    expect(page.get_by_test_id("error-slots")).to_contain_text("from 1 to 64")
    fill(page, name="x", slots="1", url="http://me:secret@tower:8188")
    page.get_by_test_id("backend-save").click()
    expect(page.get_by_test_id("error-url")).to_contain_text("user name and password")
    expect(page.get_by_test_id("error-name")).to_be_empty()


def test_the_focus_returns_from_a_form_to_where_it_was_opened(
    app: AppProcess, open_page: OpenPage
) -> None:
    page = open_page(f"{app.url}/settings?add=machine")
    expect(page.get_by_test_id("backend-name")).to_be_focused()
    page.get_by_test_id("backend-close").press("Enter")
    expect(page.get_by_test_id("backend-add")).to_be_focused()

    name = row(page, "demo").get_by_role("button")
    name.press("Enter")
    page.get_by_test_id("backend-close").press("Enter")
    expect(name).to_be_focused()


def test_what_the_configuration_defines_is_shown_and_not_changed(
    app: AppProcess, open_page: OpenPage
) -> None:
    page = open_page(f"{app.url}/settings?backend=demo")

    expect(page.get_by_test_id("backend-fixed")).to_contain_text("demo_engine")
    expect(page.get_by_test_id("backend-save")).to_have_count(0)
    expect(page.get_by_test_id("backend-remove")).to_have_count(0)
    page.get_by_test_id("backend-test").click()
    expect(page.get_by_test_id("backend-trial")).to_contain_text("Nodes and models")
    expect(page.get_by_test_id("paid-state")).to_contain_text("Off")
    expect(page.get_by_test_id("spent-day")).to_contain_text("$0.00 of")
    expect(page.get_by_test_id("settings-fallback")).to_have_text("Wait")


def test_look_and_language_are_chosen(app: AppProcess, open_page: OpenPage) -> None:
    page = open_page(f"{app.url}/settings", color_scheme="dark")
    page.get_by_test_id("set-theme-light").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")

    page.get_by_test_id("set-language-ru").click()

    expect(page.locator("html")).to_have_attribute("lang", "ru")
    expect(page.get_by_test_id("backend-add")).to_contain_text("Добавить машину")


@pytest.mark.refused
def test_another_browser_is_logged_out(own_app: StartApp, open_page: OpenPage) -> None:
    app = own_app(AUTH_TOKEN=_TOKEN, DEMO_ENGINE="false")
    mine, other = (_logged_in(open_page, app.url) for _ in range(2))
    mine.reload()
    expect(mine.get_by_test_id("backend-empty")).to_be_visible()
    expect(mine.get_by_test_id("sessions").locator(".o-fact")).to_have_count(2)
    expect(mine.get_by_test_id("sessions").locator("time").first).to_contain_text("since")

    others = (
        mine.get_by_test_id("sessions")
        .locator(".o-fact", has_text="Browser")
        .filter(has_not_text="This browser")
    )
    others.get_by_role("button").click()

    expect(other.get_by_test_id("login-form")).to_be_visible()
    expect(mine.get_by_test_id("sessions").locator(".o-fact")).to_have_count(1)


@pytest.mark.parametrize(
    ("width", "scheme"), [(375, "dark"), (375, "light"), (1280, "light"), (2560, "dark")]
)
def test_the_page_fits_and_axe_finds_nothing(
    app: AppProcess, open_page: OpenPage, width: int, scheme: str
) -> None:
    page = open_page(f"{app.url}/settings", width=width, color_scheme=scheme)
    page.get_by_test_id("backend-add").click()
    expect(page.get_by_test_id("backend-form")).to_be_visible()
    page.wait_for_timeout(400)

    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = Axe().run(page, options=_RULES).response["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []


def _logged_in(open_page: OpenPage, url: str) -> Page:
    page = open_page(f"{url}/settings")
    page.get_by_test_id("login-token").fill(_TOKEN)
    page.get_by_test_id("login-button").click()
    expect(page.get_by_test_id("backend-list")).to_be_visible()
    return page


def _status(client: httpx.Client, job: str) -> str:
    return client.get(f"/jobs/{job}").json()["status"]


def _until(page: Page, ready: Callable[[], bool]) -> None:
    for _ in range(200):
        if ready():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it does not come true")
