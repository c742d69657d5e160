"""The demo engine answers like the recorded ComfyUI server 0.33, message by message."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from backends.demo.server import DemoSettings, serve_demo
from tests.contract.demo_replay import (
    RECORDINGS,
    SLOW_DESCRIPTION,
    Gate,
    Replay,
    blanked,
    first_difference,
    load,
)

OBJECT_INFO = json.loads(files("backends.demo").joinpath("object_info.json").read_text("utf-8"))
CHECKPOINT = "tiny_sd15_random.safetensors"
SOCKET_RECORDINGS = sorted(
    path.stem for path in RECORDINGS.glob("*.json") if not path.stem.startswith("http_")
)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def url(tmp_path: Path, gate: Gate) -> AsyncIterator[str]:
    settings = DemoSettings(home=tmp_path, step_delay_s=0.0, checkpoints=(CHECKPOINT,))
    extra = {
        "RecSlow": (SLOW_DESCRIPTION, gate.run_slow),
        "KSampler": (OBJECT_INFO["KSampler"], gate.sample),
    }
    async with serve_demo(settings, extra_nodes=extra) as address:
        yield address


@pytest.mark.parametrize("name", SOCKET_RECORDINGS)
async def test_every_socket_hears_what_the_recorded_client_heard(
    name: str, url: str, gate: Gate
) -> None:
    replay = Replay(accepted(name, load(name)), url=url, gate=gate)

    await replay.run()

    assert not replay.differences, "\n".join(replay.differences)
    for who, listener in replay.listeners.items():
        heard = [replay.shape(each) for each in listener.heard]
        assert heard == [comparable(each) for each in replay.recorded(who)], who


def comparable(event: dict[str, Any]) -> object:
    return blanked({k: v for k, v in event.items() if k not in ("t", "who", "do")})


def accepted(name: str, tape: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The recording without the deviations this engine is allowed."""
    if name.startswith("28_"):
        # The recording heard step 10 while the older socket closed: it was already on its way.
        return [each for each in tape if not (each["who"] == "conn2" and shown_step(each) == 10)]
    return tape


def shown_step(event: dict[str, Any]) -> int | None:
    if event["do"] == "hear" and "message" not in event:
        return event.get("step")
    data = event.get("message", {}).get("data", {})
    if "nodes" in data and "2" in data["nodes"]:
        return data["nodes"]["2"]["value"]
    return data.get("value")


# Accepted: what only the pages of the real web interface ask for is not offered.
NOT_OFFERED = (
    "/settings/Comfy.X",
    "/experiment/models",
    "/internal/logs",
    "/internal/folder_paths",
    "/api/assets",
    "/templates/index.json",
    "/docs/",
)
# Accepted: offered with our own content; only the type of the answer is compared.
OWN_CONTENT = (
    "/global_subgraphs",
    "/node_replacements",
    "/extensions",
    "/models",
    "/embeddings",
    "/view_metadata",
    "/internal/files",
)
# Accepted: two thirds of the real description are texts for people, left out on both sides.
OWN_SYSTEM = ("comfy_package_versions", "argv")


def offered(name: str) -> list[dict[str, Any]]:
    return [
        pytest.param(each, id=f"{index}-{each['name']}")
        for index, each in enumerate(load(f"http_{name}"))
        if not each["path"].startswith(NOT_OFFERED) and each["path"] != "/"
    ]


async def ask(http: httpx.AsyncClient, entry: dict[str, Any]) -> httpx.Response:
    body = entry["body"]
    content = body if isinstance(body, str | None) else json.dumps(body)
    path = entry["path"].replace(" ", "%20")
    return await http.request(
        entry["method"], path, content=content, headers=entry["send_headers"] or {}
    )


def assert_same_head(answer: httpx.Response, entry: dict[str, Any]) -> None:
    assert answer.status_code == entry["status"]
    for header, value in entry["headers"].items():
        assert answer.headers.get(header) == value


@pytest.mark.parametrize("entry", offered("get"))
async def test_a_read_is_answered_as_recorded(entry: dict[str, Any], url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as http:
        answer = await ask(http, entry)

    assert_same_head(answer, entry)
    if entry["path"].endswith("/system_stats"):
        assert skeleton(answer.json()) == skeleton(entry["json"])
    elif entry["path"].startswith(OWN_CONTENT):
        assert "json" not in entry or type(answer.json()) is type(entry["json"] or answer.json())
    elif "json" in entry:
        assert answer.json() == entry["json"]
    else:
        assert answer.text == (entry["text"] or "")


def skeleton(value: Any) -> Any:
    """The keys of an answer; versions and amounts of memory are each server's own."""
    if isinstance(value, dict):
        return {key: None if key in OWN_SYSTEM else skeleton(each) for key, each in value.items()}
    return [skeleton(each) for each in value] if isinstance(value, list) else None


@pytest.mark.parametrize("entry", offered("origin"))
async def test_a_foreign_page_is_refused_as_recorded(entry: dict[str, Any], url: str) -> None:
    port = url.rpartition(":")[2]
    headers = {key: each.replace("8188", port) for key, each in entry["send_headers"].items()}

    async with httpx.AsyncClient(base_url=url) as http:
        answer = await ask(http, entry | {"send_headers": headers})

    assert_same_head(answer, entry)


async def test_queue_interrupt_free_and_history_are_controlled_as_recorded(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as http:
        for entry in load("http_control"):
            answer = await ask(http, entry)

            assert_same_head(answer, entry)
            assert (answer.json() if "json" in entry else answer.text) == (
                entry["json"] if "json" in entry else entry["text"]
            )


async def test_prompts_are_refused_and_numbered_as_recorded(url: str, tmp_path: Path) -> None:
    (tmp_path / "input" / "bad_image.png").write_bytes(b"not an image")
    differences: list[str] = []

    async with httpx.AsyncClient(base_url=url) as http:
        for _ in range(31):  # that many prompts had been counted before
            await http.post("/prompt", json={})
        for entry in load("http_prompt_errors"):
            answer = await ask(http, entry)
            ours = answer.json() if "json" in entry else answer.text
            theirs = entry["json"] if "json" in entry else entry["text"]
            if isinstance(theirs, dict) and entry["status"] == 200:
                theirs["prompt_id"] = ours["prompt_id"]
            parted = first_difference(
                [answer.status_code, answer.headers["content-type"], blanked(ours)],
                [entry["status"], entry["headers"]["content-type"], blanked(theirs)],
            )
            differences += [f"{entry['name']}{parted}"] if parted else []

    assert not differences, "\n".join(differences)


UPLOADS: dict[str, tuple[str, bytes, dict[str, str]]] = {
    "new file": ("up_293288406.png", b"first", {}),
    "same name same content": ("up_293288406.png", b"first", {}),
    "same name other content": ("up_293288406.png", b"second", {}),
    "same name third content": ("up_293288406.png", b"third", {}),
    "overwrite=true": ("up_293288406.png", b"fourth", {"overwrite": "true"}),
    "overwrite=1": ("up_293288406.png", b"fifth", {"overwrite": "1"}),
    "subfolder": ("up_293288406.png", b"first", {"subfolder": "a/b"}),
    "type=temp": ("up_293288406.png", b"first", {"type": "temp"}),
    "type=output": ("up_293288406.png", b"first", {"type": "output"}),
    "type=bogus": ("up_293288406.png", b"first", {"type": "bogus"}),
    "traversal filename": ("..%2F..%2Fevil.png", b"first", {}),
    "traversal subfolder": ("evil.png", b"first", {"subfolder": "../.."}),
    "non-image content accepted": ("bad_image.png", b"not an image", {}),
    "unicode + space name": ("%C3%BCn%C3%AF%20c%C3%B4de%20%281%29.png", b"first", {}),
    "mask on input image": (
        "masked_up_293288406.png",
        b"mask",
        {"original_ref": '{"filename": "drawn.png", "type": "input"}'},
    ),
    "mask missing original_ref": ("masked.png", b"mask", {}),
    "mask original does not exist": (
        "m3_up_293288406.png",
        b"mask",
        {"original_ref": '{"filename": "nowhere.png", "type": "input"}'},
    ),
}


async def test_uploads_are_named_and_refused_as_recorded(url: str, tmp_path: Path) -> None:
    (tmp_path / "input" / "drawn.png").write_bytes(png(mode="RGB", size=(32, 24)))

    async with httpx.AsyncClient(base_url=url) as http:
        for entry in load("http_upload"):
            if entry["status"] == 413:  # has a test of its own
                continue
            answer = await upload(http, entry)

            assert_same_head(answer, entry)
            assert (answer.json() if "json" in entry else answer.text) == (
                entry["json"] if "json" in entry else entry["text"]
            ), entry["name"]

    assert (tmp_path / "input" / "up_293288406 (2).png").read_bytes() == b"third"
    with Image.open(tmp_path / "input" / "masked_up_293288406.png") as masked:
        assert masked.mode == "RGBA"
    assert not (tmp_path / "input" / "m3_up_293288406.png").exists()


async def upload(http: httpx.AsyncClient, entry: dict[str, Any]) -> httpx.Response:
    if entry["body"] is not None:
        return await ask(http, entry)
    if entry["name"] == "wrong field name":
        return await http.post(entry["path"], files={"file": ("a.png", b"first")})
    filename, content, fields = UPLOADS[entry["name"]]
    if content == b"mask":
        content = png(mode="RGBA", size=(32, 24))
    return await http.post(entry["path"], files={"image": (filename, content)}, data=fields)


async def test_a_body_over_the_limit_is_refused_before_it_is_sent(url: str) -> None:
    entry = next(each for each in load("http_upload") if each["status"] == 413)
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    async with asyncio.timeout(5):
        head = f"POST /prompt HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 104857601\r\n\r\n"
        writer.write(head.encode())
        answer = await reader.readuntil(b"exceeded.")
    writer.close()
    await writer.wait_closed()

    assert answer.startswith(b"HTTP/1.1 413")
    assert answer.endswith(entry["text"].encode())


@pytest.fixture
def viewable(tmp_path: Path, url: str) -> Path:
    """The files that the recorded client looked at; `url` has made the folders."""
    assert url
    (tmp_path / "output" / "rec").mkdir()
    (tmp_path / "output" / "rec" / "h_00007_.png").write_bytes(png(mode="RGB", size=(64, 48)))
    for name in ("masked_up_293288406.png", "up_293288406.png"):
        (tmp_path / "input" / name).write_bytes(png(mode="RGBA", size=(32, 24)))
    (tmp_path / "input" / "bad_image.png").write_bytes(b"not an image")
    return tmp_path


@pytest.mark.usefixtures("viewable")
@pytest.mark.parametrize("entry", offered("view"))
async def test_a_file_is_shown_as_recorded(entry: dict[str, Any], url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as http:
        answer = await ask(http, entry)

    assert_same_head(answer, entry)
    if "image" in entry:
        with Image.open(io.BytesIO(answer.content)) as picture:
            assert [picture.format, picture.mode, list(picture.size)] == entry["image"]
    elif "magic" in entry:
        assert answer.content.hex().startswith(entry["magic"])
        assert len(answer.content) == entry["bytes"]
    else:
        assert answer.text == entry["text"]


@pytest.mark.usefixtures("viewable")
async def test_an_unchanged_file_is_not_sent_again(url: str) -> None:
    where = {"filename": "h_00007_.png", "subfolder": "rec"}
    async with httpx.AsyncClient(base_url=url) as http:
        first = await http.get("/view", params=where)

        again = await http.get(
            "/view", params=where, headers={"If-None-Match": first.headers["etag"]}
        )

    assert (again.status_code, again.content) == (304, b"")


def png(*, mode: str, size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, format="PNG")
    return buffer.getvalue()
