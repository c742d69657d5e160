"""The paid cloud over HTTP: nothing is bought unasked, and the ledger tells what was."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from app.config import FluxSettings, RetrySettings
from app.models import JobState
from tests.support.flux_server import KEY, FluxServer
from tests.support.http import Api, api, problem
from tests.support.running import until, until_job

ORDER = {"prompt": "a red fox", "model": "flux-pro-1.1-ultra", "confirmed": True}


@pytest.fixture(scope="module")
def _server() -> Generator[FluxServer]:
    with FluxServer() as started:
        yield started


@pytest.fixture
def server(_server: FluxServer) -> FluxServer:
    """A cloud, as good as new."""
    return _server.reset()


@asynccontextmanager
async def paid(
    home: Path, server: FluxServer, *, allowed: bool = True, **flux: Any
) -> AsyncGenerator[Api]:
    """The app with a key for the fake cloud, once it is online."""
    settings = FluxSettings(
        **{"api_key": SecretStr(KEY), "url": server.url, "poll_s": 0.01, **flux}
    )
    retry = RetrySettings(backoff_s=0.01, backoff_max_s=0.02)
    async with api(home, flux=settings, allow_generation=allowed, demo=False, retry=retry) as app:
        await until(app.services, lambda: app.services.fleet.status("flux").online)
        yield app


async def ledger(app: Api) -> dict[str, Any]:
    """The first page."""
    return (await app.http.get("/api/ledger")).json()


async def test_an_agreed_order_becomes_a_picture_and_a_line_of_the_ledger(
    home: Path, server: FluxServer
) -> None:
    async with paid(home, server) as app:
        answer = await app.http.post("/api/flux/generate", json={**ORDER, "aspectRatio": "16:9"})
        assert answer.status_code == 202, answer.text
        job = await until_job(app.services, UUID(answer.json()["jobId"]))
        book = await ledger(app)
        images = (await app.http.get("/api/images")).json()["images"]
        shown = (await app.http.get(f"/api/jobs/{job.id}")).json()

    assert job.state is JobState.DONE
    assert shown["costUsd"] == 0.06
    assert len(images) == 1
    assert server.only.body["aspect_ratio"] == "16:9"
    (charge,) = book["charges"]
    assert charge["jobId"] == str(job.id)
    assert (charge["state"], charge["usd"], charge["isEstimate"]) == ("spent", 0.06, False)
    assert book["totals"] == {
        "dayUsd": 0.06,
        "dayCapUsd": 5.0,
        "totalUsd": 0.06,
        "totalCapUsd": 50.0,
    }


@pytest.mark.parametrize(("allowed", "confirmed"), [(True, False), (False, True), (False, False)])
async def test_unless_allowed_and_agreed_to_the_answer_is_a_dry_run(
    home: Path, server: FluxServer, allowed: bool, confirmed: bool
) -> None:
    async with paid(home, server, allowed=allowed) as app:
        body = {**ORDER, "confirmed": confirmed}
        answer = await app.http.post("/api/flux/generate", json=body)
        jobs = (await app.http.get("/api/jobs")).json()["jobs"]

    assert answer.status_code == 200
    said = answer.json()
    assert (said["success"], said["dryRun"]) == (True, True)
    assert (said["estimatedCostUsd"], said["pricedOn"]) == (0.06, "2026-08-01")
    assert said["payload"]["prompt"] == "a red fox"
    assert "webhook_secret" not in said["payload"]
    assert jobs == []
    assert server.posts == 0


async def test_a_model_that_is_not_there_is_named(home: Path, server: FluxServer) -> None:
    async with paid(home, server) as app:
        answer = await app.http.post("/api/flux/generate", json={**ORDER, "model": "flux-9"})

    assert "flux-9" in problem(answer, 422)["detail"]


@pytest.mark.parametrize(
    "wrong", [{"prompt": "  "}, {"prompt": "a\x00b"}, {"safetyTolerance": 7}, {"seeed": 1}]
)
async def test_an_order_that_is_wrong_is_refused(
    home: Path, server: FluxServer, wrong: dict[str, Any]
) -> None:
    async with paid(home, server) as app:
        answer = await app.http.post("/api/flux/generate", json={**ORDER, **wrong})

    problem(answer, 422)
    assert server.posts == 0


async def test_over_the_budget_the_job_fails_with_the_cap_and_the_setting(
    home: Path, server: FluxServer
) -> None:
    async with paid(home, server, budget_day_usd=0.01) as app:
        answer = await app.http.post("/api/flux/generate", json=ORDER)
        job = await until_job(app.services, UUID(answer.json()["jobId"]))

    assert job.failure is not None
    assert job.failure.code == "budget"
    assert "$0.01" in job.failure.message
    assert "flux.budget_day_usd" in job.failure.fix
    assert server.posts == 0


async def test_a_price_above_the_one_agreed_to_is_not_paid(home: Path, server: FluxServer) -> None:
    async with paid(home, server) as app:
        await app.services.jobs.pause()
        answer = await app.http.post("/api/flux/generate", json=ORDER)
        job_id = UUID(answer.json()["jobId"])
    dearer = {"flux-pro-1.1-ultra": 0.09}
    async with paid(home, server, prices_usd=dearer) as app:
        await app.services.jobs.resume()
        job = await until_job(app.services, job_id)
        totals = (await ledger(app))["totals"]

    assert job.failure is not None
    assert job.failure.code == "budget"
    assert "$0.09" in job.failure.message
    assert "$0.06" in job.failure.message
    assert (server.posts, totals["totalUsd"]) == (0, 0)


async def test_an_order_that_was_cancelled_before_it_was_sent_comes_back_unasked(
    home: Path, server: FluxServer
) -> None:
    async with paid(home, server) as app:
        await app.services.jobs.pause()
        answer = await app.http.post("/api/flux/generate", json=ORDER)
        job_id = UUID(answer.json()["jobId"])
        await app.services.jobs.cancel(job_id)

        assert await app.services.jobs.price_of_retry(job_id) is None
        assert await app.services.jobs.retry_many([job_id]) == 1
        await app.services.jobs.resume()
        assert (await until_job(app.services, job_id)).state is JobState.DONE


async def test_a_refused_picture_that_was_paid_for_is_not_ordered_anew_unasked(
    home: Path, server: FluxServer
) -> None:
    server.orders.end = "Request Moderated"
    async with paid(home, server) as app:
        answer = await app.http.post("/api/flux/generate", json=ORDER)
        job_id = UUID(answer.json()["jobId"])
        await until_job(app.services, job_id)
        (charge,) = (await ledger(app))["charges"]
        paid_for = await app.services.budget.get(UUID(charge["id"]))
        refused = await app.http.post(f"/api/jobs/{job_id}/retry")

    assert charge["note"]
    assert paid_for is not None
    assert not paid_for.is_to_be_had
    problem(refused, 409)
    assert server.posts == 1


async def test_a_picture_that_is_gone_is_not_bought_again_unless_a_person_says_so(
    home: Path, server: FluxServer
) -> None:
    server.orders.expired = 1_000_000
    async with paid(home, server) as app:
        answer = await app.http.post("/api/flux/generate", json=ORDER)
        job = await until_job(app.services, UUID(answer.json()["jobId"]))
        book = await ledger(app)
        bought = server.posts
        server.orders.expired = 0
        unasked = await app.http.post(f"/api/jobs/{job.id}/retry")
        offer = await app.services.jobs.price_of_retry(job.id)
        many = await app.services.jobs.retry_many([job.id])
        await app.http.post(f"/api/jobs/{job.id}/retry", params={"confirmed": True})
        again = await until_job(app.services, job.id, JobState.DONE)

    assert job.failure is not None
    assert job.failure.code == "uncertain_charge"
    assert bought == 1
    assert "$0.06" in problem(unasked, 409)["detail"]
    assert offer is not None
    assert (offer.usd, many) == (0.06, 0)
    (charge,) = book["charges"]
    assert "no longer has it" in charge["note"]
    assert again.state is JobState.DONE
    assert server.posts == 2


async def test_a_busy_cloud_gets_the_order_after_the_time_it_asks_for(
    home: Path, server: FluxServer
) -> None:
    server.orders.submit.append("429")
    server.orders.retry_after_s = 1
    async with paid(home, server) as app:
        answer = await app.http.post("/api/flux/generate", json=ORDER)
        job = await until_job(app.services, UUID(answer.json()["jobId"]))
        book = await ledger(app)

    assert job.state is JobState.DONE
    assert job.attempts == 1
    assert [each["state"] for each in book["charges"]] == ["spent", "released"]


async def test_no_more_tasks_are_in_flight_than_the_account_may_have(
    home: Path, server: FluxServer
) -> None:
    server.orders.pending = 1_000_000
    async with paid(home, server, max_in_flight=2) as app:
        for _ in range(4):
            await app.http.post("/api/flux/generate", json=ORDER)
        await until(app.services, lambda: server.paid >= 2)
        queue = (await app.http.get("/api/queue")).json()

    assert (queue["running"], queue["queued"]) == (2, 2)
    assert server.posts == 2


async def test_a_job_for_any_backend_never_goes_to_the_paid_cloud(
    home: Path, server: FluxServer
) -> None:
    async with paid(home, server) as app:
        body = {"prompt": "a red fox", "backend": "auto"}
        answer = await app.http.post("/api/generate", json=body)
        assert answer.status_code == 202, answer.text
        job = await app.services.jobs.get(UUID(answer.json()["jobId"]))

    assert job.state is JobState.QUEUED
    assert server.posts == 0


async def test_an_uncertain_order_is_shown_and_settled_by_a_person(
    home: Path, server: FluxServer
) -> None:
    server.orders.submit.append("500")
    async with paid(home, server) as app:
        answer = await app.http.post("/api/flux/generate", json=ORDER)
        job = await until_job(app.services, UUID(answer.json()["jobId"]))
        (charge,) = (await ledger(app))["charges"]
        path = f"/api/ledger/{charge['id']}/resolve"
        settled = await app.http.post(path, json={"charged": False})
        again = await app.http.post(path, json={"charged": False})
        book = await ledger(app)

    assert job.failure is not None
    assert job.failure.code == "uncertain_charge"
    assert (charge["state"], charge["isEstimate"]) == ("uncertain", True)
    assert "500" in charge["note"]
    assert settled.json()["state"] == "released"
    problem(again, 409)
    assert book["totals"]["totalUsd"] == 0
    assert server.posts == 1


async def test_the_ledger_comes_in_pages(home: Path, server: FluxServer) -> None:
    async with paid(home, server) as app:
        for _ in range(3):
            answer = await app.http.post("/api/flux/generate", json=ORDER)
            await until_job(app.services, UUID(answer.json()["jobId"]))
        first = (await app.http.get("/api/ledger", params={"limit": 2})).json()
        cursor = first["nextCursor"]
        rest = await app.http.get("/api/ledger", params={"limit": 2, "cursor": cursor})

    assert len(first["charges"]) == 2
    assert len(rest.json()["charges"]) == 1
    assert rest.json()["nextCursor"] is None


@pytest.mark.parametrize(
    ("key", "valid", "says"),
    [(KEY, True, "good"), ("wrong", False, "does not accept"), (None, False, "No API key")],
)
async def test_the_key_can_be_tried(
    home: Path, server: FluxServer, key: str | None, valid: bool, says: str
) -> None:
    flux = FluxSettings.model_validate({"api_key": key, "url": server.url})
    async with api(home, flux=flux, demo=False) as app:
        answer = await app.http.get("/api/flux/validate")

    assert answer.json()["valid"] is valid
    assert says in answer.json()["reason"]
    assert answer.json()["endpoint"] == server.url
    assert "wrong" not in answer.text
    assert server.posts == 0


async def test_a_webhook_gets_in_without_a_login_and_only_with_its_signature(
    home: Path, server: FluxServer
) -> None:
    server.orders.pending = 1
    flux = FluxSettings(
        api_key=SecretStr(KEY),
        url=server.url,  # pyright: ignore[reportArgumentType] - pydantic makes one of it
        webhook_url="https://example.org/api/flux/webhook",  # pyright: ignore[reportArgumentType]
    )
    token = SecretStr("a token of sixteen letters")
    bearer = {"Authorization": f"Bearer {token.get_secret_value()}"}
    async with api(home, flux=flux, allow_generation=True, auth_token=token, demo=False) as app:
        await until(app.services, lambda: app.services.fleet.status("flux").online)
        answer = await app.http.post("/api/flux/generate", json=ORDER, headers=bearer)
        job_id = UUID(answer.json()["jobId"])
        await until(app.services, lambda: _is_further(app, job_id))
        body, signature = server.webhook(server.only)
        wrong = await app.http.post(
            "/api/flux/webhook", content=body, headers={"X-Signature": "00"}
        )
        too_large = await app.http.post("/api/flux/webhook", content=b" " * (2**20 + 1))
        right = await app.http.post(
            "/api/flux/webhook", content=body, headers={"X-Signature": f"sha256={signature}"}
        )
        job = await until_job(app.services, job_id)

    problem(wrong, 401)
    problem(too_large, 413)
    assert right.status_code == 204
    assert job.state is JobState.DONE
    assert server.only.polls == 1


def _is_further(app: Api, job_id: UUID) -> bool:
    progress = app.services.jobs.progress_of(job_id)
    return progress is not None and progress.fraction > 0


async def test_without_a_key_the_cloud_is_only_there_when_paid_generation_is_on(
    home: Path, tmp_path: Path
) -> None:
    async with api(home, demo=False) as app:
        off = [each["id"] for each in (await app.http.get("/api/backends")).json()["backends"]]
    async with api(tmp_path / "other", allow_generation=True, demo=False) as app:
        await until(app.services, lambda: bool(app.services.fleet.status("flux").last_error))
        (on,) = (await app.http.get("/api/backends")).json()["backends"]

    assert off == []
    assert (on["id"], on["kind"], on["online"]) == ("flux", "bfl", False)
    assert "No API key" in on["lastError"]
