"""Backends over the API: add, try, change, switch off, remove."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.support.fakes import CATALOG, FakeBackend, info
from tests.support.http import Api, api, problem
from tests.support.running import submit, until, until_sent

TOWER = {"name": "Tower 3090", "url": "http://10.0.0.5:8188"}


async def added(app: Api, **changes: Any) -> dict[str, Any]:
    """One more backend."""
    answer = await app.http.post("/api/backends", json={**TOWER, **changes})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_backend_is_added_edited_and_removed(home: Path) -> None:
    async with api(home, FakeBackend(info())) as app:
        made = await added(app, tags=["fast"], maxConcurrentJobs=2)
        await until(app.services, lambda: app.services.fleet.status("tower-3090").online)
        status = (await app.http.get("/api/backends/tower-3090/status")).json()
        edited = await app.http.patch(
            "/api/backends/tower-3090", json={"name": "Tower", "capabilities": ["sdxl"]}
        )
        removed = await app.http.delete("/api/backends/tower-3090")
        gone = await app.http.get("/api/backends/tower-3090")
        listed = (await app.http.get("/api/backends")).json()["backends"]

    assert (made["id"], made["origin"], made["kind"]) == ("tower-3090", "page", "comfyui")
    assert (made["tags"], made["maxConcurrentJobs"]) == (["fast"], 2)
    assert status["online"] is True
    assert status["circuit"] == "closed"
    assert status["models"]["checkpoints"] == ["model-a.safetensors"]
    assert edited.json()["name"] == "Tower"
    assert edited.json()["capabilities"] == ["sdxl"]
    assert edited.json()["tags"] == ["fast"]
    assert removed.status_code == 204
    problem(gone, 404)
    assert [each["id"] for each in listed] == ["gpu-1"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "ftp://tower:8188"),
        ("url", "http://me:secret@tower:8188"),
        ("url", ""),
        ("name", ""),
        ("name", "x" * 81),
        ("name", "   "),
        ("tags", ["t"] * 21),
        ("tags", [""]),
        ("maxConcurrentJobs", 0),
        ("maxConcurrentJobs", 65),
        ("id", "Not an id"),
        ("kind", "bfl"),
        ("colour", "red"),
    ],
)
async def test_a_mistake_names_its_field_and_adds_nothing(
    home: Path, field: str, value: Any
) -> None:
    async with api(home, FakeBackend(info())) as app:
        answer = await app.http.post("/api/backends", json={**TOWER, field: value})
        listed = (await app.http.get("/api/backends")).json()["backends"]

    body = problem(answer, 422)
    assert {each["field"].split(".")[0] for each in body["errors"]} == {field}
    assert "secret" not in body["detail"]
    assert len(listed) == 1


async def test_the_same_server_and_the_same_id_are_refused_naming_the_first(home: Path) -> None:
    async with api(home, FakeBackend(info())) as app:
        await added(app)
        url = await app.http.post("/api/backends", json={**TOWER, "name": "Again"})
        id_ = await app.http.post(
            "/api/backends", json={"id": "gpu-1", "name": "x", "url": "http://10.0.0.6:8188"}
        )

    assert problem(url, 409)["detail"] == "Tower 3090 has this address already."
    assert problem(id_, 409)["detail"] == "There is a backend 'gpu-1' already."


async def test_two_that_add_the_same_server_at_once_make_one_backend(home: Path) -> None:
    async with api(home, FakeBackend(info())) as app, asyncio.TaskGroup() as group:
        adding = [
            group.create_task(app.http.post("/api/backends", json={**TOWER, "name": f"T{n}"}))
            for n in range(5)
        ]
        statuses = sorted([(await each).status_code for each in adding])

    assert statuses == [201, 409, 409, 409, 409]


async def test_those_of_the_configuration_are_read_only_and_say_so(home: Path) -> None:
    async with api(home, FakeBackend(info())) as app:
        answers = [
            await app.http.patch("/api/backends/gpu-1", json={"name": "x"}),
            await app.http.delete("/api/backends/gpu-1"),
            await app.http.post("/api/backends/gpu-1/disable"),
        ]
        unknown = await app.http.patch("/api/backends/gpu-9", json={"name": "x"})

    for answer in answers:
        body = problem(answer, 409)
        assert body["detail"] == "GPU-1 is defined by the configuration."
        assert "config.yaml" in body["fix"]
    problem(unknown, 404)


async def test_one_that_runs_a_job_is_removed_only_by_force(home: Path) -> None:
    machine = FakeBackend(info("tower"))
    async with api(home, machine, configured=False) as app:
        await added(app, id="tower")
        await submit(app.services, backend="tower")
        prompt = await until_sent(machine)
        refused = await app.http.delete("/api/backends/tower")
        forced = await app.http.delete("/api/backends/tower", params={"force": "true"})
        prompt.succeed()
        await until(app.services, lambda: app.services.fleet.get("tower") is None)

    assert problem(refused, 409)["detail"] == "Tower 3090 still runs jobs: 1."
    assert forced.status_code == 204


async def test_check_free_and_interrupt_reach_the_backend(home: Path) -> None:
    machine = FakeBackend(info())
    async with api(home, machine) as app:
        for verb in ("check", "free", "interrupt"):
            answer = await app.http.post(f"/api/backends/gpu-1/{verb}")
            assert answer.status_code == 200, answer.text
            assert answer.json()["id"] == "gpu-1"
        problem(await app.http.post("/api/backends/gpu-9/check"), 404)

    assert (machine.checks, machine.frees, machine.stops) == (1, 1, 1)


async def test_a_backend_is_switched_off_and_on(home: Path) -> None:
    async with api(home, FakeBackend(info())) as app:
        await added(app)
        await until(app.services, lambda: app.services.fleet.status("tower-3090").online)
        off = await app.http.post("/api/backends/tower-3090/disable")
        await until(app.services, lambda: not app.services.fleet.status("tower-3090").online)
        on = await app.http.post("/api/backends/tower-3090/enable")
        await until(app.services, lambda: app.services.fleet.status("tower-3090").online)

    assert (off.json()["enabled"], on.json()["enabled"]) == (False, True)


async def test_an_address_is_tried_without_adding_it(home: Path) -> None:
    async with api(home, FakeBackend(info())) as app:
        found = await app.http.post("/api/backends/test", json={"url": TOWER["url"]})
        known = await app.http.post("/api/backends/test", json={"url": info().url})
        wrong = await app.http.post("/api/backends/test", json={"url": "ftp://tower"})
        listed = (await app.http.get("/api/backends")).json()["backends"]

    assert found.json()["ok"] is True
    assert found.json()["models"] == {"checkpoints": 1}
    assert (found.json()["modelCount"], found.json()["nodeCount"]) == (1, len(CATALOG.node_classes))
    assert known.json()["knownAs"] == "gpu-1"
    assert problem(wrong, 422)["errors"][0]["field"] == "url"
    assert len(listed) == 1


async def test_coming_and_going_is_in_the_durable_log(home: Path) -> None:
    async with api(home, FakeBackend(info())) as app:
        await added(app)
        await app.http.delete("/api/backends/tower-3090")
        events = await app.services.event_log.events_after(0, limit=100)

    kinds = [each.type for each in events if each.subject == "tower-3090"]
    assert kinds == ["backend.added", "backend.removed"]
