"""11: a large workflow in the builder, opened, panned, a node dragged; all templates converted."""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from importlib import resources
from itertools import pairwise
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from app.drawing.convert import to_api
from app.drawing.files.ui_format import read_ui
from tests.benchmarks.results import Result, quantile
from tests.contract.demo_graphs import repeated
from tests.support.app_process import AppProcess
from tests.support.browser import find_browser, launch_args
from tests.support.diagrams import schemas as known_schemas

NODES, MANY_NODES = 200, 300
TIMES, LONG_TIMES = 3, 10
MOVES = 120
_OPEN_S = 2.5
_FPS = 30
_SIZE: ViewportSize = {"width": 1600, "height": 1000}
_FRAMES = """() => {
    const frames = (window.benchFrames = []);
    const note = (now) => {
        if (window.benchFrames !== frames) return;
        frames.push(now);
        requestAnimationFrame(note);
    };
    requestAnimationFrame(note);
}"""


def measure_builder(folder: Path, long: bool) -> list[Result]:
    """The way of the page is measured in Chromium, without a GPU."""
    app = AppProcess(folder / "home", log_level="WARNING")
    found = find_browser()
    try:
        app.start()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=found.executable, args=launch_args()
            )
            results = [
                _opening(browser, app.url, times=LONG_TIMES if long else TIMES),
                *_moving(browser, app.url),
            ]
            browser.close()
    finally:
        app.kill()
    return [*results, _templates()]


def address_of(url: str, count: int) -> str:
    """Where a new workflow of so many nodes is drawn."""
    with httpx.Client(base_url=f"{url}/api", trust_env=False, timeout=60) as client:
        body = json.dumps(repeated(count)).encode()
        answer = client.post("/workflows/import", params={"name": f"{count} nodes"}, content=body)
        return f"{url}/builder/{answer.raise_for_status().json()['id']}"


def open_workflow(browser: Browser, address: str, count: int) -> tuple[Page, float]:
    """A browser that has nothing yet opens it; the page, and the seconds until all is painted."""
    page = browser.new_context(viewport=_SIZE).new_page()
    page.goto(address, wait_until="commit")
    seconds = page.wait_for_function(
        """(count) => {
            const nodes = document.querySelectorAll(".vue-flow__node article").length;
            const zoom = document.querySelector("[data-testid=zoom-reset]")?.textContent;
            return nodes >= count && zoom !== "100 %" // it was fitted
                && new Promise((done) => requestAnimationFrame(() =>
                    requestAnimationFrame((now) => done(now / 1000))));
        }""",
        arg=count,
        polling="raf",
    ).json_value()
    return page, float(seconds)


def _opening(browser: Browser, url: str, *, times: int) -> Result:
    address, least = address_of(url, NODES), address_of(url, 7)
    took: list[float] = []
    floor: list[float] = []
    for _ in range(times):
        for where, count, list_ in ((address, NODES, took), (least, 7, floor)):
            page, seconds = open_workflow(browser, where, count)
            list_.append(seconds)
            page.context.close()
    ours, peer = statistics.median(took), statistics.median(floor)
    return Result(
        name=f"11 builder: open {NODES} nodes",
        ours=f"{ours:.2f} s",
        floor=f"{peer:.2f} s (7 nodes)",
        compared=f"+{ours - peer:.2f} s",
        target=f"≤ {_OPEN_S} s",
        passed=ours <= _OPEN_S,
    )


def _moving(browser: Browser, url: str) -> list[Result]:
    results: list[Result] = []
    for count in (NODES, MANY_NODES):
        page, _ = open_workflow(browser, address_of(url, count), count)
        floor = _at_rest(page)
        results.append(_fluid(f"pan {count} nodes, all seen", _pan(page), floor))
        if count == NODES:
            results.append(_fluid(f"drag, {count} nodes all seen", _drag(page), floor))
            page.get_by_test_id("zoom-reset").click()
            page.wait_for_timeout(500)  # the zoom glides
            results.append(_fluid(f"drag, {count} nodes at 100 %", _drag(page), floor))
        page.context.close()
    return results


def _drag(page: Page) -> list[float]:
    """Take the node nearest to the middle by its head and draw circles with it."""
    x, y = page.evaluate(
        """() => {
            const stage = document.querySelector(".o-wg-stage").getBoundingClientRect();
            const [cx, cy] = [stage.x + stage.width / 2, stage.y + stage.height / 2];
            const heads = [...document.querySelectorAll(".o-wg-head")];
            const boxes = heads.map((each) => each.getBoundingClientRect());
            const far = (box) => Math.hypot(box.x - cx, box.y - cy);
            const box = boxes.sort((one, other) => far(one) - far(other))[0];
            return [box.x + box.width / 3, box.y + box.height / 2];
        }"""
    )
    frames = _pull(page, x, y)
    page.get_by_test_id("unsaved").wait_for()  # it was a node that moved
    return frames


def _pan(page: Page) -> list[float]:
    box = page.locator(".o-wg-stage").bounding_box()
    assert box is not None
    return _pull(page, box["x"] + box["width"] / 2, box["y"] + box["height"] - 12)


def _pull(page: Page, x: float, y: float) -> list[float]:
    page.mouse.move(x, y)
    page.mouse.down()

    def move() -> None:
        for step in range(MOVES):
            page.mouse.move(x + 3 * (step % 40), y - 2 * (step % 30))

    frames = _fps(page, move)
    page.mouse.up()
    return frames


def _at_rest(page: Page) -> list[float]:
    return _fps(page, lambda: page.wait_for_timeout(1000))


def _fps(page: Page, during: Callable[[], object]) -> list[float]:
    """The frames a second, one number for each frame that came meanwhile."""
    page.evaluate(_FRAMES)
    during()
    times: list[float] = page.evaluate(
        "() => { const frames = window.benchFrames; window.benchFrames = null; return frames; }"
    )
    return [1000 / (after - before) for before, after in pairwise(times)]


def _fluid(name: str, frames: Sequence[float], floor: Sequence[float]) -> Result:
    mean = statistics.harmonic_mean(frames)  # frames over time
    still = statistics.harmonic_mean(floor)
    return Result(
        name=f"11 builder: {name}",
        ours=f"{mean:.0f} fps, slowest twentieth {quantile(frames, 0.05):.0f}",
        floor=f"{still:.0f} fps (at rest)",
        compared=f"{mean / still:.2f}",
        target=f"≥ {_FPS} fps",
        passed=mean >= _FPS,
    )


def _templates() -> Result:
    """Every official template, from its bytes to the graph that a server is sent."""
    folder = resources.files("comfyui_workflow_templates_json") / "templates"
    files = [each.read_bytes() for each in folder.iterdir() if each.name.endswith(".json")]
    schemas = known_schemas()
    began = time.perf_counter()
    documents = [json.loads(data) for data in files]
    floor = time.perf_counter() - began
    drawn = [each for each in documents if isinstance(each, dict) and "nodes" in each]
    began = time.perf_counter()
    converted = sum(
        bool(to_api(read_ui(each, schemas=schemas)[0], schemas=schemas).graph) for each in drawn
    )
    seconds = time.perf_counter() - began
    return Result(
        name="11 builder: official templates",
        ours=f"{converted} of {len(drawn)} converted in {seconds:.1f} s",
        floor=f"{floor:.1f} s (json.loads)",
        compared=f"{1000 * seconds / len(drawn):.0f} ms each",
        target="all",
        passed=converted == len(drawn),
    )
