"""The FLUX cloud as a backend: ordered once, asked after until it ends, and paid for once."""

import pytest

from app.errors import (
    BudgetExceededError,
    CloudKeyError,
    ModeratedError,
    NoCreditError,
    NotSentError,
    PromptRejectedError,
    UncertainChargeError,
)
from app.paid import ChargeState
from app.runs import (
    RunFailed,
    RunProgressed,
    RunStarted,
    RunSucceeded,
)
from tests.contract.flux_lab import (
    ULTRA,
    Lab,
    NewLab,
    an_order,
    follow,
    picture,
    wanted,
)
from tests.support.flux_server import KEY, FluxServer
from tests.support.pictures import png


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


async def test_a_retry_that_was_only_to_fetch_does_not_order(new: NewLab, flux: Lab) -> None:
    first = an_order()
    async with flux.backend.open(first, wanted()) as run:
        await run.submit()
    flux.server.only.end, flux.server.only.pending = "Request Moderated", 0

    later = new(flux.server, agreed=None)
    async with later.backend.open(an_order(1, job_id=first.job_id), wanted()) as run:
        with pytest.raises(BudgetExceededError, match="nobody has agreed"):
            await run.submit()

    assert flux.server.posts == 1
    assert not (await flux.charge(first)).is_to_be_had


async def test_a_retry_by_a_person_after_an_uncertain_order_orders_once_more(flux: Lab) -> None:
    flux.server.orders.submit.append("500")
    first = an_order()
    async with flux.backend.open(first, wanted()) as run:
        with pytest.raises(UncertainChargeError):
            await run.submit()

    async with flux.backend.open(an_order(1, job_id=first.job_id), wanted()) as run:
        await run.submit()

    assert flux.server.paid == 2
