"""ComfyUI's own API through this app: passed on as it is, to configured backends and no others."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.api.create import create_api
from app.config import Timeouts
from app.models import BackendInfo
from backends.comfyui.proxy import ComfyProxy
from main import guarded
from tests.support.fakes import FakeBackend
from tests.support.http import BASE
from tests.support.running import running

GPU = BackendInfo(id="gpu-1", name="GPU 1", kind="comfyui", url="http://gpu-1:8188")
SUB = BackendInfo(id="gpu-2", name="GPU 2", kind="comfyui", url="http://gpu-2:8188/comfy")


class Half(httpx.AsyncByteStream):
    """An answer that breaks in the middle."""

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        yield b"x" * 10
        raise httpx.ReadError("reset")


class Chunks(httpx.AsyncByteStream):
    """An answer in pieces."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        for start in range(0, len(self._data), 4):
            yield self._data[start : start + 4]


class Machine(httpx.AsyncBaseTransport):
    """Notes what it is asked, and answers as told."""

    def __init__(self) -> None:
        self.asked: list[httpx.Request] = []
        self.answer = httpx.Response(200, text="fine")
        self.error: Exception | None = None
        self.hangs = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.asked.append(request)
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        told = self.answer
        body = told.stream if isinstance(told.stream, Half) else Chunks(told.content)
        return httpx.Response(told.status_code, headers=told.headers, stream=body)


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
async def http(home: Path, machine: Machine) -> AsyncGenerator[httpx.AsyncClient]:
    async with running(home, FakeBackend(GPU), FakeBackend(SUB)) as services:
        proxy = ComfyProxy(timeouts=Timeouts(proxy_s=0.3), transport=machine)
        changed = replace(services, proxy=proxy)
        asgi = httpx.ASGITransport(app=guarded(create_api(changed), changed))
        async with httpx.AsyncClient(transport=asgi, base_url=BASE) as client:
            yield client


async def test_a_request_arrives_as_it_was_sent(http: httpx.AsyncClient, machine: Machine) -> None:
    machine.answer = httpx.Response(201, json={"ok": True}, headers={"ETag": '"1"'})

    answer = await http.post(
        "/api/comfy/userdata/a%2Fb.json?overwrite=true&x=%20",
        content=b"hello",
        headers={"Content-Type": "text/plain", "Comfy-User": "me"},
    )

    (asked,) = machine.asked
    assert str(asked.url) == "http://gpu-1:8188/userdata/a%2Fb.json?overwrite=true&x=%20"
    assert (asked.method, asked.content) == ("POST", b"hello")
    assert (asked.headers["content-type"], asked.headers["comfy-user"]) == ("text/plain", "me")
    assert asked.headers["host"] == "gpu-1:8188"
    assert (answer.status_code, answer.json(), answer.headers["etag"]) == (201, {"ok": True}, '"1"')


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_every_method_is_passed_on(
    http: httpx.AsyncClient, machine: Machine, method: str
) -> None:
    answer = await http.request(method, "/api/backends/gpu-2/comfy/queue")

    assert answer.status_code == 200
    assert [(each.method, str(each.url)) for each in machine.asked] == [
        (method, "http://gpu-2:8188/comfy/queue")
    ]


async def test_nothing_of_our_own_goes_to_the_backend(
    http: httpx.AsyncClient, machine: Machine
) -> None:
    await http.get(
        "/api/comfy/queue",
        headers={
            "Authorization": "Bearer secret",
            "Cookie": "session=secret",
            "Origin": BASE,
            "Referer": f"{BASE}/gallery",
            "Sec-Fetch-Site": "same-origin",
            "X-Forwarded-For": "10.0.0.1",
            "Connection": "keep-alive, X-Own",
            "X-Own": "secret",
            "Upgrade": "websocket",
        },
    )

    sent = machine.asked[0].headers
    assert "secret" not in str(sent.raw)
    ours = {"authorization", "cookie", "origin", "referer", "upgrade", "x-forwarded-for"}
    assert not ours & sent.keys()
    assert not any(name.startswith("sec-") for name in sent)


async def test_nothing_comes_back_that_acts_in_our_name(
    http: httpx.AsyncClient, machine: Machine
) -> None:
    machine.answer = httpx.Response(
        302,
        headers={
            "Set-Cookie": "theirs=1",
            "Location": "http://elsewhere.example/",
            "Access-Control-Allow-Origin": "*",
            "Clear-Site-Data": '"*"',
            "Service-Worker-Allowed": "/",
            "WWW-Authenticate": "Basic",
        },
    )

    answer = await http.get("/api/comfy/redirect", follow_redirects=False)

    assert answer.status_code == 302
    assert not {
        "set-cookie",
        "location",
        "access-control-allow-origin",
        "clear-site-data",
        "service-worker-allowed",
        "www-authenticate",
    } & set(answer.headers)


@pytest.mark.parametrize(
    ("content_type", "answered"),
    [
        ("text/html", "text/html"),
        ("image/svg+xml", "image/svg+xml"),
        ("application/javascript", "text/plain; charset=utf-8"),
        ("text/javascript; charset=utf-8", "text/plain; charset=utf-8"),
    ],
)
async def test_pages_and_scripts_of_a_backend_cannot_act_here(
    http: httpx.AsyncClient, machine: Machine, content_type: str, answered: str
) -> None:
    machine.answer = httpx.Response(
        200,
        content=b"<script>alert(1)</script>",
        headers={"Content-Type": content_type, "Content-Security-Policy": "default-src *"},
    )

    answer = await http.get("/api/comfy/page")

    assert answer.headers.get_list("content-security-policy") == ["sandbox"]
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert answer.headers["content-type"] == answered


@pytest.mark.parametrize(
    "path",
    [
        "%2e%2e/secret",
        "a/%2E%2E/%2e%2e/secret",
        "a/..%2fsecret",
        "%252e%252e/secret",
        "a%5c..%5csecret",
        "a%0d%0aHost:%20evil",
        "a%00b",
    ],
)
async def test_a_path_cannot_lead_out(http: httpx.AsyncClient, machine: Machine, path: str) -> None:
    answer = await http.get(f"{BASE}/api/backends/gpu-2/comfy/{path}")

    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert machine.asked == []


@pytest.mark.parametrize("path", ["http://evil.example/", "//evil.example/", "@evil.example/"])
async def test_an_address_in_the_path_is_only_a_path(
    http: httpx.AsyncClient, machine: Machine, path: str
) -> None:
    await http.get(f"{BASE}/api/comfy/{path}")

    assert [each.url.host for each in machine.asked] == ["gpu-1"]


@pytest.mark.parametrize("path", ["/api/backends/nobody/comfy/queue", "/api/backends/flux/comfy/x"])
async def test_only_configured_comfyui_backends_can_be_asked(
    http: httpx.AsyncClient, machine: Machine, path: str
) -> None:
    answer = await http.get(path)

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert machine.asked == []


@pytest.mark.parametrize(
    ("error", "status"),
    [(httpx.ConnectError("refused"), 502), (httpx.ReadTimeout("slow"), 504)],
    ids=["refused", "late"],
)
async def test_a_backend_that_does_not_answer_is_a_problem(
    http: httpx.AsyncClient, machine: Machine, error: Exception, status: int
) -> None:
    machine.error = error

    answer = await http.get("/api/comfy/queue")

    assert answer.status_code == status
    problem: dict[str, Any] = answer.json()
    assert (problem["code"], "gpu-1" in problem["detail"]) == ("unreachable", True)


async def test_a_backend_that_hangs_is_given_up(http: httpx.AsyncClient, machine: Machine) -> None:
    machine.hangs = True

    answer = await http.get("/api/comfy/queue")

    assert answer.status_code == 504


async def test_an_answer_that_breaks_off_is_not_passed_for_whole(
    http: httpx.AsyncClient, machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.answer = httpx.Response(200, stream=Half(), headers={"Content-Length": "100"})

    with pytest.raises(AssertionError):  # what a server makes of it: the connection is cut
        await http.get("/api/comfy/queue")

    assert "broke off" in caplog.text


async def test_the_status_tells_the_machine_and_its_models_in_one_answer(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.get("/api/comfy/status")

    assert answer.status_code == 200
    status = answer.json()
    assert status["backend"]["id"] == "gpu-1"
    assert status["models"] == {"checkpoints": ["model-a.safetensors"]}
    assert status["samplers"] == ["euler"]
    assert status["error"] is None
