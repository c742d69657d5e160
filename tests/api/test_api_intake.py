"""What `POST /api/generate` takes: presets, alternatives, sources, prices; and elsewhere."""

from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.models import Fallback, JobState
from app.ports import JobFilter
from tests.support.fakes import FakeBackend, info
from tests.support.http import Api, api, problem
from tests.support.pictures import png
from tests.support.running import until_job

FLUX: dict[str, Any] = {"prompt": "a fox", "backend": "flux", "params": {"aspectRatio": "16:9"}}


async def generate(app: Api, body: dict[str, Any], **headers: str) -> httpx.Response:
    """One submission."""
    named = {"prompt": "a fox", "backend": "gpu-1", **body}
    return await app.http.post("/api/generate", json=named, headers=headers)


async def jobs_of(app: Api, answer: httpx.Response) -> list[dict[str, Any]]:
    """The jobs that were made."""
    assert answer.status_code == 202, answer.text
    return [(await app.http.get(f"/api/jobs/{each}")).json() for each in answer.json()["jobIds"]]


async def jobs_made(app: Api) -> int:
    """How many there are."""
    return len((await app.services.jobs.page(JobFilter(), limit=99)).items)


def away(name: str = "gpu-1") -> FakeBackend:
    """A machine that does not answer."""
    return FakeBackend(info(name), online=False)


async def test_a_preset_gives_its_values_to_what_is_left_out(home: Path) -> None:
    async with api(home, away()) as app:
        (job,) = await jobs_of(
            app, await generate(app, {"backend": "sdxl", "params": {"steps": 5}})
        )

    assert (job["workflowId"], job["backend"]) == ("sdxl", "auto")
    assert (job["params"]["width"], job["params"]["steps"]) == (1024, 5)
    assert (job["params"]["sampler"], job["params"]["scheduler"]) == ("dpmpp_2m", "karras")


@pytest.mark.parametrize(
    ("given", "painted"),
    [({}, (400, 600)), ({"width": 512}, (512, 512)), ({"width": 640, "height": 448}, (640, 448))],
)
async def test_what_starts_from_a_picture_has_its_shape_unless_a_size_is_given(
    home: Path, given: dict[str, int], painted: tuple[int, int]
) -> None:
    async with api(home, away()) as app:
        sent = {"file": ("x.png", png(size=(400, 600)), "image/png")}
        name = (await app.http.post("/api/inputs", files=sent)).json()["name"]
        body = {"backend": "sd15-image", "params": {"image": name, **given}}
        (job,) = await jobs_of(app, await generate(app, body))
        parameters = {"prompt": "a fox", "image": name, **given}
        manifest = {"workflow_id": "sd15-image", "backend_ids": ["auto"], "parameters": parameters}
        answer = await app.http.post("/api/job-groups", json=manifest)
        made = answer.json()["job_group_id"]
        (grouped,) = (await app.http.get("/api/jobs", params={"groupId": made})).json()["jobs"]

    for each in (job, grouped):
        assert (each["params"]["width"], each["params"]["height"]) == painted


async def test_alternatives_are_chosen_for_each_picture_and_the_template_is_kept(
    home: Path,
) -> None:
    template = "a {red|blue|green|white|black} fox"
    body = {"prompt": template, "count": 12, "params": {"seed": 5}}
    async with api(home, away()) as app:
        first = await jobs_of(app, await generate(app, body))
        second = await jobs_of(app, await generate(app, body))

    prompts = [job["prompt"] for job in first]
    assert len(set(prompts)) > 1
    assert not any("{" in prompt for prompt in prompts)
    assert [job["prompt"] for job in second] == prompts
    assert {job["metadata"]["promptTemplate"] for job in first} == {template}


async def test_a_plain_prompt_keeps_no_template(home: Path) -> None:
    async with api(home, away()) as app:
        (job,) = await jobs_of(app, await generate(app, {"metadata": {"shot": 1}}))

    assert job["metadata"] == {"shot": 1}


async def test_a_prompt_with_a_mistake_is_refused(home: Path) -> None:
    async with api(home, away()) as app:
        answer = await generate(app, {"prompt": "a __colour-that-is-not-there__ fox"})

        assert problem(answer, 422)["errors"][0]["field"] == "prompt"
        assert await jobs_made(app) == 0


@pytest.mark.parametrize(
    ("strategy", "seeds"),
    [
        ("sequential", [10, 11, 12, 13]),
        ("fibonacci", [10, 11, 12, 13]),
    ],
)
async def test_seeds_follow_the_strategy(home: Path, strategy: str, seeds: list[int]) -> None:
    body = {"count": 4, "seedStrategy": strategy, "params": {"seed": 10}}
    async with api(home, away()) as app:
        jobs = await jobs_of(app, await generate(app, body))
        group = (await app.http.get(f"/api/job-groups/{jobs[0]['groupId']}")).json()

    found = [job["params"]["seed"] for job in jobs]
    assert found[:3] == seeds[:3]
    assert len(set(found)) == 4
    assert (group["seed_strategy"], group["base_seed"]) == (strategy, 10)


async def test_who_asks_is_the_source(home: Path) -> None:
    async with api(home, away()) as app:
        (plain,) = await jobs_of(app, await generate(app, {}))
        (named,) = await jobs_of(app, await generate(app, {}, **{"X-Client-Name": "storyboard"}))

    assert (plain["source"], named["source"]) == ("api", "storyboard")


async def test_the_fallback_is_the_one_of_the_settings_unless_the_job_says_otherwise(
    home: Path,
) -> None:
    async with api(home, away(), scheduling={"fallback": "ask"}) as app:
        (usual,) = await jobs_of(app, await generate(app, {"tags": ["study"]}))
        (own,) = await jobs_of(app, await generate(app, {"fallback": "none"}))

    assert (usual["fallback"], own["fallback"]) == (Fallback.ASK, Fallback.NONE)
    assert usual["tags"] == ["study"]


async def test_an_input_picture_must_have_been_given_before(home: Path) -> None:
    async with api(home, away()) as app:
        files = {"file": ("x.png", png(seed=1), "image/png")}
        name = (await app.http.post("/api/inputs", files=files)).json()["name"]
        body = {"backend": "sd15-image", "params": {"image": name}}
        (job,) = await jobs_of(app, await generate(app, body))
        missing = await generate(
            app, {"backend": "sd15-image", "params": {"image": f"{'0' * 64}.png"}}
        )
        none = await generate(app, {"backend": "sd15-image"})

    assert job["params"]["image"] == name
    for answer in (missing, none):
        assert problem(answer, 422)["errors"][0]["field"] == "params.image"


async def test_a_job_may_be_let_go_elsewhere_when_its_backend_is_away(home: Path) -> None:
    other = FakeBackend(info("gpu-2"), automatic=True)
    async with api(home, away(), other) as app:
        (job,) = await jobs_of(app, await generate(app, {"fallback": "ask"}))
        path = f"/api/jobs/{job['id']}/run-elsewhere"
        moved = await app.http.post(path)
        again = await app.http.post(path)
        await until_job(app.services, UUID(job["id"]), JobState.DONE)
        done = (await app.http.get(f"/api/jobs/{job['id']}")).json()

    assert (moved.status_code, moved.json()["backend"]) == (200, "auto")
    assert problem(again, 409)["success"] is False
    assert (done["status"], done["backendId"]) == ("done", "gpu-2")


async def test_a_paid_preset_only_says_what_it_would_cost_until_allowed(home: Path) -> None:
    async with api(home, away()) as app:
        plain = await generate(app, {**FLUX, "count": 3})
        confirmed = await generate(app, {**FLUX, "confirmed": True})
        made = await jobs_made(app)

    offer = plain.json()
    assert plain.status_code == confirmed.status_code == 200
    assert (offer["success"], offer["dryRun"], offer["allowed"]) == (True, True, False)
    assert offer["estimatedCostUsd"] == pytest.approx(0.18)
    assert offer["payload"]["aspect_ratio"] == "16:9"
    assert made == 0


async def test_a_paid_job_waits_only_once_its_price_is_agreed_to(home: Path) -> None:
    async with api(home, away(), allow_generation=True) as app:
        offer = await generate(app, FLUX)
        before = await jobs_made(app)
        (job,) = await jobs_of(app, await generate(app, {**FLUX, "confirmed": True}))
        kept = await app.services.jobs.get(UUID(job["id"]))

    assert (offer.status_code, offer.json()["allowed"], before) == (200, True, 0)
    assert (job["workflowId"], job["backend"]) == ("flux", "auto")
    assert kept.terms.confirmed_usd == pytest.approx(0.06)


@pytest.mark.parametrize(("allowed", "status"), [(False, 409), (True, 422)])
async def test_a_paid_manifest_is_refused_without_consent(
    home: Path, allowed: bool, status: int
) -> None:
    body = {"workflow_id": "flux", "parameters": {"prompt": "a fox"}}
    async with api(home, away(), allow_generation=allowed) as app:
        answer = await app.http.post("/api/job", json=body)

        details = problem(answer, status)
        assert await jobs_made(app) == 0
    if allowed:
        assert details["errors"][0]["field"] == "confirmed"
        assert "$0.06" in details["detail"]
