"""The diagnostics page: live without polling, in two languages, with every backend away."""

import json
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Request, expect

from tests.e2e.conftest import OpenPage
from tests.recovery.processes import Engine
from tests.support.app_process import AppProcess

_AWAY = json.dumps([{"id": "studio-mac", "name": "studio-mac", "url": "http://127.0.0.1:9"}])
_RULES: dict[str, Any] = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
}
_KEY = "sk-of-the-journeys-1234567"


def opened(open_page: OpenPage, url: str, **options: object) -> Page:
    """The page, once it has its figures."""
    page = open_page(f"{url}/diagnostics", **options)
    page.locator("[data-testid=diagnostics][data-ready]").wait_for()
    return page


def generate(app: AppProcess, prompt: str, *, backend: str = "demo") -> str:
    """Submit a small job; its id."""
    body = {
        "prompt": prompt,
        "backend": backend,
        "params": {"width": 64, "height": 64, "steps": 2},
    }
    answer = httpx.post(f"{app.url}/api/generate", json=body, trust_env=False)
    return str(answer.raise_for_status().json()["jobId"])


def test_self_test_shows_every_leg_and_its_time(app: AppProcess, open_page: OpenPage) -> None:
    page = opened(open_page, app.url)
    expect(page.get_by_test_id("self-test")).to_have_count(0)

    page.get_by_test_id("self-test-run").click()

    expect(page.get_by_test_id("self-test")).to_have_attribute("data-state", "passed")
    expect(page.get_by_test_id("leg-page")).to_have_attribute("data-reached", "true")
    expect(page.get_by_test_id("leg-stored")).to_contain_text(re.compile(r"\d ms"))
    page.get_by_test_id("self-test-close").click()
    expect(page.get_by_test_id("self-test")).to_have_count(0)
    expect(page.get_by_test_id("self-test-run")).to_be_focused()


def test_figures_and_log_grow_while_the_page_asks_for_nothing(
    app: AppProcess, open_page: OpenPage
) -> None:
    page = opened(open_page, app.url)
    page.wait_for_load_state("networkidle")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(_line(request)))
    before = int(page.get_by_test_id("tile-done").locator("b").inner_text())

    job_id = generate(app, "a fern for the figures")

    expect(page.get_by_test_id("tile-done").locator("b")).to_have_text(str(before + 1))
    expect(page.get_by_test_id("diagnostics-log")).to_contain_text(job_id[-6:])
    expect(page.get_by_test_id("chart-throughput").locator("rect").first).to_be_visible()
    assert sent == []


def test_page_works_with_every_backend_away_and_says_what_to_do(
    own_app: Callable[..., AppProcess], open_page: OpenPage
) -> None:
    app = own_app(backends=_AWAY, demo_engine="false", flux__api_key=_KEY)
    page = open_page(f"{app.url}/diagnostics#backend-studio-mac")

    expect(page.get_by_test_id("backend-state-studio-mac")).to_have_text("Offline")
    details = page.get_by_test_id("backend-details-studio-mac")
    expect(details).to_contain_text("connection refused")
    expect(page.get_by_test_id("setting-flux.api_key")).to_contain_text("•••")
    assert _KEY not in page.content()
    page.get_by_test_id("self-test-run").click()
    expect(page.get_by_test_id("toast")).to_contain_text("needs the demo engine")


def test_a_failed_job_becomes_an_incident_that_can_be_closed(
    own_app: Callable[..., AppProcess], faulty_engine: Engine, open_page: OpenPage
) -> None:
    backends = [{"id": "gpu-1", "name": "gpu-1", "url": faulty_engine.url}]
    app = own_app(backends=json.dumps(backends), retry__max_attempts="1")
    page = opened(open_page, app.url)
    expect(page.get_by_test_id("incidents-none")).to_be_visible()
    faulty_engine.fault(fail_node={"class_type": "VAEDecode", "message": "bad colours"})

    job_id = generate(app, "a broken picture", backend="gpu-1")

    incident = page.locator("[data-code=node_failed]")
    expect(incident).to_contain_text("bad colours")
    expect(incident.get_by_role("link", name=job_id[-6:])).to_have_attribute(
        "href", f"/jobs/{job_id}"
    )
    incident.get_by_role("button", name="Mark as over").click()
    expect(page.get_by_test_id("incidents-none")).to_be_visible()
    page.get_by_test_id("incidents-history").click()
    expect(incident).to_contain_text("over since")


def test_matrix_and_log_are_filtered(app: AppProcess, open_page: OpenPage) -> None:
    page = opened(open_page, app.url)
    matrix, log = page.get_by_test_id("diagnostics-matrix"), page.get_by_test_id("diagnostics-log")

    page.get_by_test_id("matrix-filter").fill("no-such-model")
    expect(matrix).to_contain_text("Nothing matches the filter")
    page.get_by_test_id("matrix-filter").fill("")
    expect(matrix.locator("[data-testid^=matrix-row-]").first).to_be_visible()
    page.get_by_test_id("log-filter").fill("no such words")
    expect(log).to_contain_text("Nothing matches the filter")
    page.get_by_test_id("log-filter").fill("online")
    expect(log.locator("[data-level=info]").first).to_contain_text("is online")


@pytest.mark.parametrize(
    ("width", "locale", "word"), [(375, "ru-RU", "Бэкенды"), (2560, "en-GB", "Backends")]
)
def test_page_fits_every_width_and_speaks_the_language(
    app: AppProcess, open_page: OpenPage, width: int, locale: str, word: str
) -> None:
    page = opened(open_page, app.url, width=width, locale=locale)

    expect(page.get_by_test_id("diagnostics-backends")).to_contain_text(word)
    too_wide = "e => e.scrollWidth - e.clientWidth"
    assert page.locator(".o-dg-page").evaluate(too_wide) <= 0


def test_keys_go_to_the_page(app: AppProcess, open_page: OpenPage) -> None:
    page = open_page(app.url)
    expect(page.get_by_test_id("queue-panel")).to_be_visible()

    page.locator("body").press("g")
    page.locator("body").press("i")

    expect(page).to_have_url(f"{app.url}/diagnostics")
    expect(page.get_by_test_id("diagnostics-tiles")).to_be_visible()


def test_backend_buttons_act(own_app: Callable[..., AppProcess], open_page: OpenPage) -> None:
    app = own_app()
    page = opened(open_page, app.url)

    page.get_by_test_id("backend-free-demo").click()
    expect(page.get_by_test_id("toast")).to_contain_text("The models are unloaded.")
    page.get_by_test_id("backend-interrupt-demo").click()
    expect(page.get_by_text("Press again to stop what runs there")).to_be_visible()
    page.get_by_test_id("backend-interrupt-demo").click()
    expect(page.get_by_test_id("toast").last).to_contain_text("What ran there is stopped.")
    page.get_by_test_id("backend-check-demo").click()
    expect(page.get_by_test_id("backend-check-demo")).to_be_enabled()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_page_has_no_accessibility_violations(
    app: AppProcess, open_page: OpenPage, scheme: str
) -> None:
    page = opened(open_page, app.url, width=375, color_scheme=scheme)
    page.get_by_test_id("self-test-run").click()
    expect(page.get_by_test_id("leg-page")).to_have_attribute("data-reached", "true")
    page.get_by_test_id("backend-open-demo").click()
    page.wait_for_timeout(300)  # faded-in text has its full contrast only then

    found = Axe().run(page, options=_RULES).response["violations"]

    assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found] == []


def _line(request: Request) -> str:
    return f"{request.method} {request.url}"
