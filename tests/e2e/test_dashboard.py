"""The queue board beyond one job: order, many at once, groups, filters, links, and being away."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from app.ids import new_id
from tests.e2e.conftest import OpenPage
from tests.e2e.steps import api, card, expect_status, generate
from tests.support.app_process import AppProcess

_TOUCH = {"has_touch": True, "is_mobile": True}
_NOTIFICATIONS = """
    window.shown = [];
    window.asked = 0;
    window.Notification = class {
        static permission = "default";
        static async requestPermission() {
            window.asked += 1;
            return (this.permission = "granted");
        }
        constructor(title, options) { window.shown.push({ title, ...options }); }
        close() {}
    };
    window.isHidden = false;
    Object.defineProperty(document, "hidden", { get: () => window.isHidden });
"""

_SMALL = """(selector) => [...document.querySelectorAll(selector)].filter((target) => {
    const { width, height } = target.getBoundingClientRect();
    return width && (width < 43.5 || height < 43.5);
}).map((target) => target.outerHTML.slice(0, 200))"""

Submit = Callable[..., list[str]]


@pytest.fixture
def paused(app: AppProcess) -> Iterator[Submit]:
    """A paused, empty queue, and what puts jobs into it; goes on and is emptied afterwards."""
    with api(app.url) as client:
        client.post("/queue/pause").raise_for_status()

        def submit(prompt: str, **more: Any) -> list[str]:
            params = {"width": 64, "height": 64, "steps": 2}
            body = {"prompt": prompt, "backend": "demo", "params": params, **more}
            answer = client.post("/generate", json=body).raise_for_status().json()
            return answer["jobIds"]

        yield submit
        waiting = client.get("/jobs", params={"limit": 200}).json()["jobs"]
        for job in waiting:
            if job["status"] in ("queued", "created"):
                client.post(f"/jobs/{job['id']}/cancel").raise_for_status()
        client.post("/queue/resume").raise_for_status()


def prompts(page: Page) -> Locator:
    """The prompts on the board, from the top."""
    return page.get_by_test_id("queue-panel").get_by_test_id("job-prompt")


def menu(page: Page, testid: str) -> None:
    """Choose something from the board's menu."""
    page.get_by_test_id("queue-more").click()
    page.get_by_test_id(testid).click()


def test_waiting_job_is_dragged_before_another(
    app: AppProcess, open_page: OpenPage, paused: Submit
) -> None:
    for name in ("drag one", "drag two", "drag three"):
        paused(name)
    page = open_page(app.url)
    expect(prompts(page).nth(2)).to_have_text("drag three")

    card(page, "drag three").drag_to(
        card(page, "drag one"), target_position={"x": 90, "y": 6}, source_position={"x": 90, "y": 9}
    )

    expect(prompts(page).first).to_have_text("drag three")
    expect(prompts(page).nth(1)).to_have_text("drag one")
    card(page, "drag three").drag_to(
        card(page, "drag two"),
        target_position={"x": 90, "y": 60},
        source_position={"x": 90, "y": 9},
    )
    expect(prompts(page).nth(2)).to_have_text("drag three")


def test_several_jobs_are_selected_cancelled_brought_back_and_retried(
    app: AppProcess, open_page: OpenPage, paused: Submit
) -> None:
    for n in range(4):
        paused(f"many {n}")
    page = open_page(app.url)
    card(page, "many 0").click(modifiers=["Control"])
    card(page, "many 2").click(modifiers=["Shift"])
    expect(page.get_by_test_id("queue-selection")).to_contain_text("3 selected")

    page.get_by_test_id("selected-cancel").click()

    for n in range(3):
        expect_status(page, f"many {n}", "cancelled")
    expect_status(page, "many 3", "queued")
    page.get_by_test_id("toast-undo").click()
    for n in range(3):
        expect_status(page, f"many {n}", "queued")
    menu(page, "queue-cancel-waiting")
    expect_status(page, "many 3", "cancelled")
    expect(page.get_by_test_id("toast")).to_contain_text("4 jobs cancelled")
    card(page, "many 3").get_by_test_id("job-select").click()
    page.keyboard.press("Control+A")
    page.get_by_test_id("selected-retry").click()
    for n in range(4):
        expect_status(page, f"many {n}", "queued")


def test_jobs_are_selected_by_keyboard(
    app: AppProcess, open_page: OpenPage, paused: Submit
) -> None:
    for n in range(3):
        paused(f"keys {n}")
    page = open_page(app.url)
    card(page, "keys 0").focus()

    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowDown")

    bar = page.get_by_test_id("queue-selection")
    expect(bar).to_contain_text("2 selected")
    expect(card(page, "keys 1")).to_be_focused()
    page.keyboard.press("Escape")
    expect(bar).to_be_hidden()
    page.keyboard.press("l")
    expect(card(page, "keys 1").get_by_test_id("job-log-lines")).to_contain_text("Submitted")


def test_jobs_of_one_submission_fold_and_are_cancelled_together(
    app: AppProcess, open_page: OpenPage, paused: Submit
) -> None:
    first, *_ = paused("a family of six", count=6)
    with api(app.url) as client:
        client.post(f"/jobs/{first}/cancel").raise_for_status()
    page = open_page(app.url)
    head = page.locator("[data-testid^=job-group-]").filter(has_text="a family of six").first
    expect(head).to_contain_text("1 of 6 · 16 %")
    expect(head).to_have_attribute("aria-expanded", "false")

    head.focus()
    page.keyboard.press("Enter")

    expect(head).to_have_attribute("aria-expanded", "true")
    expect(card(page, "a family of six")).to_have_count(6)
    head.focus()
    page.keyboard.press("Delete")
    expect(page.get_by_test_id("toast")).to_contain_text("5 jobs cancelled")
    expect(head).to_contain_text("6 of 6 · 100 %")


def test_the_board_is_filtered_by_state_and_words(
    app: AppProcess, open_page: OpenPage, paused: Submit
) -> None:
    paused("filter by fox")
    paused("filter by owl", hold=True)
    page = open_page(app.url)
    page.get_by_test_id("queue-filter").click()
    page.get_by_test_id("queue-filter-words").fill("OWL filter")
    expect(prompts(page)).to_have_text(["filter by owl"])

    page.keyboard.press("Escape")
    page.get_by_test_id("queue-filter").click()
    page.get_by_test_id("queue-filter-queued").click()

    expect(page.get_by_test_id("queue-empty")).to_be_visible()
    page.get_by_test_id("queue-show-all").click()
    expect(card(page, "filter by fox")).to_be_visible()


def test_link_opens_the_card_of_an_old_job(own_app, open_page: OpenPage) -> None:
    app = own_app()
    with api(app.url) as client:
        client.post("/queue/pause").raise_for_status()
        body = {"prompt": "an old acquaintance", "backend": "demo"}
        old = client.post("/generate", json=body).raise_for_status().json()["jobId"]
        client.post(f"/jobs/{old}/cancel").raise_for_status()
        for _ in range(2):
            newer = client.post("/generate", json={**body, "prompt": "newer", "count": 30})
            for each in newer.raise_for_status().json()["jobIds"]:
                client.post(f"/jobs/{each}/cancel").raise_for_status()

    page = open_page(f"{app.url}/jobs/{old}")

    lines = card(page, "an old acquaintance").get_by_test_id("job-log-lines")
    expect(lines).to_contain_text("Cancelled")
    expect(card(page, "an old acquaintance")).to_be_in_viewport()
    elsewhere = open_page(app.url)
    expect(elsewhere.locator("[data-testid^=job-group-]").last).to_contain_text("20 of 20+")
    expect(card(elsewhere, "an old acquaintance")).to_have_count(0)


def test_link_to_an_unknown_job_says_so_and_shows_the_board(
    app: AppProcess, open_page: OpenPage, paused: Submit
) -> None:
    paused("still on the board")

    page = open_page(f"{app.url}/jobs/{new_id()}")

    expect(page.get_by_test_id("toast")).to_contain_text("There is no job")
    expect(card(page, "still on the board")).to_be_visible()


def test_title_and_icon_show_progress_on_every_page(app: AppProcess, open_page: OpenPage) -> None:
    page = open_page(app.url)
    icon = page.locator("link[rel~=icon]")
    plain = icon.get_attribute("href")
    assert plain is not None
    generate(page, "watched from another tab", steps=90)

    expect(page).to_have_title(re.compile(r"^\d+ % · Dashboard – Orchestrator$"))
    expect(icon).to_have_attribute("href", re.compile("^data:image/png"))
    page.locator("body").click(position={"x": 5, "y": 5})
    page.keyboard.press("g")
    page.keyboard.press("c")

    expect(page).to_have_title(re.compile(r"^\d+ % · Canvas – Orchestrator$"))
    page.keyboard.press("g")
    page.keyboard.press("d")
    expect_status(page, "watched from another tab", "running")
    card(page, "watched from another tab").get_by_test_id("job-cancel").click()
    expect(page).to_have_title("Dashboard – Orchestrator")
    expect(icon).to_have_attribute("href", plain)


def test_notification_is_asked_for_once_and_shown_only_when_away(
    app: AppProcess, open_page: OpenPage
) -> None:
    page = open_page("about:blank")
    page.add_init_script(_NOTIFICATIONS)
    page.goto(app.url)
    expect(page.get_by_test_id("queue-panel")).to_be_visible()
    ended = [{"id": str(new_id()), "tag": "t", "status": "done", "prompt": "long one"}]

    menu(page, "queue-notify")
    page.wait_for_function("window.asked === 1")
    _say_ended(page, ended)
    assert page.evaluate("window.shown") == []
    page.evaluate("window.isHidden = true")
    _say_ended(page, ended)

    assert [each["body"] for each in page.evaluate("window.shown")] == ["long one"]
    page.evaluate("window.isHidden = false")
    menu(page, "queue-notify")
    page.evaluate("window.isHidden = true")
    _say_ended(page, ended)
    assert len(page.evaluate("window.shown")) == 1
    assert page.evaluate("window.asked") == 1


def test_screen_readers_hear_start_half_and_end(app: AppProcess, open_page: OpenPage) -> None:
    page = open_page(app.url)
    news = page.get_by_test_id("job-news")
    expect(news).to_have_attribute("aria-live", "polite")
    page.evaluate(
        """() => {
            window.heard = [];
            const region = document.querySelector("[data-testid=job-news]");
            new MutationObserver(() => heard.push(region.textContent))
                .observe(region, { childList: true, characterData: true, subtree: true });
        }"""
    )

    generate(page, "heard, not seen", steps=30)
    expect_status(page, "heard, not seen", "done")

    heard = " | ".join(page.evaluate("heard"))
    assert re.search(r"Running: heard.* \d+ % done: heard.* Done: heard", heard), heard


def test_letters_in_a_field_are_only_letters(app: AppProcess, open_page: OpenPage) -> None:
    page = open_page(app.url)
    prompt = page.get_by_test_id("prompt-input")

    prompt.press_sequentially("gcgd?flr")

    expect(prompt).to_have_value("gcgd?flr")
    expect(page).to_have_url(re.compile(r"/$"))
    expect(page.get_by_test_id("shortcuts-dialog")).to_be_hidden()


def test_shortcuts_work_on_a_russian_keyboard(app: AppProcess, open_page: OpenPage) -> None:
    page = open_page(app.url, locale="ru-RU")
    expect(page.get_by_test_id("queue-panel")).to_be_visible()

    page.evaluate(
        """() => [["п", "KeyG"], ["с", "KeyC"]].forEach(([key, code]) =>
            document.body.dispatchEvent(new KeyboardEvent("keydown", { key, code, bubbles: true }))
        )"""
    )

    page.wait_for_url("**/canvas")


def test_pressing_again_moves_the_same_job_on(
    app: AppProcess, open_page: OpenPage, paused: Submit
) -> None:
    for name in ("first in line", "second in line", "third in line"):
        paused(name)
    page = open_page(app.url)
    expect(prompts(page).nth(2)).to_have_text("third in line")
    card(page, "first in line").focus()

    page.keyboard.press("Alt+ArrowDown")
    expect(prompts(page).nth(1)).to_have_text("first in line")
    page.keyboard.press("Alt+ArrowDown")

    expect(prompts(page).nth(2)).to_have_text("first in line")
    page.keyboard.press("Alt+ArrowUp")
    expect(prompts(page).nth(1)).to_have_text("first in line")
    page.keyboard.press("Alt+ArrowUp")
    expect(prompts(page).first).to_have_text("first in line")
    expect(card(page, "first in line")).to_be_focused()


def test_cleared_jobs_come_back(own_app, open_page: OpenPage) -> None:
    page = open_page(own_app().url)
    for name in ("to be cleared", "to be cleared too"):
        generate(page, name, steps=1)
        expect_status(page, name, "done")

    page.get_by_test_id("queue-clear").click()

    expect(page.get_by_test_id("toast")).to_contain_text("2 jobs cleared")
    expect(prompts(page)).to_have_count(0)
    page.get_by_test_id("toast-undo").click()
    expect(prompts(page)).to_have_count(2)
    card(page, "to be cleared too").focus()
    page.keyboard.press("Delete")
    expect(prompts(page)).to_have_count(1)
    page.get_by_test_id("toast-undo").click()
    expect(prompts(page)).to_have_count(2)


@pytest.mark.outage
def test_nothing_typed_while_the_app_is_away_is_lost(own_app, open_page: OpenPage) -> None:
    app = own_app()
    page = open_page(app.url)
    button = page.get_by_test_id("generate-button")
    expect(button).to_be_enabled()
    page.get_by_test_id("prompt-input").fill("typed before")
    app.kill()
    expect(page.get_by_test_id("generate-why")).to_have_text("Not connected. Your text is kept.")
    expect(button).to_be_disabled()

    page.get_by_test_id("prompt-input").fill("typed while away")
    page.get_by_test_id("width-input").fill("640")
    page.get_by_test_id("prompt-input").press("Control+Enter")
    page.evaluate("window.isOld = true")
    app.start()
    page.wait_for_function("!window.isOld", timeout=30_000)

    expect(page.get_by_test_id("prompt-input")).to_have_value("typed while away")
    expect(page.get_by_test_id("width-input")).to_have_value("640")
    expect(button).to_be_enabled()
    expect(page.get_by_test_id("queue-empty")).to_be_visible()
    page.get_by_test_id("steps-input").fill("1")
    button.click()
    expect_status(page, "typed while away", "done")


def test_help_is_there_for_every_keyboard(app: AppProcess, open_page: OpenPage) -> None:
    for width in (640, 800, 1280):
        page = open_page(app.url, width=width)
        expect(page.get_by_test_id("shortcuts")).to_be_visible()
    touch = open_page(app.url, width=768, height=1024, **_TOUCH)
    expect(touch.get_by_test_id("queue-panel")).to_be_visible()
    expect(touch.get_by_test_id("shortcuts")).to_be_hidden()


def test_fingers_find_every_action_large_enough(
    app: AppProcess, open_page: OpenPage, paused: Submit
) -> None:
    paused("under a finger")
    paused("under two fingers", count=3)
    page = open_page(app.url, width=768, height=1024, **_TOUCH)
    expect(card(page, "under a finger").get_by_test_id("job-cancel")).to_be_visible()

    small = page.evaluate(
        _SMALL, ".o-queue button, .o-form :is(button, .q-field__control), .o-head :is(button, a)"
    )

    assert small == []
    card(page, "under a finger").get_by_test_id("job-cancel").tap()
    expect_status(page, "under a finger", "cancelled")


def test_selecting_and_filtering_have_no_violations(
    app: AppProcess, open_page: OpenPage, paused: Submit
) -> None:
    paused("a pair for axe", count=2)
    page = open_page(app.url)
    card(page, "a pair for axe").first.click(modifiers=["Control"])
    page.get_by_test_id("queue-filter").click()
    expect(page.get_by_test_id("queue-filter-words")).to_be_focused()
    page.wait_for_timeout(500)  # faded-in text has its full contrast only then

    found = Axe().run(page, context=".o-queue").response["violations"]

    assert [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found] == []


def test_picture_fills_the_screen_and_comes_back(app: AppProcess, open_page: OpenPage) -> None:
    page = open_page(app.url)
    generate(page, "large as life", steps=2)
    expect_status(page, "large as life", "done")
    expect(page.get_by_test_id("live-preview").locator("img").first).to_be_visible()
    card(page, "large as life").focus()

    page.keyboard.press("f")

    page.wait_for_function("document.fullscreenElement?.dataset.testid === 'live-preview'")
    page.get_by_test_id("live-fullscreen").click()
    page.wait_for_function("!document.fullscreenElement")


def _say_ended(page: Page, jobs: list[dict]) -> None:
    """As the server does when a job that ran long has ended."""
    page.evaluate(
        """(jobs) => {
            const bar = document.querySelector("[data-testid=connection-state]").parentElement;
            window.runMethod(Number(bar.id.slice(1)), "ended", [jobs]);
        }""",
        jobs,
    )
