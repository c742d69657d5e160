"""Real Chromium against the real app; a test fails on any page error, console error or ERROR."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.recovery.processes import Engine
from tests.support.app_process import AppProcess
from tests.support.browser import ensure_browser, launch_args

_DURING_OUTAGE = re.compile(r"ERR_CONNECTION|WebSocket connection|net::|Failed to fetch")
_REFUSED = re.compile(r"status of (401|422)")

OpenPage = Callable[..., Page]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", action="store_true", help="write var/screenshots/")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all."""
    found = ensure_browser()
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found.executable, args=launch_args())
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def shared_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppProcess]:
    """One app for the journeys that leave it as they found it."""
    app = AppProcess(tmp_path_factory.mktemp("home")).start()
    yield app
    assert app.stop() == 0


@pytest.fixture
def app(shared_app: AppProcess) -> Iterator[AppProcess]:
    """The shared app; what it logs as ERROR fails the test."""
    before = len(shared_app.errors())
    yield shared_app
    with httpx.Client(base_url=f"{shared_app.url}/api", trust_env=False) as client:
        # What a failed journey left must not fail the next one, too.
        client.post("/queue/resume").raise_for_status()
        client.post("/queue/cancel-waiting").raise_for_status()
    assert shared_app.errors()[before:] == []


@pytest.fixture
def own_app(tmp_path: Path) -> Iterator[Callable[..., AppProcess]]:
    """Start an app of one's own, to kill, or with other settings."""
    started: list[AppProcess] = []

    def start(**settings: str) -> AppProcess:
        home = tmp_path / f"home-{len(started)}"
        home.mkdir()
        app = AppProcess(home, **settings)
        started.append(app)
        return app.start()

    yield start
    for app in started:
        app.stop()
        assert app.errors() == []


@pytest.fixture
def open_page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[OpenPage]:
    """Open a browser of its own on a URL; pages that complain fail the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []
    expected = [
        pattern
        for name, pattern in {"outage": _DURING_OUTAGE, "refused": _REFUSED}.items()
        if request.node.get_closest_marker(name) is not None
    ]

    def heard(message: ConsoleMessage) -> None:
        known = any(pattern.search(message.text) for pattern in expected)
        if message.type == "error" and not known:
            complaints.append(message.text)

    def open_page(url: str, *, width: int = 1280, height: int = 800, **options: object) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            locale=options.pop("locale", "en-GB"),
            accept_downloads=True,
            **options,
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def faulty_engine(tmp_path: Path) -> Iterator[Engine]:
    """A demo engine as a process of its own that fails on demand."""
    engine = Engine(tmp_path / "engine").start()
    yield engine
    engine.kill()
