"""Health, backends, events, and what stands before every route."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
from starlette.types import Message

from app.errors import StorageError
from app.models import JobState
from app.ports import Clock, JobStore
from data.database import Database
from data.jobs import SqlJobStore
from tests.support.fakes import LIMIT_S, FakeBackend, info
from tests.support.http import BASE, api, problem, stream
from tests.support.running import until_job

GPU = {"backend": "gpu-1"}


async def test_health_tells_how_every_part_is(home: Path) -> None:
    async with api(home, FakeBackend(info()), FakeBackend(info("gpu-2"), online=False)) as app:
        answer = await app.http.get("/api/health")

    assert answer.status_code == 200
    body = answer.json()
    assert (body["panel"]["status"], body["worker"]["status"]) == ("ok", "ok")
    assert body["comfyui"] == {
        "status": "online",
        "detail": "1 of 2 backends answer",
        "port": None,
    }
    assert body["uptimeSeconds"] >= 0


async def test_health_is_503_while_another_program_holds_the_database(home: Path) -> None:
    async with api(home, FakeBackend(info())) as app:
        database = app.services.settings.database
        with closing(sqlite3.connect(database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            answer = await app.http.get("/api/health")
            other.execute("ROLLBACK")
        after = await app.http.get("/api/health")

    assert answer.status_code == 503
    assert answer.json()["worker"]["status"] == "failed"
    assert "locked" in answer.json()["worker"]["detail"]
    assert after.status_code == 200


class FullDisk(SqlJobStore):
    """Cannot take in new jobs."""

    async def add(
        self, jobs: object, *, note: str, receipt: object = None, group: object = None
    ) -> NoReturn:
        """Fail."""
        raise StorageError("The disk is full.", fix="Free some space.")


async def test_a_submission_that_cannot_be_written_is_503_and_makes_nothing(home: Path) -> None:
    def full(database: Database, clock: Clock) -> JobStore:
        return FullDisk(database, clock=clock)

    async with api(home, FakeBackend(info()), job_store=full) as app:
        answer = await app.http.post("/api/generate", json={"prompt": "a fox", **GPU})
        queue = (await app.http.get("/api/queue")).json()
        jobs = (await app.http.get("/api/jobs")).json()["jobs"]

    details = problem(answer, 503)
    assert (details["code"], details["fix"]) == ("storage", "Free some space.")
    assert details["success"] is False
    assert (queue["queued"], jobs) == (0, [])


async def test_backends_are_listed_with_how_they_are(home: Path) -> None:
    backends = [FakeBackend(info()), FakeBackend(info("gpu-2"), online=False)]
    async with api(home, *backends) as app:
        listed = (await app.http.get("/api/backends")).json()["backends"]
        one = (await app.http.get("/api/backends/gpu-2")).json()
        unknown = await app.http.get("/api/backends/gpu-9")

    assert [(each["id"], each["online"]) for each in listed] == [("gpu-1", True), ("gpu-2", False)]
    assert listed[0]["models"]["checkpoints"] == ["model-a.safetensors"]
    assert one == listed[1]
    assert one["lastError"] == "GPU-2 does not answer."
    problem(unknown, 404)


async def test_the_description_of_the_api_is_complete(home: Path) -> None:
    async with api(home, FakeBackend(info())) as app:
        schema = (await app.http.get("/api/openapi.json")).json()
        docs = await app.http.get("/docs")

    operations = [
        (method, path, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]
    assert docs.status_code == 200
    assert len(operations) > 25
    for method, path, operation in operations:
        assert operation.get("summary"), (method, path)
        assert operation.get("description"), (method, path)
        assert any(status.startswith("2") for status in operation["responses"]), (method, path)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_unknown_paths_below_api_are_json_404(home: Path, method: str) -> None:
    async with api(home, FakeBackend(info())) as app:
        answer = await app.http.request(method, "/api/nothing/here")

    assert "/api/nothing/here" in problem(answer, 404)["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/generate", "POST"),
        ("PUT", "/api/jobs", "GET"),
        ("POST", "/api/images", "GET"),
        ("PATCH", "/api/queue", "GET"),
        ("GET", "/api/queue/pause", "POST"),
    ],
)
async def test_a_wrong_method_is_405_and_says_which_is_right(
    home: Path, method: str, path: str, allowed: str
) -> None:
    async with api(home, FakeBackend(info())) as app:
        answer = await app.http.request(method, path)

    problem(answer, 405)
    assert allowed in answer.headers["allow"]


async def test_events_are_told_as_they_happen(home: Path) -> None:
    backend = FakeBackend(info())
    async with api(home, backend) as app, stream(app.asgi, "/api/events") as events:
        head = await events.start()
        live = await events.event()
        job_id = await app.generate(**GPU)
        (await backend.next_prompt()).succeed()
        queued = await events.until("job.queued")
        progress = await events.until("job.progress")
        created = await events.until("image.created")
        done = await events.until("job.done")

    assert head["status"] == 200
    assert dict(head["headers"])[b"content-type"].startswith(b"text/event-stream")
    assert live == {"": "live"}
    assert int(queued["id"]) < int(created["id"]) < int(done["id"])
    assert json.loads(queued["data"])["jobId"] == str(job_id)
    assert "id" not in progress
    assert json.loads(progress["data"])["fraction"] == 1.0


async def test_events_of_other_topics_are_left_out(home: Path) -> None:
    backend = FakeBackend(info(), automatic=True)
    async with (
        api(home, backend) as app,
        stream(app.asgi, "/api/events", query="topics=image,job.done") as events,
    ):
        await events.start()
        await events.event()
        await app.generate(**GPU)
        kinds = [(await events.event() or {})["event"] for _ in range(2)]

    assert kinds == ["image.created", "job.done"]


async def test_what_was_missed_is_replayed_once_and_in_order(home: Path) -> None:
    backend = FakeBackend(info(), automatic=True)
    async with api(home, backend) as app:
        first = await app.picture(**GPU)
        logged = await app.services.event_log.events_after(0, limit=99)
        headers = {"last-event-id": str(logged[1].seq)}
        async with stream(app.asgi, "/api/events", headers=headers) as events:
            await events.start()
            replayed = [await events.event() for _ in logged[2:]]
            live = await events.event()
            second = await app.generate(**GPU)
            following = await events.until("job.queued")

    assert first["id"]
    assert [int((each or {})["id"]) for each in replayed] == [each.seq for each in logged[2:]]
    assert live == {"": "live"}
    assert json.loads(following["data"])["jobId"] == str(second)
    assert int(following["id"]) == logged[-1].seq + 1


@pytest.mark.parametrize("missed", ["999999", "9" * 19])
async def test_a_number_of_another_database_means_reset(home: Path, missed: str) -> None:
    backend = FakeBackend(info(), automatic=True)
    async with api(home, backend) as app:
        await app.picture(**GPU)
        async with stream(app.asgi, "/api/events", headers={"last-event-id": missed}) as events:
            await events.start()
            first = await events.event()

    assert (first or {})["event"] == "reset"


@pytest.mark.parametrize("nonsense", ["", "-1", "abc", "1.5", "9" * 5000])
async def test_a_last_event_id_that_is_no_number_is_ignored(home: Path, nonsense: str) -> None:
    async with (
        api(home, FakeBackend(info())) as app,
        stream(app.asgi, "/api/events", headers={"last-event-id": nonsense}) as events,
    ):
        head = await events.start()
        first = await events.event()

    assert (head["status"], first) == (200, {"": "live"})


async def test_the_stream_ends_when_the_app_stops(home: Path) -> None:
    async with api(home, FakeBackend(info())) as app, stream(app.asgi, "/api/events") as events:
        await events.start()
        await events.event()

        app.services.bus.close()

        assert await events.event() is None


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:3000", "127.0.0.1.evil.example", "", "[", "localhost@evil"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_foreign_host_is_refused(home: Path, host: str, method: str) -> None:
    async with api(home, FakeBackend(info())) as app:
        answer = await app.http.request(method, "/api/queue", headers={"host": host})

    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("host", ["127.0.0.1:3000", "localhost:3000", "[::1]:3000", "LOCALHOST"])
async def test_our_own_hosts_are_let_in(home: Path, host: str) -> None:
    async with api(home, FakeBackend(info())) as app:
        answer = await app.http.get("/api/queue", headers={"host": host})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8188"},
        {"origin": "http://127.0.0.1:3000.evil.example"},
        {"sec-fetch-site": "cross-site"},
    ],
)
async def test_another_sites_page_may_change_nothing(home: Path, headers: dict[str, str]) -> None:
    async with api(home, FakeBackend(info())) as app:
        answer = await app.http.post("/api/queue/pause", headers=headers)
        queue = (await app.http.get("/api/queue")).json()

    problem(answer, 403)
    assert queue["paused"] is False


async def test_our_own_page_may(home: Path) -> None:
    async with api(home, FakeBackend(info())) as app:
        headers = {"origin": BASE, "sec-fetch-site": "same-origin"}
        answer = await app.http.post("/api/queue/pause", headers=headers)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example", "origin": "http://evil.example"},
        {"host": "127.0.0.1:3000", "origin": "http://evil.example"},
        {"host": "127.0.0.1:3000", "sec-fetch-site": "cross-site"},
    ],
)
async def test_another_sites_page_gets_no_websocket(home: Path, headers: dict[str, str]) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "websocket",
        "path": "/_nicegui_ws/socket.io/",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    async with api(home, FakeBackend(info())) as app, asyncio.timeout(LIMIT_S):
        await app.asgi(scope, receive, send)

    assert [(each["type"], each["code"]) for each in sent] == [("websocket.close", 1008)]


async def test_a_body_over_the_limit_is_413_by_its_length(home: Path) -> None:
    async with api(home, FakeBackend(info())) as app:
        answer = await app.http.post("/api/generate", content=b"x" * (10 * 2**20 + 1))

    problem(answer, 413)


async def test_a_body_over_the_limit_is_413_without_a_length(home: Path) -> None:
    async def endless() -> AsyncGenerator[bytes]:
        for _ in range(11):
            yield b" " * 2**20

    async with api(home, FakeBackend(info())) as app:
        answer = await app.http.post(
            "/api/generate", content=endless(), headers={"content-type": "application/json"}
        )
        jobs = (await app.http.get("/api/jobs")).json()["jobs"]

    problem(answer, 413)
    assert jobs == []


async def test_every_answer_carries_the_security_headers(home: Path) -> None:
    async with api(home, FakeBackend(info())) as app:
        answers: list[httpx.Response] = [
            await app.http.get(path) for path in ("/api/queue", "/api/nothing", "/docs")
        ]

    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_a_mistake_of_ours_is_a_500_without_details(home: Path) -> None:
    async with api(home, FakeBackend(info(), automatic=True)) as app:
        job_id = await app.generate(**GPU)
        await until_job(app.services, job_id, JobState.DONE)
        with closing(sqlite3.connect(app.services.settings.database)) as other, other:
            other.execute("UPDATE job SET state = 'nonsense'")
        transport = httpx.ASGITransport(app=app.asgi, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            answer = await client.get(f"/api/jobs/{job_id}")

    details = problem(answer, 500)
    assert "nonsense" not in answer.text
    assert details["fix"]
