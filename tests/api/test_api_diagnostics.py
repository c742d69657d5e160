"""Status, metrics, log, incidents, quarantines and the self-test, over HTTP."""

import asyncio
import logging
import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from app.errors import NodeFailedError
from app.ids import new_id
from app.models import JobState
from app.runs import RunFailed
from app.selftest import LEGS
from tests.support.fakes import FakeBackend, info
from tests.support.http import Api, api, problem
from tests.support.running import until_job

GPU = {"backend": "gpu-1"}
NAMES = {
    "orchestrator_http_requests_total",
    "orchestrator_http_request_duration_seconds_bucket",
    "orchestrator_comfy_api_calls_total",
    "orchestrator_jobs",
    "orchestrator_job_duration_seconds_bucket",
    "orchestrator_queue_wait_seconds_bucket",
    "orchestrator_backend_up",
    "orchestrator_event_loop_lag_seconds",
    "process_cpu_seconds_total",
}


async def figures(app: Api) -> dict[str, dict[str, float]]:
    """The metrics: name → labels as text → value."""
    answer = await app.http.get("/api/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


async def test_metrics_have_the_names_that_are_documented(home: Path) -> None:
    async with api(home) as app:
        await app.picture()
        missing = await app.http.get("/api/jobs/not-an-id")
        found = await figures(app)

    assert missing.status_code == 422
    assert NAMES - set(found) == set()
    requests = found["orchestrator_http_requests_total"]
    assert requests["method=POST,route=/api/generate,status=202"] == 1
    assert requests["method=GET,route=/api/jobs/{job_id},status=422"] == 1
    assert found["orchestrator_jobs"]["status=done"] == 1
    assert found["orchestrator_job_duration_seconds_count"] == {"backend=demo": 1}
    assert found["orchestrator_queue_wait_seconds_count"] == {"": 1}
    assert found["orchestrator_backend_up"] == {"backend=demo": 1}
    assert found["orchestrator_comfy_api_calls_total"]["endpoint=/prompt,status=200"] == 1


async def test_metrics_name_no_addresses_and_tell_backends_that_are_down(home: Path) -> None:
    async with api(home, FakeBackend(info()), FakeBackend(info("gpu-2"), online=False)) as app:
        for number in range(3):
            await app.http.get(f"/api/nothing/{number}")
            await app.http.get(f"/api/jobs/{new_id()}")
        found = await figures(app)

    routes = {
        route
        for labels in found["orchestrator_http_requests_total"]
        if (route := labels.split(",")[1].removeprefix("route="))
    }
    assert routes == {"other", "/api/jobs/{job_id}"}
    assert found["orchestrator_backend_up"] == {"backend=gpu-1": 1, "backend=gpu-2": 0}


async def test_status_tells_everything_at_once(home: Path) -> None:
    async with api(home, FakeBackend(info(), automatic=True)) as app:
        job_id = await app.generate(**GPU)
        await until_job(app.services, job_id, JobState.DONE)
        answer = await app.http.get("/api/status")

    body = answer.json()
    assert answer.status_code == 200
    assert body["jobs"]["total"] == body["jobs"]["byState"]["done"] == 1
    assert body["jobs"]["successRate"] == 1
    assert body["jobs"]["paces"][0]["backendId"] == "gpu-1"
    assert [each["id"] for each in body["backends"]] == ["gpu-1"]
    assert body["matrix"]["rows"][0]["name"] == "model-a.safetensors"
    assert {each["name"] for each in body["paths"]} > {"home", "outputs", "logs"}
    assert body["samples"][0]["ramTotal"] > 0
    assert body["selfTest"] is None
    assert body["incidents"] == body["quarantines"] == []


async def test_no_secret_is_in_any_answer(home: Path) -> None:
    token, key = "a-token-of-the-tests", "sk-secret-1234567"
    async with api(home, FakeBackend(info()), auth_token=token, flux={"api_key": key}) as app:
        book = app.services.diagnostics.log_book
        kept = [file.read_text(encoding="ascii") for file in home.glob("*.key")]
        for secret in (token, key, *kept):
            text = f"Sent {secret}"
            book.keep(logging.LogRecord("x", logging.INFO, "x.py", 1, text, None, None))
        headers = {"Authorization": f"Bearer {token}"}
        paths = ("/api/status", "/api/logs", "/api/metrics", "/api/incidents")
        answers = [await app.http.get(path, headers=headers) for path in paths]
        refused = [await app.http.get(path) for path in paths]

    assert [each.status_code for each in answers] == [200] * len(paths)
    assert [each.status_code for each in refused] == [401] * len(paths)
    assert kept
    assert "Sent •••" in answers[1].text
    for answer in answers:
        assert [each for each in (token, key, *kept) if each in answer.text] == []
    assert re.search(r'"key":"auth_token","value":"•••"', answers[0].text)


async def test_the_log_is_filtered(home: Path) -> None:
    async with api(home, FakeBackend(info())) as app:
        book = app.services.diagnostics.log_book
        job_id = new_id()
        for level, text in ((20, "Started"), (30, f"Job {job_id} is late"), (40, "Broken")):
            book.keep(logging.LogRecord("app.x", level, "x.py", 1, text, None, None))

        async def messages(**query: str) -> list[str]:
            answer = await app.http.get("/api/logs", params=query)
            return [each["message"] for each in answer.json()["records"]]

        warnings = await messages(level="warning")
        of_job = await messages(jobId=str(job_id))
        with_word = await messages(q="broken app")
        newest = await messages(limit="1")
        wrong = await app.http.get("/api/logs", params={"level": "loud"})

    assert warnings == [f"Job {job_id} is late", "Broken"]
    assert of_job == [f"Job {job_id} is late"]
    assert with_word == newest == ["Broken"]
    problem(wrong, 422)


async def test_a_failed_job_is_an_incident_with_cause_and_fix_that_can_be_closed(
    home: Path,
) -> None:
    backend = FakeBackend(info())
    async with api(home, backend, retry={"max_attempts": 1}) as app:
        job_id = await app.generate(**GPU)
        error = NodeFailedError("KSampler failed.", fix="Choose fewer steps.")
        (await backend.next_prompt()).push(RunFailed(error=error))
        await until_job(app.services, job_id, JobState.FAILED)
        # The watcher hears of it after we do.
        incident = await _first_incident(app)
        resolved = await app.http.post(f"/api/incidents/{incident['id']}/resolve")
        again = await app.http.post(f"/api/incidents/{incident['id']}/resolve")
        unknown = await app.http.post(f"/api/incidents/{new_id()}/resolve")
        still_open = await app.http.get("/api/incidents")
        history = await app.http.get("/api/incidents", params={"state": "all"})

    assert incident["code"] == "node_failed"
    assert incident["title"]
    assert (incident["cause"], incident["fix"]) == ("KSampler failed.", "Choose fewer steps.")
    assert (incident["backendId"], incident["jobIds"]) == ("gpu-1", [str(job_id)])
    assert resolved.json()["resolvedAt"] is not None
    problem(again, 409)
    problem(unknown, 404)
    assert still_open.json()["incidents"] == []
    assert [each["id"] for each in history.json()["incidents"]] == [incident["id"]]


async def _first_incident(app: Api) -> dict[str, object]:
    with app.services.bus.subscribe() as inbox:
        async with asyncio.timeout(10):
            while not (found := (await app.http.get("/api/incidents")).json()["incidents"]):
                await inbox.wait()
                inbox.drain()
    return found[0]


async def test_a_quarantine_is_listed_with_its_fix_and_lifted(home: Path) -> None:
    async with api(home, FakeBackend(info())) as app:
        await app.services.health.quarantine(
            "model", "a.ckpt", backend_id="gpu-1", code="corrupt_model", reason="It is damaged."
        )
        (listed,) = (await app.http.get("/api/quarantines")).json()["quarantines"]
        lifted = await app.http.post(f"/api/quarantines/{listed['id']}/lift")
        again = await app.http.post(f"/api/quarantines/{listed['id']}/lift")
        left = (await app.http.get("/api/quarantines")).json()["quarantines"]

    assert (listed["subject"], listed["reason"]) == ("a.ckpt", "It is damaged.")
    assert listed["fix"]
    assert lifted.json()["liftedAt"] is not None
    problem(again, 409)
    assert left == []


async def test_the_self_test_makes_a_picture_shows_its_legs_and_leaves_nothing(
    home: Path,
) -> None:
    async with api(home) as app:
        answer = await app.http.post("/api/self-test")
        jobs = (await app.http.get("/api/jobs")).json()["jobs"]
        images = (await app.http.get("/api/images")).json()["images"]
        status = (await app.http.get("/api/status")).json()

    body = answer.json()
    assert answer.status_code == 200
    assert (body["state"], body["error"]) == ("passed", None)
    assert [leg["name"] for leg in body["legs"]] == list(LEGS)
    assert [leg["name"] for leg in body["legs"] if leg["ms"] is None] == ["page"]
    assert body["totalMs"] > 0
    assert body["slowest"] in LEGS
    assert jobs == images == []
    assert status["selfTest"] == body


async def test_the_self_test_says_why_it_cannot_run(home: Path) -> None:
    async with api(home, FakeBackend(info())) as app:
        without = await app.http.post("/api/self-test")
    async with api(home) as app:
        await app.http.post("/api/queue/pause")
        paused = await app.http.post("/api/self-test")

    assert "demo engine" in problem(without, 409)["detail"]
    assert "paused" in problem(paused, 409)["detail"]


async def test_a_self_test_that_is_cancelled_says_so(home: Path) -> None:
    async with api(home, demo_step_delay_s=5) as app:
        test = app.services.diagnostics.self_test
        started = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(test.run(started.set))
            async with asyncio.timeout(10):
                while (view := test.view(say=str)) is None or view.job_id is None:
                    started.clear()
                    await started.wait()
            busy = await app.http.post("/api/self-test")
            await app.http.post(f"/api/jobs/{view.job_id}/cancel")
            await running
        ended = test.view(say=str)

    assert "under way" in problem(busy, 409)["detail"]
    assert ended is not None
    assert (ended.state, bool(ended.error)) == ("failed", True)
