"""Manifest jobs, job groups and their socket, and webhooks over HTTP."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from app.ids import new_id
from app.models import JobState, Progress
from app.ports import JobFilter
from app.runs import RunProgressed
from tests.support.fakes import FakeBackend, info
from tests.support.http import Api, api, problem, socket
from tests.support.running import until_job, until_sent

TOKEN = "a-token-that-is-long-enough"
GRAPH: dict[str, Any] = {
    "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    "3": {"class_type": "KSampler", "inputs": {"seed": 1, "steps": 4, "text": "a blue hare"}},
}


async def jobs_made(app: Api) -> int:
    """How many jobs there are."""
    return len((await app.services.jobs.page(JobFilter(), limit=99)).items)


async def group_of(app: Api, **changes: Any) -> dict[str, Any]:
    """A new group on both machines."""
    body = {
        "workflow_id": "text-to-image",
        "parameters": {"prompt": "a fox"},
        "backend_ids": ["gpu-1", "gpu-2"],
        **changes,
    }
    answer = await app.http.post("/api/job-group", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def machines(*, online: bool = True, automatic: bool = False) -> list[FakeBackend]:
    """Two of them."""
    return [
        FakeBackend(info(name), online=online, automatic=automatic) for name in ("gpu-1", "gpu-2")
    ]


async def test_a_manifest_job_waits_with_its_parameters_in_place(home: Path) -> None:
    parameters = {"prompt": "a fox", "negative_prompt": "blur", "steps": 3, "seed": 42}
    body = {
        "workflow_id": "sdxl",
        "parameters": parameters,
        "metadata": {"shot": "010"},
        "priority": 3,
    }
    async with api(home, *machines(online=False)) as app:
        answer = await app.http.post("/api/job", json=body, headers={"X-Client-Name": "storyboard"})
        accepted = answer.json()
        job = (await app.http.get(f"/api/jobs/{accepted['job_id']}")).json()

    assert answer.status_code == 202
    assert accepted["status"] == "queued"
    assert accepted["submitted_at"] == job["createdAt"]
    assert set(accepted) == {"job_id", "status", "message", "submitted_at"}
    assert (job["workflowId"], job["backend"], job["source"]) == ("sdxl", "auto", "storyboard")
    assert (job["params"]["steps"], job["params"]["seed"], job["priority"]) == (3, 42, 3)
    assert (job["negativePrompt"], job["metadata"]) == ("blur", {"shot": "010"})


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"workflow_id": "nothing"}, 404, None),
        ({"backend_id": "gpu-9"}, 400, "backend_id"),
        ({"parameters": {"prompt": "x", "steps": 0}}, 422, "parameters.steps"),
        ({"parameters": {"prompt": "x", "frames": 3}}, 422, "parameters.frames"),
        ({"parameters": {"prompt": "x", "image": "x.png"}}, 422, "parameters.image"),
        ({"parameters": {"steps": 3}}, 422, "parameters.prompt"),
        ({"priority": 101}, 422, "priority"),
        ({"colour": "red"}, 422, "colour"),
    ],
)
async def test_a_wrong_manifest_names_what_is_wrong_and_makes_nothing(
    home: Path, changes: dict[str, Any], status: int, field: str | None
) -> None:
    body = {"workflow_id": "sdxl", "parameters": {"prompt": "a fox"}, **changes}
    async with api(home, *machines()) as app:
        answer = await app.http.post("/api/job", json=body)

        details = problem(answer, status)
        assert await jobs_made(app) == 0
    if field is not None:
        assert [error["field"] for error in details["errors"]] == [field]


@pytest.mark.parametrize("path", ["/api/job-group", "/api/job-groups"])
async def test_a_group_is_one_job_on_each_backend_with_a_seed_of_its_own(
    home: Path, path: str
) -> None:
    body = {
        "workflow_id": "text-to-image",
        "parameters": {"prompt": "a fox"},
        "backend_ids": ["gpu-1", "gpu-2", "gpu-1"],
        "seed_strategy": "fibonacci",
        "base_seed": 100,
        "metadata": {"shot": 1},
        "timeout_seconds": 60,
    }
    async with api(home, *machines(online=False)) as app:
        answer = await app.http.post(path, json=body)
        made = answer.json()
        group = (await app.http.get(f"/api/job-groups/{made['job_group_id']}")).json()
        listed = (await app.http.get("/api/job-groups")).json()
        job = await app.services.jobs.get(UUID(made["child_jobs"][0]["job_id"]))

    assert answer.status_code == 201
    assert [child["backend_id"] for child in made["child_jobs"]] == ["gpu-1", "gpu-2", "gpu-1"]
    assert [child["seed"] for child in made["child_jobs"]] == [100, 101, 102]
    assert made["status"] == group["status"] == "pending"
    assert (group["total_count"], group["completed_count"], group["failed_count"]) == (3, 0, 0)
    assert (group["completed_at"], group["metadata"]) == (None, {"shot": 1})
    assert listed == {"job_groups": [group], "next_cursor": None}
    assert (job.terms.timeout_s, job.terms.metadata) == (60, {"shot": 1})


async def test_groups_are_paged(home: Path) -> None:
    async with api(home, *machines(online=False)) as app:
        made = [(await group_of(app))["job_group_id"] for _ in range(3)]
        first = (await app.http.get("/api/job-groups", params={"limit": 2})).json()
        query = {"limit": 2, "cursor": first["next_cursor"]}
        second = (await app.http.get("/api/job-groups", params=query)).json()

    seen = [each["job_group_id"] for page in (first, second) for each in page["job_groups"]]
    assert seen == made[::-1]
    assert second["next_cursor"] is None


async def test_a_group_can_bring_its_own_graph(home: Path) -> None:
    async with api(home, *machines(online=False)) as app:
        made = await group_of(
            app, workflow_id=None, workflow_json=GRAPH, parameters={"steps": 9, "1.width": 128}
        )
        job = await app.services.jobs.get(UUID(made["child_jobs"][0]["job_id"]))

    assert job.request.graph == GRAPH
    assert job.request.options == {"steps": 9, "1.width": 128}
    assert job.request.prompt == "a blue hare"


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"backend_ids": ["gpu-1", "gpu-9"]}, 422, "backend_ids.1"),
        ({"backend_ids": []}, 422, "backend_ids"),
        ({"timeout_seconds": 29}, 422, "timeout_seconds"),
        ({"timeout_seconds": 3601}, 422, "timeout_seconds"),
        ({"seed_strategy": "lucky"}, 422, "seed_strategy"),
        ({"base_seed": -1}, 422, "base_seed"),
        ({"parameters": {"prompt": "x", "width": 7}}, 422, "parameters.width"),
        ({"parameters": {"prompt": "x", "speed": 7}}, 422, "parameters.speed"),
        ({"workflow_id": None}, 422, "body"),
        ({"workflow_json": GRAPH}, 422, "body"),
        ({"workflow_id": "nothing"}, 404, None),
        (
            {"workflow_id": None, "workflow_json": GRAPH, "parameters": {"speed": 1}},
            422,
            "parameters.speed",
        ),
        ({"workflow_id": None, "workflow_json": {"1": GRAPH["1"]}}, 422, "workflow_json"),
        ({"webhook_url": "http://169.254.169.254/"}, 422, "webhook_url"),
    ],
)
async def test_a_wrong_group_names_what_is_wrong_and_makes_nothing(
    home: Path, changes: dict[str, Any], status: int, field: str | None
) -> None:
    body = {
        "workflow_id": "text-to-image",
        "parameters": {"prompt": "a fox"},
        "backend_ids": ["gpu-1"],
        **changes,
    }
    async with api(home, *machines()) as app:
        answer = await app.http.post("/api/job-group", json=body)

        details = problem(answer, status)
        assert await jobs_made(app) == 0
        assert (await app.http.get("/api/job-groups")).json()["job_groups"] == []
    if field is not None:
        assert [error["field"] for error in details["errors"]] == [field]


async def test_the_same_key_makes_a_group_once(home: Path) -> None:
    body = {
        "workflow_id": "text-to-image",
        "parameters": {"prompt": "a fox"},
        "backend_ids": ["gpu-1", "gpu-2"],
    }
    headers = {"Idempotency-Key": "shot-010"}
    async with api(home, *machines(online=False)) as app:
        answers = [
            await app.http.post("/api/job-group", json=body, headers=headers) for _ in range(2)
        ]
        other = {**body, "parameters": {"prompt": "a hare"}}
        clash = await app.http.post("/api/job-group", json=other, headers=headers)
        made = await jobs_made(app)

    assert answers[0].json() == answers[1].json()
    assert made == 2
    assert problem(clash, 422)["errors"][0]["field"] == "Idempotency-Key"


async def test_deleting_a_group_cancels_what_has_not_ended(home: Path) -> None:
    async with api(home, *machines(online=False)) as app:
        made = await group_of(app)
        answer = await app.http.delete(f"/api/job-groups/{made['job_group_id']}")
        again = await app.http.delete(f"/api/job-groups/{made['job_group_id']}")
        group = (await app.http.get(f"/api/job-groups/{made['job_group_id']}")).json()

    none = {"cancelled": 0, "interrupted": 0, "already_complete": 0, "already_failed": 0}
    assert answer.json() == {**none, "cancelled": 2}
    assert again.json() == {**none, "already_failed": 2}
    assert group["status"] == "cancelled"
    assert group["completed_at"] is not None


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_group_that_is_not_there_is_404(home: Path, method: str) -> None:
    async with api(home, *machines()) as app:
        answer = await app.http.request(method, f"/api/job-groups/{new_id()}")

    problem(answer, 404)


async def test_the_socket_of_a_group_tells_its_life(home: Path) -> None:
    backends = machines()
    async with api(home, *backends) as app:
        made = await group_of(app)
        async with socket(app.asgi, f"/ws/job-groups/{made['job_group_id']}") as client:
            accepted = await client.message()
            first = await client.until("initial_state")
            prompts = [await until_sent(each) for each in backends]
            prompts[0].push(RunProgressed(progress=Progress(fraction=0.25, step=1, steps=4)))
            while (moved := await client.until("child_progress"))["progress"] != 0.25:
                pass
            client.say("ping")
            pong = await client.until("pong")
            client.say('{"type": "ping"}')
            await client.until("pong")
            client.say('{"type": "shout"}')
            prompts[0].succeed()
            done = await client.until("child_completed")
            await app.http.post(f"/api/jobs/{made['child_jobs'][1]['job_id']}/cancel")
            await client.until("child_cancelled")
            last = await client.until("group_complete")

    ids = [child["job_id"] for child in made["child_jobs"]]
    assert accepted["type"] == "websocket.accept"
    assert [child["job_id"] for child in first["child_jobs"]] == ids
    assert (moved["job_id"], moved["step"], moved["steps"]) == (ids[0], 1, 4)
    assert pong == {"type": "pong", "job_group_id": made["job_group_id"]}
    assert (done["job_id"], done["seed"]) == (ids[0], made["child_jobs"][0]["seed"])
    assert last["status"] == "partial_complete"


@pytest.mark.parametrize("group", ["01a1fd08-5569-7550-83bb-eeb5140b4a13", "nonsense"])
async def test_the_socket_of_an_unknown_group_is_closed_with_4404(home: Path, group: str) -> None:
    async with api(home, *machines()) as app, socket(app.asgi, f"/ws/job-groups/{group}") as client:
        assert (await client.message())["type"] == "websocket.accept"
        closed = await client.message()

    assert (closed["type"], closed["code"]) == ("websocket.close", 4404)


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"host": "evil.example:3000"}]
)
async def test_another_sites_page_may_not_open_the_socket(
    home: Path, headers: dict[str, str]
) -> None:
    async with api(home, *machines(online=False)) as app:
        made = await group_of(app)
        path = f"/ws/job-groups/{made['job_group_id']}"
        async with socket(app.asgi, path, headers=headers) as client:
            closed = await client.message()

    assert closed["type"] == "websocket.close"


async def test_with_a_token_the_socket_needs_it(home: Path) -> None:
    bearer = {"authorization": f"Bearer {TOKEN}"}
    async with api(home, *machines(online=False), auth_token=TOKEN) as app:
        app.http.headers.update(bearer)
        path = f"/ws/job-groups/{(await group_of(app))['job_group_id']}"
        async with socket(app.asgi, path) as stranger:
            refused = await stranger.message()
        async with socket(app.asgi, path, headers=bearer) as client:
            await client.message()
            first = await client.hear()

    assert refused["type"] == "websocket.close"
    assert first["type"] == "initial_state"


async def test_webhook_deliveries_are_listed_and_sent_again_on_demand(home: Path) -> None:
    url = "http://user:pass@127.0.0.1:9/told?token=secret"
    async with api(home, FakeBackend(info(), automatic=True)) as app:
        job_id = await app.generate(backend="gpu-1", webhookUrl=url)
        await until_job(app.services, job_id, JobState.DONE)
        listed = (await app.http.get("/api/webhooks")).json()
        one = listed["deliveries"][0]
        again = await app.http.post(f"/api/webhooks/{one['id']}/retry")
        unknown = await app.http.post(f"/api/webhooks/{new_id()}/retry")

    assert listed["nextCursor"] is None
    assert (one["subject"], one["event"], one["state"]) == (str(job_id), "job.done", "waiting")
    assert one["url"] == "http://127.0.0.1:9/told"
    assert again.status_code in (202, 409)  # 409 while it is being sent just then
    problem(unknown, 404)


@pytest.mark.parametrize("url", ["ftp://host/x", "http://169.254.169.254/x", "nonsense"])
async def test_a_webhook_that_is_no_receiver_is_refused(home: Path, url: str) -> None:
    async with api(home, *machines()) as app:
        body = {"prompt": "a fox", "backend": "gpu-1", "webhookUrl": url}
        answer = await app.http.post("/api/generate", json=body)

        assert problem(answer, 422)["errors"][0]["field"] == "webhookUrl"
        assert await jobs_made(app) == 0
