"""The FLUX cloud as a backend: its key, and what goes on over restarts, cancels and outages."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.errors import (
    BackendUnreachableError,
    ConflictError,
    NotSentError,
    PromptRejectedError,
    StorageError,
    UncertainChargeError,
)
from app.paid import Charge, ChargeState
from app.runs import (
    RunEvent,
    RunFailed,
    RunInterrupted,
    RunLost,
    RunProgressed,
    RunSilent,
    RunStarted,
    RunSucceeded,
)
from data.charges import SqlChargeStore
from data.database import Database
from tests.contract.flux_lab import (
    Lab,
    NewLab,
    an_order,
    follow,
    online,
    picture,
    wanted,
)
from tests.support.fakes import LIMIT_S
from tests.support.flux_server import FluxServer
from tests.support.pictures import png


async def test_a_new_life_goes_on_polling_with_the_handle_of_the_attempt(
    new: NewLab, flux: Lab
) -> None:
    attempt = an_order()
    async with flux.backend.open(attempt, wanted()) as run:
        handle = (await run.submit()).handle

    later = new(flux.server)
    async with later.backend.open(replace(attempt, handle=handle), wanted()) as run:
        assert isinstance((await follow(run))[-1], RunSucceeded)

    assert flux.server.paid == 1


async def test_a_life_that_ended_before_the_handle_was_kept_is_gone_on_with_by_the_ledger(
    new: NewLab, flux: Lab
) -> None:
    attempt = an_order()
    async with flux.backend.open(attempt, wanted()) as run:
        await run.submit()

    later = new(flux.server)
    async with later.backend.open(attempt, wanted()) as run:
        assert isinstance((await follow(run))[-1], RunSucceeded)

    assert flux.server.paid == 1


class FullDisk(SqlChargeStore):
    """Takes no changes while it is full."""

    is_full = False

    async def change(self, charge_id: UUID, **values: Any) -> Charge | None:
        """As the port says."""
        if self.is_full:
            raise StorageError("The disk is full.")
        return await super().change(charge_id, **values)


async def test_an_answer_that_the_disk_did_not_take_is_remembered(
    new: NewLab, server: FluxServer, database: Database
) -> None:
    store = FullDisk(database)
    flux = new(server, store=store)
    attempt = an_order()
    async with flux.backend.open(attempt, wanted()) as run:
        store.is_full = True
        await run.submit()
        store.is_full = False
    # The handle was not written with the attempt either: the run is opened anew without it.
    async with flux.backend.open(attempt, wanted()) as run:
        assert isinstance((await follow(run))[-1], RunSucceeded)

    assert server.paid == 1
    assert (await flux.charge(attempt)).state is ChargeState.SPENT


async def test_a_life_that_ended_while_ordering_leaves_an_uncertain_charge(flux: Lab) -> None:
    attempt = an_order()
    quote = flux.budget.quote(wanted())
    assert quote is not None
    await flux.budget.reserve(attempt, quote=quote)

    async with flux.backend.open(attempt, wanted()) as run:
        (failed,) = await follow(run)

    assert isinstance(failed, RunFailed)
    assert isinstance(failed.error, UncertainChargeError)
    assert (await flux.charge(attempt)).state is ChargeState.UNCERTAIN
    assert flux.server.posts == 0


async def test_a_life_that_ended_before_money_was_set_aside_is_simply_lost(flux: Lab) -> None:
    async with flux.backend.open(an_order(), wanted()) as run:
        assert await follow(run) == [RunLost()]


async def test_a_cancel_keeps_what_is_ready_in_time(flux: Lab) -> None:
    flux.server.orders.pending = 3
    async with flux.backend.open(an_order(), wanted()) as run:
        await run.submit()
        await run.interrupt()
        events = await follow(run)

    assert isinstance(events[-1], RunSucceeded)
    assert sum(isinstance(each, RunSilent) for each in events) == 1


async def test_a_cancel_gives_up_on_what_does_not_come(new: NewLab, server: FluxServer) -> None:
    flux = new(server)
    quick = flux.settings.timeouts.model_copy(update={"cloud_s": 0.3})
    flux = new(server, timeouts=quick)
    server.orders.pending = 1_000_000
    async with flux.backend.open(an_order(), wanted()) as run:
        await run.submit()
        await run.interrupt()
        assert isinstance((await follow(run))[-1], RunInterrupted)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.bfl.ai/v1/get_result?id=1",
        "https://bfl.ai.example.com/v1/get_result?id=1",
        "https://api.bfl.ai:8443/v1/get_result?id=1",
        "http://127.0.0.1:1/",
        "file:///etc/passwd",
        "nonsense",
    ],
)
async def test_an_address_that_is_not_the_clouds_is_never_asked(flux: Lab, url: str) -> None:
    flux.server.orders.polling_url = url
    async with flux.backend.open(an_order(), wanted()) as run:
        await run.submit()
        events: list[RunEvent] = []
        async with asyncio.timeout(LIMIT_S):
            async for event in run.events():
                events.append(event)
                await run.interrupt()
                break

    assert isinstance(events[0], RunSilent)
    assert flux.server.requests == [("POST", "/v1/flux-pro-1.1-ultra")]


async def test_a_cloud_that_goes_away_is_asked_until_it_is_back(flux: Lab) -> None:
    flux.server.orders.end, flux.server.orders.pending = "strange", 0
    async with flux.backend.open(an_order(), wanted()) as run:
        await run.submit()
        events: list[RunEvent] = []
        async with asyncio.timeout(LIMIT_S):
            async for event in run.events():
                events.append(event)
                flux.server.only.end = "Ready"

    kinds = [type(event) for event in events]
    assert kinds == [RunSilent, RunSilent, RunStarted, RunSucceeded]


async def test_with_a_good_key_it_is_online_and_lists_its_models(flux: Lab) -> None:
    async with online(flux):
        status = flux.backend.status

    assert status.online
    assert status.catalog is not None
    assert "flux-pro-1.1-ultra" in status.catalog.models["bfl"]
    assert {path for _, path in flux.server.requests} == {"/v1/get_result"}


@pytest.mark.parametrize(("key", "says"), [("wrong", "does not accept"), (None, "No API key")])
async def test_without_a_good_key_it_is_offline_and_says_so(
    new: NewLab, server: FluxServer, key: str | None, says: str
) -> None:
    flux = new(server, flux={"api_key": key})
    async with online(flux):
        status = flux.backend.status
        checked = await flux.backend.validate()

    assert not status.online
    assert says in (status.last_error or "")
    assert checked.valid is False
    with pytest.raises(BackendUnreachableError, match=says):
        await flux.backend.check()


async def test_too_many_tasks_rest_the_backend_as_long_as_the_cloud_asks(flux: Lab) -> None:
    flux.server.orders.submit.append("429")
    flux.server.orders.retry_after_s = 1
    async with online(flux):
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with flux.backend.open(an_order(), wanted()) as run:
            with pytest.raises(NotSentError):
                await run.submit()
        assert not flux.backend.status.online
        async with asyncio.timeout(LIMIT_S):
            while not (await flux.statuses.get()).online:
                pass
        assert loop.time() - began >= 1


async def test_calls_to_the_cloud_go_through_the_proxy_and_never_those_to_this_machine(
    new: NewLab, server: FluxServer
) -> None:
    far = new(server, outbound_proxy=server.url, flux={"url": "http://cloud.example"})
    near = new(server, outbound_proxy="http://127.0.0.1:1")

    assert (await far.backend.validate()).valid
    assert (await near.backend.validate()).valid
    assert len(server.requests) == 2


async def test_a_proxy_that_is_away_was_certainly_not_paid(new: NewLab, server: FluxServer) -> None:
    away = {"outbound_proxy": "http://127.0.0.1:1", "flux": {"url": "http://cloud.example"}}
    flux = new(server, **away)
    attempt = an_order()
    async with flux.backend.open(attempt, wanted()) as run:
        with pytest.raises(NotSentError):
            await run.submit()

    assert (await flux.charge(attempt)).state is ChargeState.RELEASED


async def test_a_mistake_of_ours_takes_it_offline_and_not_the_app_down(
    new: NewLab, server: FluxServer, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise RuntimeError("a bug")

    flux = new(server, transport=httpx.MockTransport(fail))
    async with online(flux):
        status = flux.backend.status

    assert not status.online
    assert status.last_error == "a bug"
    assert "could not be looked at" in caplog.text


async def test_it_can_neither_free_memory_nor_stop_everything(flux: Lab) -> None:
    with pytest.raises(ConflictError):
        await flux.backend.free()
    with pytest.raises(ConflictError):
        await flux.backend.interrupt_all()


async def test_an_input_picture_goes_along_and_a_missing_one_costs_nothing(
    flux: Lab, tmp_path: Path
) -> None:
    (tmp_path / "in.png").write_bytes(b"picture")
    async with flux.backend.open(an_order(), wanted(image="in.png")) as run:
        await run.submit()
    async with flux.backend.open(an_order(), wanted(image="gone.png")) as run:
        with pytest.raises(PromptRejectedError, match=r"gone.png"):
            await run.submit()

    assert flux.server.only.body["image_prompt"] == "cGljdHVyZQ=="


def hooked(new: NewLab, server: FluxServer) -> Lab:
    """A backend that is told by webhook."""
    flux: dict[str, Any] = {"webhook_url": "https://example.org/api/flux/webhook"}
    return new(server, flux=flux)


async def test_a_signed_webhook_ends_the_wait(new: NewLab, server: FluxServer) -> None:
    flux = hooked(new, server)
    server.orders.pending = 1
    async with flux.backend.open(an_order(), wanted()) as run:
        await run.submit()
        seen: list[RunEvent] = []
        async with asyncio.timeout(LIMIT_S):
            async for event in run.events():
                seen.append(event)
                if isinstance(event, RunProgressed):
                    body, signature = server.webhook(server.only)
                    assert flux.backend.deliver(body, signature=f"sha256={signature}")
        assert await picture(run, seen[-1]) == png(seed=1)

    assert server.only.polls == 1


async def test_a_webhook_with_a_wrong_signature_is_refused(new: NewLab, server: FluxServer) -> None:
    flux = hooked(new, server)
    async with flux.backend.open(an_order(), wanted()) as run:
        await run.submit()
    body, signature = server.webhook(server.only)

    assert flux.backend.deliver(body, signature=signature)
    assert not flux.backend.deliver(body + b" ", signature=signature)
    assert not flux.backend.deliver(body, signature="")
    assert not flux.backend.deliver(body, signature="ключ")
