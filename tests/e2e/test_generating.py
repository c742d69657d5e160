"""The main job: a prompt in, a picture out, live."""

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import OpenPage
from tests.e2e.steps import (
    SLOW_MS,
    api,
    card,
    expect_status,
    generate,
    job_id,
    made_image,
    values_of,
)
from tests.recovery.processes import Engine
from tests.support.app_process import AppProcess


def test_progress_and_previews_are_watched_until_the_picture_is_there(
    app: AppProcess, open_page: OpenPage
) -> None:
    page = open_page(app.url)
    prompt = "layered alpine ridges at dawn"

    generate(page, prompt)
    expect_status(page, prompt, "running")
    live = page.get_by_test_id("live-preview").locator("img").first
    expect(live).to_be_visible()
    fractions = values_of(
        page,
        "[data-testid=job-progress]",
        "aria-valuenow",
        until=lambda: expect_status(page, prompt, "done"),
    )

    numbers = [float(value) for value in fractions]
    assert len(set(numbers)) >= 4
    assert numbers == sorted(numbers)
    expect(page.locator("[data-testid^=recent-]").locator("img").first).to_be_visible()


def test_preview_changes_while_the_picture_sharpens(app: AppProcess, open_page: OpenPage) -> None:
    page = open_page(app.url)
    prompt = "a ringed planet over dark seas"

    generate(page, prompt, steps=25)
    expect_status(page, prompt, "running")
    revisions = values_of(
        page,
        "[data-testid=live-preview]",
        "data-rev",
        until=lambda: expect_status(page, prompt, "done"),
    )

    assert len({value for value in revisions if value not in ("", "0")}) >= 3


def test_running_job_is_cancelled(app: AppProcess, open_page: OpenPage) -> None:
    page = open_page(app.url)
    prompt = "a city nobody waits for"
    generate(page, prompt, steps=200)
    expect_status(page, prompt, "running")

    card(page, prompt).get_by_test_id("job-cancel").click()

    expect_status(page, prompt, "cancelled")
    with api(app.url) as client:
        assert client.get("/queue").json()["running"] == 0


def test_cancelled_job_is_retried(app: AppProcess, open_page: OpenPage) -> None:
    page = open_page(app.url)
    prompt = "a meadow at second sight"
    generate(page, prompt, steps=60)
    expect_status(page, prompt, "running")
    card(page, prompt).get_by_test_id("job-cancel").click()
    expect_status(page, prompt, "cancelled")

    card(page, prompt).get_by_test_id("job-retry").click()

    expect_status(page, prompt, "done")


def test_held_job_waits_for_run(app: AppProcess, open_page: OpenPage) -> None:
    page = open_page(app.url)
    prompt = "a held breath over still water"
    page.get_by_test_id("hold-toggle").click()
    generate(page, prompt, steps=5)
    expect_status(page, prompt, "created")

    card(page, prompt).get_by_test_id("job-run").click()

    expect_status(page, prompt, "done")


def test_reload_in_the_middle_goes_on_showing_the_job(app: AppProcess, open_page: OpenPage) -> None:
    page = open_page(app.url)
    prompt = "a long exposure of silk"
    generate(page, prompt, steps=40)
    expect_status(page, prompt, "running")

    page.reload()

    expect_status(page, prompt, "running")
    expect_status(page, prompt, "done")


def test_form_survives_a_reload(app: AppProcess, open_page: OpenPage) -> None:
    page = open_page(app.url)
    prompt = page.get_by_test_id("prompt-input")
    prompt.fill("remember me\nin two lines")
    page.get_by_test_id("size-16-9").or_(page.get_by_test_id("size-16:9")).click()
    page.get_by_test_id("negative-prompt-input").fill("forgetting")
    page.get_by_test_id("negative-prompt-input").press("Tab")
    page.wait_for_timeout(800)  # the form is kept once typing pauses

    page.reload()

    expect(page.get_by_test_id("prompt-input")).to_have_value("remember me\nin two lines")
    expect(page.get_by_test_id("negative-prompt-input")).to_have_value("forgetting")


def test_two_browsers_see_the_same(app: AppProcess, open_page: OpenPage) -> None:
    first, second = open_page(app.url), open_page(app.url)
    prompt = "one nebula for two"
    expect(second.get_by_test_id("queue-panel")).to_be_visible()

    generate(first, prompt, steps=30)

    expect_status(second, prompt, "running")
    card(second, prompt).get_by_test_id("job-cancel").click()
    expect_status(first, prompt, "cancelled")
    expect_status(second, prompt, "cancelled")


@pytest.mark.outage
def test_job_finishes_after_the_app_was_killed_in_the_middle(own_app, open_page: OpenPage) -> None:
    app = own_app()
    page = open_page(app.url)
    prompt = "a lighthouse that outlives the storm"
    generate(page, prompt, steps=50)
    expect_status(page, prompt, "running")
    one = job_id(page, prompt)

    app.kill()
    app.start()

    expect_status(page, prompt, "done")
    with api(app.url) as client:
        images = client.get("/images", params={"jobId": one}).json()["images"]
    assert len(images) == 1


def test_markup_emoji_and_right_to_left_text_show_as_typed(
    app: AppProcess, open_page: OpenPage
) -> None:
    page = open_page(app.url)
    prompt = "<b onmouseover=alert(1)>bold</b> {{7*7}} 🦊 שלום עולם\n" + "\n".join("abcdefgh")

    generate(page, prompt, steps=3)
    expect_status(page, "🦊", "done")

    shown = card(page, "🦊").get_by_test_id("job-prompt")
    assert shown.text_content() == prompt
    image = made_image(app.url, prompt)
    page.goto(f"{app.url}/canvas/{image['id']}")
    expect(page.get_by_test_id("image-prompt").first).to_have_text(
        prompt, use_inner_text=False, timeout=SLOW_MS
    )


def test_empty_prompt_is_refused_beside_its_field(app: AppProcess, open_page: OpenPage) -> None:
    page = open_page(app.url)
    page.get_by_test_id("prompt-input").fill("   ")

    page.get_by_test_id("generate-button").click()

    expect(page.get_by_test_id("error-prompt")).to_contain_text("empty")
    with api(app.url) as client:
        assert "   " not in [job["prompt"] for job in client.get("/jobs").json()["jobs"]]


def test_ctrl_enter_generates(app: AppProcess, open_page: OpenPage) -> None:
    page = open_page(app.url)
    prompt = "shortcut to the sea"
    page.get_by_test_id("steps-input").fill("3")
    page.get_by_test_id("prompt-input").fill(prompt)

    page.get_by_test_id("prompt-input").press("Control+Enter")

    expect_status(page, prompt, "done")


def test_waiting_jobs_are_reordered_by_keyboard_and_the_queue_is_paused(
    app: AppProcess, open_page: OpenPage
) -> None:
    page = open_page(app.url)
    page.get_by_test_id("queue-pause").click()
    expect(page.get_by_test_id("queue-paused")).to_be_visible()
    for name in ("a tram in a queue", "a tram that overtakes"):
        generate(page, name, steps=3)
        expect_status(page, name, "queued")

    card(page, "a tram that overtakes").focus()
    page.keyboard.press("Alt+ArrowUp")

    prompts = page.get_by_test_id("queue-panel").get_by_test_id("job-prompt")
    expect(prompts.first).to_have_text("a tram that overtakes")
    page.get_by_test_id("queue-pause").click()
    expect_status(page, "a tram in a queue", "done")
    expect_status(page, "a tram that overtakes", "done")
    with api(app.url) as client:
        jobs = {job["prompt"]: job for job in client.get("/jobs").json()["jobs"]}
    assert jobs["a tram that overtakes"]["startedAt"] < jobs["a tram in a queue"]["startedAt"]


def test_failed_job_says_why_and_is_retried(
    own_app, open_page: OpenPage, faulty_engine: Engine
) -> None:
    app = own_app(
        BACKENDS=f'[{{"id": "farm", "name": "Farm", "url": "{faulty_engine.url}"}}]',
        RETRY__MAX_ATTEMPTS="1",
    )
    faulty_engine.fault(out_of_memory=True)
    prompt = "too large for this machine"
    body = {"prompt": prompt, "backend": "farm", "params": {"width": 64, "height": 64, "steps": 3}}
    page = open_page(app.url)
    with api(app.url) as client:
        client.post("/generate", json=body).raise_for_status()

    expect_status(page, prompt, "failed")
    expect(card(page, prompt).get_by_test_id("job-reason")).to_contain_text("memory")
    card(page, prompt).get_by_test_id("job-log").click()
    expect(card(page, prompt).get_by_test_id("job-log-lines")).to_contain_text("Failed")
    card(page, prompt).get_by_test_id("job-retry").click()

    expect_status(page, prompt, "done")
