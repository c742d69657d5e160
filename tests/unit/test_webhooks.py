"""Webhooks: what is tried again, where nothing is sent, and that nothing is forgotten."""

import asyncio
import ipaddress
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from app.errors import ConflictError, InvalidRequestError, NodeFailedError
from app.events import DeliveryChanged, EventBus
from app.ids import new_id
from app.models import JobState
from app.runs import RunFailed
from app.services import Services
from app.webhooks import (
    PAUSES_S,
    Delivery,
    DeliveryState,
    Try,
    UndeliverableError,
    WebhookService,
    check_target,
    is_forbidden,
    tried,
)
from tests.support.fakes import LIMIT_S, START, FakeBackend, FakeClock, info
from tests.support.running import asked, running, submit, until_job, until_sent

URL = "http://127.0.0.1:9/told"


def delivery(**changes: object) -> Delivery:
    """One that waits for its first try."""
    values: dict[str, object] = {
        "id": new_id(),
        "subject": "job",
        "url": URL,
        "event": "job.done",
        "body": "{}",
        "next_at": START,
        "created_at": START,
    }
    return Delivery(**{**values, **changes})  # type: ignore[arg-type]


def after(*statuses: int | None) -> Delivery:
    """A delivery that was answered so, try after try."""
    one = delivery()
    for status in statuses:
        error = "No answer." if status is None else None
        one = tried(one, Try(at=one.next_at or START, status=status, error=error))
    return one


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_good_answer_ends_it(status: int) -> None:
    one = after(500, status)

    assert (one.state, one.next_at, one.ended_at) == (DeliveryState.DELIVERED, None, one.ended_at)
    assert [each.status for each in one.tries] == [500, status]


@pytest.mark.parametrize("status", [None, 301, 307, 400, 401, 404, 408, 429, 500, 503])
def test_any_other_answer_is_tried_again_after_a_pause(status: int | None) -> None:
    one = after(status)

    assert one.state is DeliveryState.WAITING
    assert one.next_at is not None
    pause = (one.next_at - START).total_seconds()
    assert PAUSES_S[0] <= pause <= 1.2 * PAUSES_S[0]


def test_a_receiver_that_is_gone_for_good_is_not_asked_again() -> None:
    assert after(410).state is DeliveryState.FAILED


def test_it_is_tried_for_about_a_day_and_then_given_up() -> None:
    one = after(*[503] * len(PAUSES_S))
    assert one.state is DeliveryState.WAITING
    assert one.next_at is not None
    assert timedelta(hours=20) < one.next_at - START < timedelta(hours=40)

    one = tried(one, Try(at=one.next_at, status=503))

    assert (one.state, one.next_at) == (DeliveryState.FAILED, None)
    assert len(one.tries) == len(PAUSES_S) + 1


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "fe80::1", "::ffff:169.254.1.1", "0.0.0.0", "224.0.0.1"],  # noqa: S104
)
def test_nothing_is_sent_to_link_local_addresses(address: str) -> None:
    assert is_forbidden(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["127.0.0.1", "192.168.1.9", "10.0.0.1", "::1", "1.1.1.1"])
def test_this_machine_and_the_local_network_may_be_told(address: str) -> None:
    assert not is_forbidden(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url", ["ftp://host/x", "file:///etc/passwd", "http:///x", "http://169.254.169.254/latest"]
)
def test_a_target_that_is_no_receiver_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        check_target(url)

    assert caught.value.field == "webhookUrl"


async def deliveries(services: Services) -> list[Delivery]:
    """Everything that was or is to be told, oldest first."""
    return (await services.webhooks.page(limit=99))[::-1]


async def test_each_end_of_a_job_is_told_once(home: Path) -> None:
    backend = FakeBackend(info(slots=3))
    async with running(home, backend, retry={"max_attempts": 1}) as services:
        jobs = [await submit(services, webhookUrl=URL, metadata={"n": n}) for n in range(3)]
        prompts = [await until_sent(backend) for _ in jobs]
        prompts[0].succeed()
        prompts[1].push(RunFailed(error=NodeFailedError("Broken.", fix="Mend it.")))
        await services.jobs.cancel(prompts[2].job_id)
        for job in jobs:
            await until_job(services, job.id)
        silent = await submit(services)
        (await until_sent(backend)).succeed()
        await until_job(services, silent.id, JobState.DONE)
        told = {each.subject: each for each in await deliveries(services)}

    assert set(told) == {str(job.id) for job in jobs}
    done, failed, cancelled = (told[str(prompt.job_id)] for prompt in prompts)
    assert [each.event for each in (done, failed, cancelled)] == [
        "job.done",
        "job.failed",
        "job.cancelled",
    ]
    body = json.loads(done.body)
    assert (body["type"], body["data"]["job"]["status"]) == ("job.done", "done")
    assert body["data"]["job"]["result"]["images"][0]["url"].startswith("/api/images/")
    assert json.loads(failed.body)["data"]["job"]["result"]["diagnosis"]["fix"] == "Mend it."


async def test_the_end_of_a_group_is_told_when_its_last_job_has_ended(home: Path) -> None:
    backend = FakeBackend(info(slots=2))
    async with running(home, backend) as services:
        jobs = await services.jobs.submit(asked(count=2, webhookUrl=URL))
        prompts = [await until_sent(backend) for _ in jobs]
        prompts[0].succeed()
        await until_job(services, prompts[0].job_id, JobState.DONE)
        before = [each.event for each in await deliveries(services)]
        prompts[1].succeed()
        await until_job(services, prompts[1].job_id, JobState.DONE)
        events = await deliveries(services)

    assert before == ["job.done"]
    assert [each.event for each in events] == ["job.done", "job.done", "group.complete"]
    group = json.loads(events[-1].body)["data"]
    assert (events[-1].subject, group["status"]) == (str(jobs[0].group_id), "completed")
    assert (group["completed_count"], len(group["child_jobs"])) == (2, 2)


async def test_a_retried_job_that_ends_again_is_told_again(home: Path) -> None:
    backend = FakeBackend(info())
    async with running(home, backend, retry={"max_attempts": 1}) as services:
        job = await submit(services, webhookUrl=URL)
        (await until_sent(backend)).push(RunFailed(error=NodeFailedError("Broken.")))
        await until_job(services, job.id, JobState.FAILED)
        await services.jobs.retry(job.id)
        (await until_sent(backend)).succeed()
        await until_job(services, job.id, JobState.DONE)
        events = [each.event for each in await deliveries(services)]

    assert events == ["job.failed", "job.done"]


async def test_what_could_not_be_told_is_told_after_a_restart(home: Path) -> None:
    async with running(home, FakeBackend(info(), automatic=True)) as services:
        job = await submit(services, webhookUrl=URL)
        await until_job(services, job.id, JobState.DONE)
        (first,) = await deliveries(services)
    async with running(home, FakeBackend(info(), automatic=True)) as services:
        (again,) = await deliveries(services)

    assert (again.id, again.body) == (first.id, first.body)
    assert again.state is DeliveryState.WAITING


class Receiver:
    """`app.webhooks.Sender`: answers as it is told."""

    def __init__(self, *answers: int | str) -> None:
        self.answers = list(answers)
        self.bodies: list[bytes] = []
        self.headers: list[Mapping[str, str]] = []

    async def post(self, url: str, *, body: bytes, headers: Mapping[str, str]) -> int:
        """The next answer."""
        self.bodies.append(body)
        self.headers.append(headers)
        answer = self.answers.pop(0)
        if isinstance(answer, str):
            raise UndeliverableError(answer)
        return answer


class Signs:
    """`app.webhooks.Signer`: says what it signed."""

    def sign(self, msg_id: str, timestamp: datetime, data: str) -> str:
        """A signature that can be read."""
        return f"{msg_id} {timestamp:%H:%M} {data}"


class Kept:
    """`app.webhooks.DeliveryStore` in a dictionary."""

    def __init__(self, *values: Delivery) -> None:
        self.values = {each.id: each for each in values}

    async def due(self, now: datetime, *, limit: int) -> list[Delivery]:
        found = [each for each in self.values.values() if each.next_at and each.next_at <= now]
        return found[:limit]

    async def next_at(self) -> datetime | None:
        return min((each.next_at for each in self.values.values() if each.next_at), default=None)

    async def put(self, value: Delivery) -> None:
        self.values[value.id] = value

    async def get(self, delivery_id: object) -> Delivery | None:
        return self.values.get(delivery_id)  # type: ignore[arg-type]

    async def page(self, *, limit: int, before: object = None) -> list[Delivery]:
        return list(self.values.values())[:limit]

    async def forget(self, *, before: datetime) -> int:
        return 0


@asynccontextmanager
async def sending(
    store: Kept, receiver: Receiver
) -> AsyncGenerator[tuple[WebhookService, EventBus]]:
    """The service at work."""
    bus, clock = EventBus(), FakeClock()
    service = WebhookService(store=store, sender=receiver, signer=Signs(), bus=bus, clock=clock)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(service.serve())
        yield service, bus
        serving.cancel()


async def until_kept(bus: EventBus, ready: Callable[[], bool]) -> None:
    """Wait until something is true of what is kept."""
    with bus.subscribe(DeliveryChanged) as inbox:
        async with asyncio.timeout(LIMIT_S):
            while not ready():
                await inbox.wait()
                inbox.drain()


async def test_what_is_sent_is_signed_with_its_id_time_and_body() -> None:
    one = delivery(body='{"a": "ж"}')
    store, receiver = Kept(one), Receiver(204)
    async with sending(store, receiver) as (_, bus):
        await until_kept(bus, lambda: store.values[one.id].tries != ())

    assert store.values[one.id].state is DeliveryState.DELIVERED
    assert receiver.bodies == ['{"a": "ж"}'.encode()]
    assert receiver.headers[0] == {
        "content-type": "application/json",
        "webhook-id": str(one.id),
        "webhook-timestamp": str(int(START.timestamp())),
        "webhook-signature": f'{one.id} 12:00 {{"a": "ж"}}',
    }


async def test_every_try_is_kept_with_its_answer() -> None:
    one = delivery()
    store, receiver = Kept(one), Receiver("Nobody listens.", 500, 200)
    async with sending(store, receiver) as (service, bus):
        for tries in (1, 2, 3):
            await until_kept(bus, lambda tries=tries: len(store.values[one.id].tries) == tries)
            if tries < 3:
                await _again(service, one)

    kept = store.values[one.id]
    assert [(each.status, each.error) for each in kept.tries] == [
        (None, "Nobody listens."),
        (500, None),
        (200, None),
    ]
    assert kept.state is DeliveryState.DELIVERED


async def test_more_than_can_be_sent_at_once_are_sent_all_the_same() -> None:
    store = Kept(*(delivery() for _ in range(40)))
    async with sending(store, Receiver(*[200] * 40)) as (_, bus):
        await until_kept(bus, lambda: all(each.tries for each in store.values.values()))

    assert {each.state for each in store.values.values()} == {DeliveryState.DELIVERED}
    assert {len(each.tries) for each in store.values.values()} == {1}


async def test_a_mistake_of_ours_in_one_message_stops_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Kept(delivery(), delivery())
    async with sending(store, Receiver(200)) as (_, bus):  # has no second answer: IndexError
        await until_kept(bus, lambda: all(each.tries for each in store.values.values()))

    states = sorted(each.state for each in store.values.values())
    assert states == [DeliveryState.DELIVERED, DeliveryState.WAITING]
    assert "mistake of ours" in caplog.text


async def _again(service: WebhookService, one: Delivery) -> None:
    """Ask for another try as soon as the one before is over."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                await service.retry(one.id)
            except ConflictError:
                await asyncio.sleep(0)
            else:
                return
