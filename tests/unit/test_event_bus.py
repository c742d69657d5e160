"""The bus: everybody hears everything in order, nobody waits, and who falls behind is told."""

import asyncio
import gc

import pytest

from app.events import Event, EventBus, JobChanged, JobProgressed, JobReasonsChanged
from app.ids import new_id
from app.models import Progress
from tests.support.values import a_job

LIMIT_S = 5


def progressed(fraction: float = 0.5) -> JobProgressed:
    """A small event."""
    return JobProgressed(job_id=new_id(), progress=Progress(fraction=fraction), preview_rev=0)


async def test_every_subscription_gets_every_event_in_order() -> None:
    bus = EventBus()
    sent = [progressed(number / 10) for number in range(5)]

    with bus.subscribe() as one, bus.subscribe() as two:
        for event in sent:
            bus.publish(event)

        assert one.drain() == sent
        assert two.drain() == sent
        assert one.drain() == []


async def test_a_subscription_hears_only_the_kinds_it_named() -> None:
    bus = EventBus()
    changed, reasons = JobChanged(job=a_job()), JobReasonsChanged(reasons={})

    with bus.subscribe(JobChanged, JobReasonsChanged) as inbox:
        for event in (changed, progressed(), reasons):
            bus.publish(event)

        assert inbox.drain() == [changed, reasons]


async def test_an_overflow_drops_what_was_held_and_says_so() -> None:
    bus = EventBus()
    events = [progressed(number / 10) for number in range(5)]

    with bus.subscribe(size=3) as inbox:
        for event in events[:3]:
            bus.publish(event)
        before = inbox.lagged
        for event in events[3:]:
            bus.publish(event)
        after = inbox.lagged
        inbox.caught_up()

        assert (before, after, inbox.lagged) == (False, True, False)
        assert inbox.drain() == events[3:]


async def test_events_of_other_kinds_do_not_overflow_an_inbox() -> None:
    bus = EventBus()

    with bus.subscribe(JobChanged, size=1) as inbox:
        for _ in range(5):
            bus.publish(progressed())

        assert not inbox.lagged


async def test_iterating_waits_for_what_comes() -> None:
    bus = EventBus()
    event = progressed()
    got: list[Event] = []

    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
        with bus.subscribe() as inbox:
            group.create_task(_publish_later(bus, event))
            async for each in inbox:
                got.append(each)
                break

    assert got == [event]


@pytest.mark.parametrize("how", ["bus", "subscription"])
async def test_closing_ends_an_iteration_that_waits(how: str) -> None:
    bus = EventBus()
    inbox = bus.subscribe()

    async def listen() -> list[Event]:
        return [event async for event in inbox]

    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
        listening = group.create_task(listen())
        group.create_task(_close_later(bus.close if how == "bus" else inbox.close))

    assert listening.result() == []
    assert not await inbox.wait()


async def test_leaving_the_block_closes() -> None:
    bus = EventBus()

    with bus.subscribe() as inbox:
        pass

    assert inbox.closed


async def test_the_bus_forgets_a_subscription_nobody_holds() -> None:
    bus = EventBus()
    inbox = bus.subscribe()
    held = bus.subscribe()
    del inbox
    gc.collect()

    bus.publish(progressed())

    assert len(held.drain()) == 1
    assert len(bus._subscriptions) == 1  # pyright: ignore[reportPrivateUsage] - leaks show nowhere else


async def _publish_later(bus: EventBus, event: Event) -> None:
    bus.publish(event)


async def _close_later(close: object) -> None:
    assert callable(close)
    close()
