"""The frame of the app: phone width, languages, themes, idleness, login."""

from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, expect

from tests.contract.demo_graphs import repeated
from tests.e2e.conftest import OpenPage
from tests.e2e.steps import api, expect_status, generate
from tests.support.app_process import AppProcess

_TOKEN = "a-token-for-the-journeys"
_QUIET_MS = 3000


def test_phone_makes_and_reviews_a_picture(app: AppProcess, open_page: OpenPage) -> None:
    page = open_page(app.url, width=375, height=812, has_touch=True, is_mobile=True)
    prompt = "a fern on a small screen"
    generate(page, prompt, steps=3)

    page.get_by_test_id("tab-queue").click()
    expect_status(page, prompt, "done")
    _expect_no_sideways_scroll(page)
    page.goto(f"{app.url}/canvas")
    expect(page.get_by_test_id("gallery-grid")).to_be_visible()
    _expect_no_sideways_scroll(page)


def test_russian_browser_gets_russian_pages(app: AppProcess, open_page: OpenPage) -> None:
    page = open_page(app.url, locale="ru-RU")

    expect(page.get_by_test_id("queue-panel")).to_contain_text("Очередь")
    expect(page.locator("html")).to_have_attribute("lang", "ru")


def test_light_theme_is_remembered(app: AppProcess, open_page: OpenPage) -> None:
    page = open_page(app.url, color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    while page.locator("html").get_attribute("data-theme") != "light":
        page.get_by_test_id("theme-toggle").click()
        page.wait_for_timeout(100)

    page.reload()

    expect(page.locator("html")).to_have_attribute("data-theme", "light")


def test_idle_page_sends_no_request(app: AppProcess, open_page: OpenPage) -> None:
    page = open_page(app.url)
    expect(page.get_by_test_id("queue-panel")).to_be_visible()
    page.wait_for_timeout(1500)  # let the first pictures load
    sent: list[str] = []
    page.on("request", lambda request: sent.append(_line(request)))

    page.wait_for_timeout(_QUIET_MS)

    assert sent == []


def test_unknown_page_says_so(app: AppProcess, open_page: OpenPage) -> None:
    page = open_page(app.url)
    page.get_by_test_id("nav-image").or_(page.locator("nav a[href='/canvas']")).first.click()
    expect(page.get_by_test_id("gallery-grid").or_(page.locator(".o-empty"))).to_be_visible()

    page.evaluate(
        "history.pushState({}, '', '/nowhere'); dispatchEvent(new PopStateEvent('popstate'))"
    )

    expect(page.get_by_test_id("not-found")).to_be_visible()


def test_shortcut_list_opens_with_a_question_mark(app: AppProcess, open_page: OpenPage) -> None:
    page = open_page(app.url)
    expect(page.get_by_test_id("queue-panel")).to_be_visible()
    page.locator("body").click(position={"x": 5, "y": 5})

    page.keyboard.press("?")

    expect(page.get_by_test_id("shortcuts-dialog")).to_be_visible()


@pytest.mark.refused
def test_stranger_must_log_in_and_logging_out_closes_the_page(own_app, open_page: OpenPage) -> None:
    app = own_app(AUTH_TOKEN=_TOKEN)
    page = open_page(f"{app.url}/canvas")
    expect(page.get_by_test_id("login-form")).to_be_visible()
    page.get_by_test_id("login-token").fill("a-wrong-guess-at-it")
    with page.expect_response("**/login"):
        page.get_by_test_id("login-button").click()
    expect(page.get_by_test_id("login-error")).to_be_visible()

    page.get_by_test_id("login-token").fill(_TOKEN)
    page.get_by_test_id("login-button").click()
    page.wait_for_url(f"{app.url}/canvas")
    expect(page.get_by_test_id("gallery-grid")).to_be_attached()
    with api(app.url) as client:
        client.headers["Authorization"] = f"Bearer {_TOKEN}"
        session = client.get("/sessions").json()["sessions"][0]
        client.delete(f"/sessions/{session['id']}").raise_for_status()

    expect(page.get_by_test_id("login-form")).to_be_visible()


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("width", [375, 1280, 2560])
def test_pages_fit_their_window(
    app: AppProcess, open_page: OpenPage, request: pytest.FixtureRequest, width: int, scheme: str
) -> None:
    for name, path in {"dashboard": "/", "canvas": "/canvas"}.items():
        page = open_page(f"{app.url}{path}", width=width, height=900, color_scheme=scheme)
        expect(page.locator("#main")).to_be_visible()
        page.wait_for_timeout(1000)  # pictures fade in
        _expect_no_sideways_scroll(page)
        if request.config.getoption("--screenshots"):
            page.screenshot(path=_folder() / f"{name}-{width}-{scheme}.png")


def test_the_builder_fits_its_window(
    app: AppProcess, open_page: OpenPage, request: pytest.FixtureRequest
) -> None:
    wanted = request.config.getoption("--screenshots")
    paths = {"builder": "/builder"} if wanted else {}
    for count in (10, 200) if wanted else (10,):
        with api(app.url) as client:
            given = {"name": f"{count} nodes", "document": repeated(count)}
            made = client.post("/workflows", json=given).raise_for_status().json()["id"]
        paths[f"builder-{count}"] = f"/builder/{made}"
    for (name, path), scheme in product(paths.items(), ("dark", "light") if wanted else ("dark",)):
        for width in (375, 1280, 2560):
            page = open_page(f"{app.url}{path}", width=width, height=900, color_scheme=scheme)
            shown = page.locator(".vue-flow__node article, [data-testid^=workflow-]").first
            expect(shown).to_be_visible()
            _expect_no_sideways_scroll(page)
            if wanted:
                page.wait_for_timeout(1000)  # pictures fade in
                page.screenshot(path=_folder() / f"{name}-{width}-{scheme}.png")
            page.close()


def _folder() -> Path:
    folder = Path("var/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _expect_no_sideways_scroll(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def _line(request: Request) -> str:
    return f"{request.method} {request.url}"
