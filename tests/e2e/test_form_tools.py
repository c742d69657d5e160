"""What the form can do beside a prompt: pictures to start from, masks, models, videos, prices."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import OpenPage
from tests.e2e.steps import SLOW_MS, api, card, expect_status, generate, made_image, violations
from tests.support.app_process import AppProcess
from tests.support.media import animation, sound
from tests.support.pictures import png

_PASTE = """async ([testid, bytes]) => {
    const file = new File([new Uint8Array(bytes)], "pasted.png", { type: "image/png" });
    const data = new DataTransfer();
    data.items.add(file);
    const more = { clipboardData: data, bubbles: true, cancelable: true };
    const event = new ClipboardEvent("paste", more);
    document.querySelector(`[data-testid="${testid}"]`).dispatchEvent(event);
}"""
_DROP = """([testid, bytes]) => {
    const file = new File([new Uint8Array(bytes)], "dropped.png", { type: "image/png" });
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(file);
    const target = document.querySelector(`[data-testid="${testid}"]`);
    target.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
}"""


_WRITES_A_TEXT = {
    "1": {
        "class_type": "EmptyLatentImage",
        "inputs": {"width": 64, "height": 64, "batch_size": 1},
    },
    "4": {
        "class_type": "CheckpointLoaderSimple",
        "inputs": {"ckpt_name": "demo_sdxl.safetensors"},
    },
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["1", 0], "vae": ["4", 2]}},
    "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": "x"}},
    "10": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
}


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture on disk."""
    path = tmp_path / "fox.png"
    path.write_bytes(png(size=(320, 192)))
    return path


def choose(page: Page, make: str, *, where: str | None = None) -> None:
    """Pick what to make, and where."""
    pick(page, "backend-select", make)
    if where is not None:
        pick(page, "where-select", where)


def pick(page: Page, testid: str, name: str) -> None:
    """Choose the entry of that name; the line below it tells how it stands with it."""
    page.get_by_test_id(testid).click()
    entry = page.get_by_role("option").filter(has=page.get_by_text(name, exact=True))
    entry.first.click()
    expect(page.get_by_role("option")).to_have_count(0)


def fill(page: Page, **values: object) -> None:
    """Type into fields by name."""
    for name, value in values.items():
        field = page.get_by_test_id(f"{name}-input")
        field.fill(str(value))
        field.press("Tab")


def test_only_what_is_painted_is_drawn_anew(
    app: AppProcess, open_page: OpenPage, picture: Path
) -> None:
    page = open_page(app.url, height=1400)
    prompt = "a door in a plain wall"
    choose(page, "SDXL, inpaint", where="Demo engine")
    page.get_by_test_id("image-file").set_input_files(picture)
    expect(page.get_by_test_id("image-size")).to_have_text("320 × 192")
    expect(page.get_by_test_id("width-input")).to_have_value("1344")
    fill(page, width=320, height=192)

    page.get_by_test_id("mask-paint").click()
    canvas = page.get_by_test_id("mask-canvas")
    expect(canvas).to_be_focused()
    page.get_by_test_id("mask-done").click()
    expect(page.get_by_test_id("mask-painter")).to_contain_text("Nothing is painted yet.")
    box = canvas.bounding_box()
    assert box
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + 40, steps=4)
    page.mouse.up()
    page.get_by_test_id("mask-done").click()
    expect(page.get_by_test_id("mask-shown")).to_be_visible()
    generate(page, prompt, steps=3)
    expect_status(page, prompt, "done")

    image = made_image(app.url, prompt)
    assert (image["workflowId"], image["params"]["mask"] is None) == ("sdxl-inpaint", False)
    page.goto(f"{app.url}/canvas/{image['id']}")
    expect(page.get_by_test_id("image-params")).to_contain_text("SDXL, inpaint")
    expect(page.get_by_test_id("image-source")).to_have_count(2)
    page.get_by_test_id("image-use").first.click()
    expect(page.get_by_test_id("mask-shown")).to_be_visible()
    expect(page.get_by_test_id("image-size")).to_have_text("320 × 192")


def test_a_mask_is_painted_with_the_keyboard_alone(
    app: AppProcess, open_page: OpenPage, picture: Path
) -> None:
    page = open_page(app.url, height=1400)
    choose(page, "SDXL, inpaint")
    page.get_by_test_id("image-file").set_input_files(picture)
    expect(page.get_by_test_id("image-shown")).to_be_visible()

    page.get_by_test_id("mask-paint").click()
    expect(page.get_by_test_id("mask-canvas")).to_be_focused()
    for key in ("ArrowLeft", "Space", "]", "ArrowDown", "Space", "Control+z", "x"):
        page.keyboard.press(key)
    expect(page.get_by_test_id("mask-erase")).to_have_attribute("aria-pressed", "true")
    assert violations(page) == []
    page.get_by_test_id("mask-done").click()

    expect(page.get_by_test_id("mask-shown")).to_be_visible()
    assert violations(page) == []


def test_pictures_come_by_paste_and_drop_and_what_is_none_is_refused(
    app: AppProcess, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(app.url)
    choose(page, "SDXL, from a picture")
    page.get_by_test_id("prompt-input").focus()
    page.evaluate(_PASTE, ["prompt-input", list(png(size=(96, 64)))])
    expect(page.get_by_test_id("image-size")).to_have_text("96 × 64")

    page.evaluate(_DROP, ["generation-form", list(png(size=(64, 96)))])
    expect(page.get_by_test_id("image-size")).to_have_text("64 × 96")

    page.get_by_test_id("image-remove").click()
    expect(page.get_by_test_id("image-shown")).to_be_hidden()
    page.get_by_test_id("prompt-input").fill("nothing to start from")
    page.get_by_test_id("generate-button").click()
    expect(page.get_by_test_id("error-image")).to_contain_text("needs a picture")


@pytest.mark.refused
def test_a_file_that_is_no_picture_says_so_beside_the_field(
    app: AppProcess, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(app.url)
    choose(page, "SDXL, from a picture")
    (tmp_path / "fake.png").write_text("no picture", encoding="utf-8")

    page.get_by_test_id("image-file").set_input_files(tmp_path / "fake.png")

    expect(page.get_by_test_id("error-image")).to_contain_text("no picture that can be read")


def test_a_picture_of_the_gallery_is_started_from(app: AppProcess, open_page: OpenPage) -> None:
    page = open_page(app.url)
    prompt = "a stone that becomes another"
    fill(page, width=128, height=64)
    generate(page, prompt, steps=2)
    expect_status(page, prompt, "done")
    image = made_image(app.url, prompt)

    choose(page, "SD 1.5, from a picture", where="Demo engine")
    page.get_by_test_id("image-gallery").click()
    page.get_by_test_id(f"choose-{image['id']}").click()
    expect(page.get_by_test_id("image-size")).to_have_text("128 × 64")
    page.get_by_test_id("image-remove").click()
    page.goto(f"{app.url}/canvas/{image['id']}")
    page.get_by_test_id("image-use-input").first.click()

    expect(page.get_by_test_id("image-size")).to_have_text("128 × 64")


def test_loras_are_found_by_typing_and_their_weight_is_kept(
    app: AppProcess, open_page: OpenPage
) -> None:
    page = open_page(app.url, height=1400)
    prompt = "ember over ink"
    choose(page, "SDXL", where="Demo engine")
    page.get_by_test_id("lora-add").fill("ember")
    page.get_by_role("option").filter(has_text="ember").first.click()
    weight = page.get_by_test_id("lora-0-weight")
    weight.fill("-0.4")
    weight.press("Tab")
    expect(page.get_by_test_id("lora-add")).to_have_value("")
    fill(page, width=64, height=64)
    generate(page, prompt, steps=2)
    expect_status(page, prompt, "done")

    params = made_image(app.url, prompt)["params"]
    assert [each["weight"] for each in params["loras"]] == [-0.4]
    page.reload()
    expect(page.get_by_test_id("lora-0-weight")).to_have_value("-0.4")


def test_a_video_plays_in_grid_and_lightbox(
    app: AppProcess, open_page: OpenPage, picture: Path
) -> None:
    page = open_page(app.url, height=1200)
    choose(page, "Video from a picture", where="Demo engine")
    page.get_by_test_id("image-file").set_input_files(picture)
    expect(page.get_by_test_id("image-shown")).to_be_visible()
    fill(page, width=128, height=64, steps=2)
    with api(app.url) as client:
        before = {each["id"] for each in client.get("/images").json()["images"]}
        page.get_by_test_id("generate-button").click()
        expect(page.get_by_test_id("live-video")).to_be_visible()
        images = client.get("/images").json()["images"]
    (video,) = [each for each in images if each["id"] not in before]

    page.goto(f"{app.url}/canvas")
    tile = page.get_by_test_id(f"gallery-item-{video['id']}")
    expect(tile.locator(".o-length")).to_have_text("0:02")
    tile.hover()
    expect(tile.locator("video")).to_be_visible()
    tile.click()
    player = page.get_by_test_id("lightbox-video")
    expect(player).to_be_visible()
    player.evaluate(
        "video => video.readyState >= 1 || new Promise(r => video.onloadedmetadata = r)"
    )
    paused = player.evaluate("video => video.paused")
    page.keyboard.press("Space")
    handle = player.element_handle()
    page.wait_for_function("([video, was]) => video.paused !== was", arg=[handle, paused])
    expect(page.get_by_test_id("image-params")).to_contain_text("Frames")
    page.wait_for_timeout(700)
    assert violations(page) == []


def test_sounds_texts_and_animations_are_shown_as_what_they_are(
    own_app, open_page: OpenPage, tmp_path: Path
) -> None:
    outputs = tmp_path / "pictures"
    outputs.mkdir()
    (outputs / "tone.flac").write_bytes(sound(seconds=2))
    (outputs / "wave.webp").write_bytes(animation(suffix=".webp", frames=5, frame_ms=300))
    app = own_app(OUTPUTS=str(outputs))
    page = open_page(f"{app.url}/canvas")
    with api(app.url) as client:
        asked = {"workflow_json": _WRITES_A_TEXT, "backend_ids": ["demo"]}
        client.post("/job-group", json=asked).raise_for_status()
        expect(page.locator("[data-testid^=gallery-item-]")).to_have_count(4)
        images = client.get("/images").json()["images"]
    by_file = {Path(each["file"]).suffix: each["id"] for each in images}

    waving = page.get_by_test_id(f"gallery-item-{by_file['.webp']}")
    waving.hover()
    expect(waving.locator("img.o-gal-moving")).to_be_visible()
    page.get_by_test_id(f"gallery-item-{by_file['.txt']}").click()
    expect(page.get_by_test_id("lightbox-text")).to_contain_text("width=64")
    page.goto(f"{app.url}/canvas/{by_file['.flac']}")
    player = page.get_by_test_id("lightbox-audio")
    expect(player).to_be_visible()
    page.keyboard.press("Space")
    handle = player.element_handle()
    page.wait_for_function("sound => !sound.paused && sound.duration > 1", arg=handle)


def test_the_price_is_agreed_to_before_anything_is_paid(own_app, open_page: OpenPage) -> None:
    app = own_app(ALLOW_GENERATION="true", FLUX__API_KEY="k" * 20, FLUX__URL="http://127.0.0.1:9")
    page = open_page(app.url)
    choose(page, "FLUX cloud")
    page.get_by_test_id("hold-toggle").click()
    page.get_by_test_id("prompt-input").fill("an expensive fox")
    expect(page.get_by_test_id("form-price")).to_contain_text("$0.06")

    page.get_by_test_id("generate-button").click()
    expect(page.get_by_test_id("payment-keep")).to_be_focused()
    page.wait_for_timeout(700)
    assert violations(page) == []
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("payment-dialog")).to_be_hidden()
    with api(app.url) as client:
        assert client.get("/jobs").json()["jobs"] == []
    page.get_by_test_id("generate-button").click()
    page.get_by_test_id("payment-agree").click()

    expect(card(page, "an expensive fox")).to_be_visible(timeout=SLOW_MS)
