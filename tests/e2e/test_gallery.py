"""What was made: look at it, download it, delete it, find it again."""

import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import OpenPage
from tests.e2e.steps import api, expect_status, generate, made_image, path_of
from tests.support.app_process import AppProcess

_PROMPTS = ("an agate slice", "a bauhaus pattern", "a dune at noon")


@pytest.fixture
def images(app: AppProcess) -> list[dict]:
    """Three pictures, newest first."""
    with api(app.url) as client:
        have = {each["prompt"] for each in client.get("/images").json()["images"]}
        for prompt in _PROMPTS:
            if prompt in have:
                continue
            body = {"prompt": prompt, "backend": "demo"}
            params = {"width": 256, "height": 256, "steps": 2}
            made = client.post("/generate", json={**body, "params": params}).json()
            with client.stream("GET", "/events", params={"topics": "job"}, timeout=30) as events:
                for _ in events.iter_lines():
                    if client.get(f"/jobs/{made['jobId']}").json()["status"] == "done":
                        break
    return [made_image(app.url, prompt) for prompt in reversed(_PROMPTS)]


def test_download_is_the_file_byte_for_byte(
    app: AppProcess, open_page: OpenPage, images: list[dict], tmp_path: Path
) -> None:
    page = open_page(f"{app.url}/canvas/{images[0]['id']}")

    with page.expect_download() as download:
        page.get_by_test_id("image-download").first.click()

    target = tmp_path / "picture.png"
    download.value.save_as(target)
    assert download.value.suggested_filename == images[0]["downloadName"]
    stored = app.home / "outputs" / images[0]["file"]
    assert target.read_bytes() == stored.read_bytes()


def test_deleted_picture_goes_and_undo_brings_it_back(
    app: AppProcess, open_page: OpenPage, images: list[dict]
) -> None:
    page = open_page(f"{app.url}/canvas")
    item = page.get_by_test_id(f"gallery-item-{images[1]['id']}")
    item.click()
    expect(page.get_by_test_id("lightbox")).to_be_visible()

    page.get_by_test_id("image-delete").first.click()
    expect(page.get_by_test_id("toast")).to_be_visible()
    with api(app.url) as client:
        listed = client.get("/images").json()["images"]
        assert images[1]["id"] not in [each["id"] for each in listed]
    page.get_by_test_id("toast-undo").click()

    page.get_by_test_id("lightbox-close").click()
    expect(item).to_be_visible()


def test_deep_link_opens_the_picture_and_back_returns_to_the_grid(
    app: AppProcess, open_page: OpenPage, images: list[dict]
) -> None:
    page = open_page(f"{app.url}/canvas")
    page.get_by_test_id(f"gallery-item-{images[0]['id']}").click()
    expect(page.get_by_test_id("lightbox")).to_be_visible()
    assert path_of(page) == f"/canvas/{images[0]['id']}"

    page.go_back()

    expect(page.get_by_test_id("lightbox")).to_be_hidden()
    assert path_of(page) == "/canvas"
    page.goto(f"{app.url}/canvas/{images[2]['id']}")
    expect(page.get_by_test_id("image-prompt").first).to_have_text(images[2]["prompt"])


def test_arrows_move_between_pictures(
    app: AppProcess, open_page: OpenPage, images: list[dict]
) -> None:
    page = open_page(f"{app.url}/canvas/{images[0]['id']}")
    expect(page.get_by_test_id("image-prompt").first).to_have_text(images[0]["prompt"])

    expect(page.get_by_test_id("lightbox-position")).to_contain_text("1")
    page.keyboard.press("ArrowRight")

    expect(page.get_by_test_id("image-prompt").first).to_have_text(images[1]["prompt"])


def test_search_narrows_the_grid_and_lives_in_the_address(
    app: AppProcess, open_page: OpenPage, images: list[dict]
) -> None:
    page = open_page(f"{app.url}/canvas")
    page.get_by_test_id("gallery-search").fill("bauhaus")
    page.get_by_test_id("gallery-search").press("Enter")

    expect(page.get_by_test_id(f"gallery-item-{images[1]['id']}")).to_be_visible()
    expect(page.get_by_test_id(f"gallery-item-{images[0]['id']}")).to_be_hidden()
    assert "q=bauhaus" in page.url
    page.reload()
    expect(page.get_by_test_id(f"gallery-item-{images[0]['id']}")).to_be_hidden()


def test_new_picture_arrives_live(app: AppProcess, open_page: OpenPage, images: list[dict]) -> None:
    page = open_page(f"{app.url}/canvas")
    expect(page.get_by_test_id(f"gallery-item-{images[0]['id']}")).to_be_visible()
    prompt = f"just arrived {len(images)}"
    maker = open_page(app.url)

    generate(maker, prompt, steps=3)
    expect_status(maker, prompt, "done")

    image = made_image(app.url, prompt)
    expect(page.get_by_test_id(f"gallery-item-{image['id']}")).to_be_visible()


def test_settings_of_a_picture_go_back_into_the_form(
    app: AppProcess, open_page: OpenPage, images: list[dict]
) -> None:
    page = open_page(f"{app.url}/canvas/{images[0]['id']}")

    page.get_by_test_id("image-use").first.click()

    expect(page.get_by_test_id("prompt-input")).to_have_value(images[0]["prompt"])
    expect(page.get_by_test_id("seed-input")).to_have_value(str(images[0]["seed"]))


def test_selected_pictures_are_deleted_together_and_restored(
    app: AppProcess, open_page: OpenPage, images: list[dict]
) -> None:
    page = open_page(f"{app.url}/canvas")
    first = page.get_by_test_id(f"gallery-item-{images[0]['id']}")
    second = page.get_by_test_id(f"gallery-item-{images[1]['id']}")
    first.click(modifiers=["Control"])
    second.click(modifiers=["Control"])
    expect(page.get_by_test_id("selection-count")).to_contain_text("2")

    page.keyboard.press("Delete")

    expect(first).to_be_hidden()
    expect(second).to_be_hidden()
    page.get_by_test_id("toast-undo").click()
    expect(first).to_be_visible()
    expect(second).to_be_visible()


def test_selected_pictures_come_as_one_zip(
    app: AppProcess, open_page: OpenPage, images: list[dict], tmp_path: Path
) -> None:
    page = open_page(f"{app.url}/canvas")
    for image in images[:2]:
        page.get_by_test_id(f"gallery-item-{image['id']}").click(modifiers=["Control"])
    expect(page.get_by_test_id("selection-count")).to_contain_text("2")

    with page.expect_download() as download:
        page.get_by_test_id("bulk-download").click()

    download.value.save_as(tmp_path / "pictures.zip")
    with zipfile.ZipFile(tmp_path / "pictures.zip") as archive:
        assert sorted(archive.namelist()) == sorted(each["downloadName"] for each in images[:2])
        stored = app.home / "outputs" / images[0]["file"]
        assert archive.read(images[0]["downloadName"]) == stored.read_bytes()
