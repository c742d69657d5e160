"""Generate, jobs and queue over HTTP."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from app.errors import NodeFailedError
from app.ids import new_id
from app.models import JobState, Progress
from app.ports import JobFilter
from app.runs import RunFailed, RunPreviewed, RunProgressed
from app.submission import MAX_SEED
from tests.support.fakes import FakeBackend, info
from tests.support.http import SMALL, Api, api, problem
from tests.support.running import until, until_job

GOOD: dict[str, Any] = {"prompt": "a fox", "backend": "demo", "params": SMALL}
GPU: dict[str, Any] = {"prompt": "a fox", "backend": "gpu-1"}


async def jobs_made(app: Api) -> int:
    """How many jobs there are."""
    return len((await app.services.jobs.page(JobFilter(), limit=99)).items)


async def test_generate_makes_a_job_that_becomes_a_picture(home: Path) -> None:
    async with api(home) as app:
        answer = await app.http.post("/api/generate", json=GOOD)
        job_id = answer.json()["jobId"]
        await until_job(app.services, UUID(job_id), JobState.DONE)
        job = (await app.http.get(f"/api/jobs/{job_id}")).json()

    assert answer.status_code == 202
    assert answer.json() == {"success": True, "jobId": job_id, "jobIds": [job_id]}
    assert (job["id"], job["status"], job["backend"]) == (job_id, "done", "demo")
    assert job["params"]["width"] == 64
    assert job["result"]["images"][0]["url"].startswith("/api/images/")
    assert job["logs"][0].endswith("Submitted for demo")
    assert job["createdAt"].endswith("Z")


async def test_several_jobs_of_one_submission_share_a_group(home: Path) -> None:
    body = {**GPU, "count": 3, "params": {"seed": MAX_SEED}, "negativePrompt": "blur"}
    async with api(home, FakeBackend(info(), online=False)) as app:
        ids = (await app.http.post("/api/generate", json=body)).json()["jobIds"]
        jobs = [(await app.http.get(f"/api/jobs/{each}")).json() for each in ids]
        group = jobs[0]["groupId"]
        listed = (await app.http.get("/api/jobs", params={"groupId": group})).json()["jobs"]

    assert [job["params"]["seed"] for job in jobs] == [MAX_SEED, 0, 1]
    assert {job["groupId"] for job in jobs} == {group}
    assert [job["id"] for job in listed] == ids[::-1]
    assert [job["position"] for job in jobs] == [1, 2, 3]
    assert jobs[0]["reason"] == "GPU-1 does not answer."
    assert jobs[0]["negativePrompt"] == "blur"


async def test_both_spellings_of_fields_are_understood(home: Path) -> None:
    async with api(home, FakeBackend(info(), online=False)) as app:
        answers = [
            await app.http.post("/api/generate", json={**GPU, name: "blur", "hold": True})
            for name in ("negativePrompt", "negative_prompt")
        ]
        jobs = [
            (await app.http.get(f"/api/jobs/{each.json()['jobId']}")).json() for each in answers
        ]

    assert [job["negativePrompt"] for job in jobs] == ["blur", "blur"]
    assert [job["status"] for job in jobs] == ["created", "created"]


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("prompt", {"prompt": ""}),
        ("prompt", {"prompt": "  \n "}),
        ("prompt", {"prompt": "x" * 100_000}),
        ("prompt", {"prompt": 7}),
        ("prompt", {"prompt": "nul \x00"}),
        ("prompt", {"prompt": None}),
        ("params.width", {"params": {"width": 15}}),
        ("params.width", {"params": {"width": 100_000}}),
        ("params.height", {"params": {"height": 65}}),
        ("params.steps", {"params": {"steps": 0}}),
        ("params.steps", {"params": {"steps": 10_001}}),
        ("params.steps", {"params": {"steps": "many"}}),
        ("params.seed", {"params": {"seed": -1}}),
        ("params.seed", {"params": {"seed": 2**64}}),
        ("params.cfg", {"params": {"cfg": 1000}}),
        ("params.speed", {"params": {"speed": 1}}),
        ("params", {"params": [1]}),
        ("priority", {"priority": 101}),
        ("count", {"count": 65}),
        ("count", {"count": 0}),
        ("hold", {"hold": "perhaps"}),
        ("colour", {"colour": "red"}),
        ("backend", {"backend": ["demo"]}),
    ],
)
async def test_bad_input_names_the_field_and_makes_nothing(
    home: Path, field: str, body: dict[str, Any]
) -> None:
    async with api(home, FakeBackend(info())) as app:
        answer = await app.http.post("/api/generate", json={**GPU, **body})

        details = problem(answer, 422)
        assert await jobs_made(app) == 0
    assert [error["field"] for error in details["errors"]] == [field]
    assert field in details["detail"]
    assert details["code"] == "invalid"
    assert (details["success"], details["error"]) == (False, details["detail"])
    assert len(answer.content) < 2000


async def test_a_missing_field_is_named(home: Path) -> None:
    async with api(home, FakeBackend(info())) as app:
        answer = await app.http.post("/api/generate", json={"backend": "gpu-1"})

    assert problem(answer, 422)["errors"][0]["field"] == "prompt"


async def test_an_unknown_backend_is_400_with_the_text_old_clients_compare(home: Path) -> None:
    async with api(home, FakeBackend(info())) as app:
        answer = await app.http.post("/api/generate", json={**GPU, "backend": "gpu-9"})

        details = problem(answer, 400)
        assert await jobs_made(app) == 0
    assert (details["success"], details["error"]) == (False, "Invalid backend")
    assert details["errors"][0]["field"] == "backend"
    assert "gpu-1" in details["fix"]


@pytest.mark.parametrize(
    "body", [b"{", b"{'prompt': 1}", b'{"prompt": "\xff"}', b"prompt=fox", b"\x00"]
)
async def test_malformed_json_is_400_and_makes_nothing(home: Path, body: bytes) -> None:
    async with api(home, FakeBackend(info())) as app:
        answer = await app.http.post(
            "/api/generate", content=body, headers={"content-type": "application/json"}
        )

        details = problem(answer, 400)
        assert await jobs_made(app) == 0
    assert details["success"] is False


@pytest.mark.parametrize("body", [b"", b"[]", b'"fox"', b"null", b"7"])
async def test_json_that_is_no_object_is_422(home: Path, body: bytes) -> None:
    async with api(home, FakeBackend(info())) as app:
        answer = await app.http.post(
            "/api/generate", content=body, headers={"content-type": "application/json"}
        )

    problem(answer, 422)


async def test_a_lone_surrogate_is_refused_and_can_be_answered(home: Path) -> None:
    body = b'{"prompt": "half \\ud83e", "backend": "gpu-1"}'
    async with api(home, FakeBackend(info())) as app:
        answer = await app.http.post(
            "/api/generate", content=body, headers={"content-type": "application/json"}
        )

        details = problem(answer, 422)
        assert await jobs_made(app) == 0
    assert details["errors"][0]["field"] == "prompt"


async def test_a_lone_surrogate_is_refused_in_what_is_kept_or_passed_on_as_given(
    home: Path,
) -> None:
    bodies = {
        "/api/generate": {"prompt": "a fox", "backend": "demo", "metadata": {"a": ["\ud83e"]}},
        "/api/job-group": {
            "backend_ids": ["auto"],
            "workflow_json": {"1": {"class_type": "SaveImage", "inputs": {"text": "a \ud83e b"}}},
        },
    }
    async with api(home, FakeBackend(info())) as app:
        for path, body in bodies.items():
            answer = await app.http.post(
                path, content=json.dumps(body), headers={"content-type": "application/json"}
            )
            problem(answer, 422)
        assert await jobs_made(app) == 0


async def test_metadata_have_a_limit_because_every_job_keeps_them(home: Path) -> None:
    body = {"prompt": "a fox", "backend": "demo", "metadata": {"a": "x" * 70_000}}
    async with api(home, FakeBackend(info())) as app:
        details = problem(await app.http.post("/api/generate", json=body), 422)
    assert details["errors"][0]["field"] == "metadata"


async def test_prompts_come_back_as_typed(home: Path) -> None:
    prompts = ['<b>bold</b> & "q"', "🦊👩‍👩‍👧", "ثعلب أحمر", "\n".join("0123456789"), "  spaces  "]
    async with api(home, FakeBackend(info(), online=False)) as app:
        for prompt in prompts:
            await app.generate(prompt, backend="gpu-1")
        listed = (await app.http.get("/api/jobs")).json()["jobs"]

    assert [job["prompt"] for job in listed] == prompts[::-1]


async def test_the_same_idempotency_key_makes_one_job(home: Path) -> None:
    headers = {"Idempotency-Key": "k-1"}
    async with api(home, FakeBackend(info(), online=False)) as app:
        first = await app.http.post("/api/generate", json=GPU, headers=headers)
        again = await app.http.post("/api/generate", json=GPU, headers=headers)
        other = await app.http.post(
            "/api/generate", json={**GPU, "prompt": "a cat"}, headers=headers
        )

        details = problem(other, 422)
        assert await jobs_made(app) == 1
    assert (again.status_code, again.json()) == (202, first.json())
    assert details["errors"][0]["field"] == "Idempotency-Key"


async def test_too_many_submissions_are_told_when_there_is_room(home: Path) -> None:
    async with api(home, FakeBackend(info(), online=False), submissions_per_minute=2) as app:
        answers = [await app.http.post("/api/generate", json=GPU) for _ in range(3)]

        details = problem(answers[2], 429)
        assert await jobs_made(app) == 2
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60
    assert details["code"] == "too_many_requests"


async def test_jobs_page_by_cursor_without_gap_or_repeat(home: Path) -> None:
    async with api(home, FakeBackend(info(), online=False)) as app:
        ids = [str(await app.generate(str(number), backend="gpu-1")) for number in range(5)]
        seen: list[str] = []
        cursor: str | None = None
        for page in range(3):
            query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
            answer = (await app.http.get("/api/jobs", params=query)).json()
            seen += [job["id"] for job in answer["jobs"]]
            cursor = answer["nextCursor"]
            await app.generate(f"between {page}", backend="gpu-1")

    assert seen == ids[::-1]
    assert cursor is None


async def test_jobs_are_filtered(home: Path) -> None:
    async with api(home, FakeBackend(info(), online=False)) as app:
        fox = str(await app.generate("a Red fox", backend="gpu-1"))
        cat = str(await app.generate("a cat", backend="auto"))
        held = str(await app.generate("a dog", backend="gpu-1", hold=True))

        async def found(**query: Any) -> list[str]:
            answer = await app.http.get("/api/jobs", params=query)
            return [job["id"] for job in answer.json()["jobs"]]

        assert await found(q="red") == [fox]
        assert await found(status="created") == [held]
        assert await found(status=["created", "queued"]) == [held, cat, fox]
        assert await found(backend="auto") == [cat]
        assert await found(q="%") == []


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/jobs?limit=0", "limit"),
        ("/api/jobs?limit=501", "limit"),
        ("/api/jobs?limit=x", "limit"),
        ("/api/jobs?cursor=x", "cursor"),
        ("/api/jobs?cursor=-1", "cursor"),
        ("/api/jobs?cursor=99999999999999999999999", "cursor"),
        ("/api/jobs?status=running&status=lost", "status.1"),
        ("/api/jobs?groupId=7", "groupId"),
        ("/api/jobs/not-an-id", "job_id"),
    ],
)
async def test_a_bad_query_names_its_field(home: Path, path: str, field: str) -> None:
    async with api(home, FakeBackend(info())) as app:
        answer = await app.http.get(path)

    assert problem(answer, 422)["errors"][0]["field"] == field


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/preview"),
        ("POST", "/run"),
        ("POST", "/cancel"),
        ("POST", "/retry"),
    ],
)
async def test_unknown_jobs_are_404(home: Path, method: str, path: str) -> None:
    async with api(home, FakeBackend(info())) as app:
        answer = await app.http.request(method, f"/api/jobs/{new_id()}{path}")

    assert problem(answer, 404)["success"] is False


async def test_moving_an_unknown_job_is_404(home: Path) -> None:
    async with api(home, FakeBackend(info())) as app:
        answer = await app.http.post(f"/api/jobs/{new_id()}/move", json={"priority": 3})

    problem(answer, 404)


async def test_a_job_through_its_whole_life(home: Path) -> None:
    backend = FakeBackend(info())
    async with api(home, backend, retry={"max_attempts": 1}) as app:
        job_id = await app.generate(backend="gpu-1", hold=True)
        url = f"/api/jobs/{job_id}"
        released = await app.http.post(f"{url}/run")
        prompt = await backend.next_prompt()
        not_held = await app.http.post(f"{url}/run")
        not_failed = await app.http.post(f"{url}/retry")
        not_waiting = await app.http.post(f"{url}/move", json={"priority": 1})
        not_finished = await app.http.delete(url)
        prompt.push(RunProgressed(progress=Progress(fraction=0.5, step=1, steps=2, eta_s=1.25)))
        prompt.push(RunPreviewed(step=1, mime="image/jpeg", data=b"jpeg"))
        await until(app.services, lambda: app.services.jobs.preview(job_id) is not None)
        seen = (await app.http.get(url)).json()
        preview = await app.http.get(f"{url}/preview", params={"rev": 1})
        no_preview = await app.http.get(f"{url}/preview", params={"rev": 2})
        prompt.push(RunFailed(error=NodeFailedError("It broke.", fix="Mend it.")))
        await until_job(app.services, job_id, JobState.FAILED)
        failed = (await app.http.get(url)).json()
        again = await app.http.post(f"{url}/retry")
        await backend.next_prompt()
        cancelled = await app.http.post(f"{url}/cancel")
        await until_job(app.services, job_id, JobState.CANCELLED)
        twice = await app.http.post(f"{url}/cancel")
        removed = await app.http.delete(url)
        gone = await app.http.get(url)

    assert (released.status_code, released.json()["status"]) == (200, "queued")
    for answer in (not_held, not_failed, not_waiting, not_finished, twice):
        assert problem(answer, 409)["code"] == "conflict"
    assert seen["status"] == "running"
    assert seen["progress"] == {
        "fraction": 0.5,
        "step": 1,
        "steps": 2,
        "nodeId": None,
        "nodeTitle": None,
        "phase": 1,
        "phases": 1,
        "etaSeconds": 1.2,
    }
    assert (preview.content, preview.headers["content-type"]) == (b"jpeg", "image/jpeg")
    assert preview.headers["cache-control"] == "no-store"
    assert (no_preview.status_code, no_preview.content) == (204, b"")
    assert failed["result"]["error"] == "It broke."
    assert failed["result"]["diagnosis"] == {
        "code": "node_failed",
        "cause": "It broke.",
        "fix": "Mend it.",
        "nodeId": None,
    }
    assert again.json()["status"] == "queued"
    assert cancelled.json()["cancelRequested"] is True
    assert (removed.status_code, removed.content) == (204, b"")
    problem(gone, 404)


@pytest.mark.parametrize(
    "body", [{}, {"before": str(new_id()), "priority": 1}, {"priority": 101}, {"up": 1}]
)
async def test_a_move_without_one_clear_place_is_422(home: Path, body: dict[str, Any]) -> None:
    async with api(home, FakeBackend(info(), online=False)) as app:
        job_id = await app.generate(backend="gpu-1")

        answer = await app.http.post(f"/api/jobs/{job_id}/move", json=body)

    assert problem(answer, 422)["errors"]


async def test_the_queue_is_reordered_paused_and_emptied(home: Path) -> None:
    backend = FakeBackend(info())
    async with api(home, backend) as app:
        paused = (await app.http.post("/api/queue/pause")).json()
        first = await app.generate("first", backend="gpu-1")
        second = await app.generate("second", backend="gpu-1")
        moved = await app.http.post(f"/api/jobs/{second}/move", json={"before": str(first)})
        queue = (await app.http.get("/api/queue")).json()
        resumed = (await app.http.post("/api/queue/resume")).json()
        prompt = await backend.next_prompt()
        emptied = (await app.http.post("/api/queue/cancel-waiting")).json()
        prompt.succeed()
        await until_job(app.services, second, JobState.DONE)
        cleared = (await app.http.post("/api/jobs/clear-finished")).json()
        left = (await app.http.get("/api/jobs")).json()

    assert paused == {"paused": True, "queued": 0, "running": 0}
    assert moved.json()["position"] == 1
    assert queue == {"paused": True, "queued": 2, "running": 0}
    assert resumed["paused"] is False
    assert prompt.job_id == second
    assert (emptied, cleared) == ({"cancelled": 1}, {"removed": 2})
    assert left == {"jobs": [], "nextCursor": None}


_HELD = {"prompt": "a red fox", "backend": "demo", "hold": True}


async def test_key_is_not_used_up_by_a_refused_submission(home: Path) -> None:
    async with api(home) as app:
        headers = {"Idempotency-Key": "once"}
        wrong = {**_HELD, "backend": "nowhere"}
        assert (
            await app.http.post("/api/generate", json=wrong, headers=headers)
        ).status_code == 400

        answer = await app.http.post("/api/generate", json=_HELD, headers=headers)

        assert answer.status_code == 202
