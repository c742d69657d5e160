"""Videos to start from, in a real browser: given in a node and in the form, shown, run."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.steps import SLOW_MS
from tests.e2e.test_form_tools import choose
from tests.support.app_process import AppProcess
from tests.support.media import sound, video

NAME = "Invert a clip"
GRAPH: dict[str, Any] = {
    "1": {"class_type": "LoadVideo", "inputs": {"file": ""}},
    "2": {"class_type": "GetVideoComponents", "inputs": {"video": ["1", 0]}},
    "3": {"class_type": "ImageInvert", "inputs": {"image": ["2", 0]}},
    "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 0], "filename_prefix": "x"}},
    "5": {"class_type": "LoadAudio", "inputs": {"audio": ""}},
    "6": {"class_type": "SaveAudio", "inputs": {"audio": ["5", 0], "filename_prefix": "y"}},
}
_OURS = r"/api/inputs/[0-9a-f]{64}\."
_DROP = """([testid, bytes]) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes)], "clip.webm", { type: "video/webm" }));
    const dropped = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
    document.querySelector(`[data-testid="${testid}"]`).dispatchEvent(dropped);
}"""

Open = Callable[..., Page]


@pytest.fixture
def workflow(app: AppProcess) -> Iterator[str]:
    """A saved workflow that takes a video and a sound, for one test; its id."""
    with httpx.Client(base_url=f"{app.url}/api", trust_env=False) as client:
        made = client.post("/workflows/import", params={"name": NAME}, json=GRAPH)
        made.raise_for_status()
        yield made.json()["id"]
        client.delete(f"/workflows/{made.json()['id']}").raise_for_status()


def clip(folder: Path) -> Path:
    """A video that Chromium plays."""
    file = folder / "clip.webm"
    file.write_bytes(video(suffix=".webm", codec="libvpx-vp9"))
    return file


@pytest.mark.refused
def test_a_video_given_in_the_form_is_shown_and_runs(
    app: AppProcess, open_page: Open, workflow: str, tmp_path: Path
) -> None:
    (tmp_path / "fake.mp4").write_text("no video", encoding="utf-8")
    (tmp_path / "voice.flac").write_bytes(sound(seconds=1))
    page = open_page(app.url)
    choose(page, NAME)

    page.get_by_test_id("option-video-file").set_input_files(tmp_path / "fake.mp4")
    expect(page.get_by_test_id("error-option-video")).to_contain_text("fake.mp4 is no video")
    page.get_by_test_id("option-video-file").set_input_files(tmp_path / "voice.flac")
    expect(page.get_by_test_id("error-option-video")).to_contain_text("voice.flac is no video")
    page.evaluate(_DROP, ["option-video-drop", list(clip(tmp_path).read_bytes())])
    shown = page.get_by_test_id("option-video-shown")
    expect(shown).to_have_attribute("src", re.compile(_OURS + "webm$"))
    expect(page.get_by_test_id("option-video-size")).to_have_text("64 × 48")
    assert shown.evaluate("video => [video.tagName, video.muted]") == ["VIDEO", True]
    expect(page.get_by_test_id("error-option-video")).to_be_empty()
    page.get_by_test_id("option-audio-file").set_input_files(tmp_path / "voice.flac")
    heard = page.get_by_test_id("option-audio-shown")
    expect(heard).to_have_attribute("src", re.compile(_OURS + "flac$"))
    page.reload()
    expect(shown).to_be_visible()
    page.get_by_test_id("generate-button").click()

    done = page.locator("[data-testid^=job-card-]").filter(has_text=NAME).first
    expect(done.get_by_test_id("job-status")).to_have_attribute(
        "data-status", "done", timeout=SLOW_MS
    )
    page.get_by_test_id("option-video-remove").click()
    expect(shown).to_have_count(0)


def test_a_video_given_in_a_node_is_shown_there(
    app: AppProcess, open_page: Open, workflow: str, tmp_path: Path
) -> None:
    page = open_page(f"{app.url}/builder/{workflow}", width=1440, height=900)
    node = page.get_by_test_id("node-1")

    node.get_by_test_id("file-file").set_input_files(clip(tmp_path))

    shown = node.get_by_test_id("picture-file")
    expect(shown).to_have_attribute("src", re.compile(_OURS + "webm$"))
    page.reload()
    expect(shown).to_be_visible()
    assert shown.evaluate("video => [video.tagName, video.muted]") == ["VIDEO", True]
