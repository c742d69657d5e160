"""Requests to a ComfyUI server: which answer or failure becomes which error of ours."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.config import Timeouts
from app.errors import (
    BackendError,
    BackendUnreachableError,
    BadOutputError,
    MissingCapabilityError,
    NotSentError,
    PromptRejectedError,
)
from app.models import BackendInfo
from backends.comfyui.client import ComfyClient
from backends.comfyui.files import ComfyFiles
from backends.comfyui.messages import OutputFile

DATA = Path(__file__).parent.parent / "data" / "comfyui"
PROMPT_ID = "01a1fc3b-d87b-710c-8baf-76b6e66cfe11"
RECORDED = {
    item["name"]: item for item in json.loads((DATA / "http" / "prompt_errors.json").read_text())
}
PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 100_000 + b"\x00\x00\x00\x00IEND\xaeB`\x82"

Handler = Callable[[httpx.Request], httpx.Response]


def _client(handler: Handler, *, url: str = "http://gpu-1:8188") -> ComfyClient:
    info = BackendInfo(id="gpu-1", name="GPU 1", kind="comfyui", url=url)
    return ComfyClient(info, timeouts=Timeouts(), transport=httpx.MockTransport(handler))


def _answering(status: int, body: Any) -> Handler:
    if isinstance(body, str):
        return lambda _: httpx.Response(status, text=body)
    return lambda _: httpx.Response(status, json=body)


def _raising(exc: Exception) -> Handler:
    def handler(_: httpx.Request) -> httpx.Response:
        raise exc

    return handler


async def _submit(client: ComfyClient) -> None:
    await client.submit({}, prompt_id=PROMPT_ID, client_id="c", extra_data={})


async def _rejection(recorded: dict[str, Any]) -> BackendError:
    body = recorded.get("json", recorded.get("text"))
    with pytest.raises(BackendError) as caught:
        await _submit(_client(_answering(recorded["status"], body)))
    return caught.value


@pytest.mark.parametrize(
    "recorded",
    [item for item in RECORDED.values() if item["status"] == 400],
    ids=lambda item: item["name"],
)
async def test_every_recorded_400_is_a_refusal_that_is_not_tried_again(
    recorded: dict[str, Any],
) -> None:
    error = await _rejection(recorded)

    assert isinstance(error, PromptRejectedError | MissingCapabilityError)
    assert not error.retryable
    assert "gpu-1" in error.message


@pytest.mark.parametrize(
    "recorded",
    [item for item in RECORDED.values() if item["status"] == 500],
    ids=lambda item: item["name"],
)
async def test_every_recorded_500_leaves_open_whether_the_prompt_is_there(
    recorded: dict[str, Any],
) -> None:
    error = await _rejection(recorded)

    assert type(error) is BackendUnreachableError


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("unknown node class (unconnected, with title)", MissingCapabilityError, "NoSuchNode"),
        ("value not in list (checkpoint)", MissingCapabilityError, "missing.safetensors"),
        ("value not in list (long list)", MissingCapabilityError, "sampler_name"),
        ("value below min", PromptRejectedError, "node 1 (EmptyImage), input 'width' = 0"),
        ("LoadImage missing file (custom validation)", PromptRejectedError, "nope.png"),
        ("several errors at once", PromptRejectedError, "node 9 (SaveImage)"),
        ("no outputs", PromptRejectedError, "Prompt has no outputs"),
    ],
)
async def test_a_refusal_names_the_node_the_input_and_the_value(
    name: str, kind: type[BackendError], words: str
) -> None:
    error = await _rejection(RECORDED[name])

    assert type(error) is kind
    assert words in error.message


async def test_an_accepted_prompt_is_sent_with_our_id_and_client() -> None:
    sent: list[dict[str, Any]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content))
        return httpx.Response(200, json={"prompt_id": PROMPT_ID, "number": 1, "node_errors": {}})

    await _submit(_client(handler))

    assert sent == [{"prompt": {}, "prompt_id": PROMPT_ID, "client_id": "c", "extra_data": {}}]


async def test_a_prompt_accepted_only_in_part_is_removed_and_rejected() -> None:
    errors = RECORDED["value below min"]["json"]["node_errors"]
    requests: list[tuple[str, Any]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        requests.append((f"{request.method} {request.url.path}", body))
        if request.url.path == "/prompt":
            return httpx.Response(200, json={"prompt_id": PROMPT_ID, "node_errors": errors})
        running = [[1, PROMPT_ID, {}, {}, []]]
        return httpx.Response(200, json={"queue_running": running, "queue_pending": []})

    with pytest.raises(PromptRejectedError, match="width"):
        await _submit(_client(handler))

    assert ("POST /interrupt", {"prompt_id": PROMPT_ID}) in requests


@pytest.mark.parametrize(
    "exc",
    [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow"), httpx.PoolTimeout("busy")],
    ids=lambda exc: type(exc).__name__,
)
async def test_without_a_connection_the_prompt_is_certainly_not_there(exc: Exception) -> None:
    with pytest.raises(NotSentError):
        await _submit(_client(_raising(exc)))


@pytest.mark.parametrize(
    "exc",
    [
        httpx.ReadTimeout("slow"),
        httpx.WriteError("reset"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("gone"),
    ],
    ids=lambda exc: type(exc).__name__,
)
async def test_a_connection_that_breaks_leaves_open_whether_the_prompt_is_there(
    exc: Exception,
) -> None:
    with pytest.raises(BackendUnreachableError) as caught:
        await _submit(_client(_raising(exc)))

    assert type(caught.value) is BackendUnreachableError


async def test_another_kind_of_server_at_the_address_never_got_the_prompt() -> None:
    with pytest.raises(NotSentError, match="404"):
        await _submit(_client(_answering(404, "Not Found")))


async def test_a_page_instead_of_json_is_no_comfyui() -> None:
    client = _client(_answering(200, "<html>router login</html>"))

    with pytest.raises(BackendUnreachableError, match="like ComfyUI"):
        await client.queue()


async def test_a_refused_connection_says_so_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    info = BackendInfo(id="gpu-1", name="GPU 1", kind="comfyui", url=f"http://127.0.0.1:{port}")
    client = ComfyClient(info, timeouts=Timeouts())

    with pytest.raises(BackendUnreachableError) as caught:
        await client.system_stats()
    await client.aclose()

    assert caught.value.message == (
        f"Backend 'gpu-1' at http://127.0.0.1:{port} does not answer: connection refused. "
        "Is ComfyUI running?"
    )


async def test_the_recorded_machine_is_read() -> None:
    body = json.loads((DATA / "http" / "system_stats.json").read_text())

    stats, latency_ms = await _client(_answering(200, body)).system_stats()

    assert (stats.version, stats.ram_total_bytes) == ("0.33.0", 25276514304)
    assert stats.gpu_name == "cpu"
    assert latency_ms > 0


async def test_the_recorded_catalog_is_read() -> None:
    body = json.loads((DATA / "object_info_core.json").read_text())

    catalog = await _client(_answering(200, body)).catalog()

    assert catalog.checkpoints == ("tiny_sd15_random.safetensors",)
    assert {"euler", "euler_ancestral"} <= set(catalog.samplers)
    assert {"normal", "karras"} <= set(catalog.schedulers)
    assert "KSampler" in catalog.node_classes


async def test_choices_in_the_newer_form_are_read_too() -> None:
    spec = ["COMBO", {"options": ["a.safetensors", "b.safetensors"]}]
    body = {"CheckpointLoaderSimple": {"input": {"required": {"ckpt_name": spec}}}}

    catalog = await _client(_answering(200, body)).catalog()

    assert catalog.checkpoints == ("a.safetensors", "b.safetensors")


@pytest.mark.parametrize(
    ("queues", "sent", "removed"),
    [
        (["pending", ""], [("/queue", {"delete": [PROMPT_ID]})], True),
        (["running", "running"], [("/interrupt", {"prompt_id": PROMPT_ID})], False),
        (
            ["pending", "running"],
            [("/queue", {"delete": [PROMPT_ID]}), ("/interrupt", {"prompt_id": PROMPT_ID})],
            False,
        ),
        (["", ""], [], False),
    ],
    ids=["waiting", "running", "started just now", "gone"],
)
async def test_stopping_a_prompt_names_it_and_stops_nothing_else(
    queues: list[str], sent: list[Any], removed: bool
) -> None:
    places = iter(queues)
    posted: list[Any] = []

    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            posted.append((request.url.path, json.loads(request.content)))
            return httpx.Response(200)
        place = next(places)
        body = {"queue_running": [[0, "other", {}, {}, []]], "queue_pending": []}
        if place:
            body[f"queue_{place}"] = [[1, PROMPT_ID, {}, {}, []]]
        return httpx.Response(200, json=body)

    assert await _client(handler).cancel(PROMPT_ID) is removed
    assert posted == sent


def _file(name: str = "x_00001_.png") -> OutputFile:
    return OutputFile(node_id="9", filename=name, subfolder="a/b", type="output")


async def test_a_file_arrives_in_chunks_whole_and_in_order() -> None:
    client = _client(lambda _: httpx.Response(200, content=PNG))

    chunks = [chunk async for chunk in ComfyFiles(client).view(_file())]

    assert b"".join(chunks) == PNG
    assert len(chunks) == 2


async def test_a_file_that_is_not_there_is_a_bad_output() -> None:
    with pytest.raises(BadOutputError, match=r"x_00001_\.png"):
        await anext(ComfyFiles(_client(_answering(404, ""))).view(_file()))


async def test_a_server_that_stumbles_over_a_file_may_be_asked_again() -> None:
    with pytest.raises(BackendUnreachableError, match="500"):
        await anext(ComfyFiles(_client(_answering(500, ""))).view(_file()))


@pytest.mark.parametrize(
    ("status", "content", "complete"),
    [
        (200, PNG, True),
        (200, PNG[:-1], False),
        (200, b"", False),
        (200, PNG[8:], False),
        (404, b"", False),
    ],
    ids=["whole", "cut short", "empty", "no PNG", "missing"],
)
async def test_only_a_whole_png_counts_as_found(
    status: int, content: bytes, complete: bool
) -> None:
    client = _client(lambda _: httpx.Response(status, content=content))

    assert await ComfyFiles(client).has_whole(_file()) is complete
