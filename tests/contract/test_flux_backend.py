"""The FLUX cloud as a backend: ordered once, asked after until it ends, and paid for once."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.errors import (
    BackendUnreachableError,
    BudgetExceededError,
    CloudKeyError,
    ConflictError,
    ModeratedError,
    NoCreditError,
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
from tests.contract.flux_lab import Lab, an_order, follow, lab, online, picture, wanted
from tests.support.fakes import LIMIT_S
from tests.support.flux_server import KEY, FluxServer
from tests.support.pictures import png

NewLab = Callable[..., Lab]
ULTRA = 60_000  # micro-dollars of its six credits


@pytest.fixture(scope="module")
def _server() -> Generator[FluxServer]:
    with FluxServer() as started:
        yield started


@pytest.fixture
def server(_server: FluxServer) -> FluxServer:
    """A cloud, as good as new."""
    return _server.reset()


@pytest.fixture
async def new(database: Database, tmp_path: Path) -> AsyncGenerator[NewLab]:
    """Makes backends on one ledger, each a new life; closed after the test."""
    async with AsyncExitStack() as stack:

        def make(server: FluxServer, **changes: Any) -> Lab:
            made = lab(server, database, tmp_path, **changes)
            stack.push_async_callback(made.backend.aclose)
            return made

        yield make


@pytest.fixture
def flux(new: NewLab, server: FluxServer) -> Lab:
    """The backend."""
    return new(server)


async def test_a_picture_is_ordered_followed_fetched_and_paid(flux: Lab) -> None:
    flux.server.orders.pending = 2
    attempt = an_order()
    async with flux.backend.open(attempt, wanted()) as run:
        accepted = await run.submit()
        *events, end = await follow(run)
        data = await picture(run, end)

    assert data == png(seed=1)
    assert accepted.handle is not None
    assert accepted.handle["polling_url"].startswith(flux.server.url)
    assert [type(event) for event in events] == [RunStarted, RunProgressed, RunProgressed]
    charge = await flux.charge(attempt)
    assert (charge.state, charge.micro_usd, charge.task_id) == (
        ChargeState.SPENT,
        ULTRA,
        flux.server.only.id,
    )


async def test_the_key_goes_to_the_api_and_not_to_the_place_of_the_picture(flux: Lab) -> None:
    async with flux.backend.open(an_order(), wanted()) as run:
        await run.submit()
        await picture(run, (await follow(run))[-1])

    sent = dict(zip([path for _, path in flux.server.requests], flux.server.keys, strict=True))
    assert sent.pop("/samples/task-1/1") is None
    assert set(sent.values()) == {KEY}


async def test_without_a_cost_in_the_answer_the_estimate_is_spent(flux: Lab) -> None:
    flux.server.orders.cost = None
    attempt = an_order()
    async with flux.backend.open(attempt, wanted(checkpoint="flux-dev")) as run:
        await run.submit()

    assert (await flux.charge(attempt)).micro_usd == 25_000


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("401", CloudKeyError),
        ("402", NoCreditError),
        ("422", PromptRejectedError),
        ("429", NotSentError),
    ],
)
async def test_what_was_certainly_not_bought_is_not_charged(
    flux: Lab, fault: str, error: type[Exception]
) -> None:
    flux.server.orders.submit.append(fault)
    attempt = an_order()
    async with flux.backend.open(attempt, wanted()) as run:
        with pytest.raises(error):
            await run.submit()

    assert (await flux.charge(attempt)).state is ChargeState.RELEASED
    assert (await flux.budget.totals()).total == 0


async def test_a_refused_order_says_what_was_wrong_where(flux: Lab) -> None:
    flux.server.orders.submit.append("422")
    async with flux.backend.open(an_order(), wanted()) as run:
        with pytest.raises(PromptRejectedError, match="prompt: too long"):
            await run.submit()


@pytest.mark.parametrize("fault", ["500", "garbage", "drop"])
async def test_an_order_without_an_answer_counts_as_paid_and_is_never_sent_again(
    flux: Lab, fault: str
) -> None:
    flux.server.orders.submit.append(fault)
    attempt = an_order()
    async with flux.backend.open(attempt, wanted()) as run:
        with pytest.raises(UncertainChargeError) as caught:
            await run.submit()

    assert not caught.value.retryable
    assert (await flux.charge(attempt)).state is ChargeState.UNCERTAIN
    assert (await flux.budget.totals()).total == ULTRA
    assert flux.server.posts == 1


async def test_an_answer_that_does_not_come_in_time_is_uncertain(
    new: NewLab, server: FluxServer
) -> None:
    flux = new(server)
    quick = flux.settings.timeouts.model_copy(update={"cloud_s": 0.2})
    flux = new(server, timeouts=quick)
    server.orders.submit.append("hang")
    attempt = an_order()
    async with flux.backend.open(attempt, wanted()) as run:
        with pytest.raises(UncertainChargeError):
            await run.submit()
    server.release.set()

    assert (await flux.charge(attempt)).state is ChargeState.UNCERTAIN


async def test_a_cloud_that_is_away_was_certainly_not_paid(new: NewLab) -> None:
    with FluxServer() as server:
        flux = new(server)
    attempt = an_order()
    async with flux.backend.open(attempt, wanted()) as run:
        with pytest.raises(NotSentError):
            await run.submit()

    assert (await flux.charge(attempt)).state is ChargeState.RELEASED


async def test_over_the_budget_nothing_is_sent(new: NewLab, server: FluxServer) -> None:
    flux = new(server, flux={"budget_day_usd": 0.05})
    async with flux.backend.open(an_order(), wanted()) as run:
        with pytest.raises(BudgetExceededError, match=r"\$0.05"):
            await run.submit()

    assert server.posts == 0


async def test_while_paid_generation_is_off_nothing_is_sent(
    new: NewLab, server: FluxServer
) -> None:
    flux = new(server, allow_generation=False)
    async with flux.backend.open(an_order(), wanted()) as run:
        with pytest.raises(BudgetExceededError, match="switched off"):
            await run.submit()

    assert server.posts == 0


async def test_a_job_of_a_free_workflow_that_strays_here_is_refused(flux: Lab) -> None:
    async with flux.backend.open(an_order(), wanted(target="auto", preset="sdxl")) as run:
        with pytest.raises(PromptRejectedError):
            await run.submit()

    assert flux.server.posts == 0


@pytest.mark.parametrize("status", [200, 500, 503])
@pytest.mark.parametrize("end", ["Request Moderated", "Content Moderated"])
async def test_moderation_ends_the_job_with_its_reasons(flux: Lab, end: str, status: int) -> None:
    flux.server.orders.end, flux.server.orders.end_status = end, status
    async with flux.backend.open(an_order(), wanted()) as run:
        await run.submit()
        failed = (await follow(run))[-1]

    assert isinstance(failed, RunFailed)
    assert isinstance(failed.error, ModeratedError)
    assert "Violence" in failed.error.message


@pytest.mark.parametrize(("cost", "retryable"), [(6.0, False), (0.0, True)])
@pytest.mark.parametrize("end", ["Error", "Failed"])
async def test_a_task_that_failed_is_tried_again_only_if_it_was_free(
    flux: Lab, end: str, cost: float, retryable: bool
) -> None:
    flux.server.orders.end, flux.server.orders.end_status = end, 500
    flux.server.orders.cost = cost
    attempt = an_order()
    async with flux.backend.open(attempt, wanted()) as run:
        await run.submit()
        failed = (await follow(run))[-1]

    assert isinstance(failed, RunFailed)
    assert failed.error.retryable is retryable
    state = ChargeState.RELEASED if retryable else ChargeState.SPENT
    assert (await flux.charge(attempt)).state is state


async def test_a_task_the_cloud_forgot_is_uncertain_and_not_ordered_again(flux: Lab) -> None:
    flux.server.orders.end = "Task not found"
    attempt = an_order()
    async with flux.backend.open(attempt, wanted()) as run:
        await run.submit()
        (failed,) = await follow(run)

    assert isinstance(failed, RunFailed)
    assert isinstance(failed.error, UncertainChargeError)
    assert (await flux.charge(attempt)).state is ChargeState.UNCERTAIN
    assert flux.server.posts == 1


async def test_a_picture_whose_address_expired_is_asked_for_anew(flux: Lab) -> None:
    async with flux.backend.open(an_order(), wanted()) as run:
        await run.submit()
        end = (await follow(run))[-1]
        flux.server.orders.expired = 1
        assert await picture(run, end) == png(seed=1)

    assert (flux.server.only.samples, flux.server.only.downloads) == (2, 1)


async def test_a_retry_by_the_queue_takes_up_what_was_paid_for(new: NewLab, flux: Lab) -> None:
    first = an_order()
    async with flux.backend.open(first, wanted()) as run:
        await run.submit()

    again = an_order(2, job_id=first.job_id)
    later = new(flux.server)
    async with later.backend.open(again, wanted()) as run:
        await run.submit()
        assert isinstance((await follow(run))[-1], RunSucceeded)

    assert flux.server.paid == 1


async def test_a_retry_by_the_queue_never_pays_after_an_uncertain_order(flux: Lab) -> None:
    flux.server.orders.submit.append("500")
    first = an_order()
    async with flux.backend.open(first, wanted()) as run:
        with pytest.raises(UncertainChargeError):
            await run.submit()

    async with flux.backend.open(an_order(2, job_id=first.job_id), wanted()) as run:
        with pytest.raises(UncertainChargeError, match=r"\$0.06"):
            await run.submit()

    assert flux.server.posts == 1


async def test_a_retry_by_a_person_takes_up_what_can_still_be_had(new: NewLab, flux: Lab) -> None:
    first = an_order()
    async with flux.backend.open(first, wanted()) as run:
        await run.submit()

    later = new(flux.server)
    async with later.backend.open(an_order(1, job_id=first.job_id), wanted()) as run:
        await run.submit()
        assert isinstance((await follow(run))[-1], RunSucceeded)

    assert flux.server.paid == 1


async def test_a_retry_by_a_person_waits_while_that_cannot_be_told(flux: Lab) -> None:
    first = an_order()
    async with flux.backend.open(first, wanted()) as run:
        await run.submit()
    flux.server.only.end, flux.server.only.pending = "strange", 0

    async with flux.backend.open(an_order(1, job_id=first.job_id), wanted()) as run:
        with pytest.raises(NotSentError):
            await run.submit()

    assert flux.server.posts == 1


async def test_a_retry_by_a_person_after_moderation_orders_anew(flux: Lab) -> None:
    flux.server.orders.end = "Request Moderated"
    first = an_order()
    async with flux.backend.open(first, wanted()) as run:
        await run.submit()
        await follow(run)

    async with flux.backend.open(an_order(1, job_id=first.job_id), wanted()) as run:
        await run.submit()

    assert flux.server.paid == 2


async def test_a_retry_by_a_person_after_an_uncertain_order_orders_once_more(flux: Lab) -> None:
    flux.server.orders.submit.append("500")
    first = an_order()
    async with flux.backend.open(first, wanted()) as run:
        with pytest.raises(UncertainChargeError):
            await run.submit()

    async with flux.backend.open(an_order(1, job_id=first.job_id), wanted()) as run:
        await run.submit()

    assert flux.server.paid == 2


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
