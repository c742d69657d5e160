"""5: one open page, nothing running: what the page asks for, and what the database is asked."""

from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.benchmarks import counting_app
from tests.benchmarks.results import Result
from tests.support.app_process import AppProcess
from tests.support.browser import find_browser, launch_args

SECONDS, LONG_SECONDS = 20, 60
_SETTLE_MS = 4000  # after the page has loaded


def measure_idle(folder: Path, long: bool) -> list[Result]:
    """Requests of the page and statements of the app, both to be none."""
    seconds = LONG_SECONDS if long else SECONDS
    app = AppProcess(folder / "home", script=Path(counting_app.__file__), log_level="WARNING")
    found = find_browser()
    counter = folder / "home" / counting_app.COUNT_FILE
    try:
        app.start()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=found.executable, args=launch_args()
            )
            requests, statements = _watch(browser.new_page(), app.url, counter, seconds)
            browser.close()
    finally:
        app.kill()
    return [
        _result(f"5 idle, {seconds} s: HTTP requests of the page", requests),
        _result(f"5 idle, {seconds} s: database statements", statements),
    ]


def _watch(page: Page, url: str, counter: Path, seconds: int) -> tuple[int, int]:
    asked: list[str] = []
    page.goto(url)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(_SETTLE_MS)
    before = counter.stat().st_size
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(seconds * 1000)
    return len(asked), counter.stat().st_size - before


def _result(name: str, count: int) -> Result:
    return Result(
        name=name, ours=str(count), floor="0", compared=f"+{count}", target="0", passed=count == 0
    )
