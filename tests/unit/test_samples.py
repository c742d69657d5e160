"""How busy it was: counted between looks, kept for an hour, told to whoever listens."""

from pathlib import Path

from app.events import Sampled
from app.models import JobState
from app.samples import disk_of
from tests.support.fakes import FakeBackend, FakeClock, info
from tests.support.running import running, submit, until_job, until_sent

_GIB = 2**30


async def test_a_look_counts_what_ended_since_the_one_before(home: Path) -> None:
    backend, clock = FakeBackend(info()), FakeClock()
    async with running(home, backend, clock=clock) as services:
        sampler = services.diagnostics.sampler
        first = await submit(services)
        second = await submit(services)
        prompt = await until_sent(backend)
        clock.advance(7)
        with services.bus.subscribe(Sampled) as inbox:
            busy = await sampler.look()
            told = [event for event in inbox.drain() if isinstance(event, Sampled)]
        prompt.succeed()
        (await backend.next_prompt()).succeed()
        await until_job(services, first.id, JobState.DONE)
        await until_job(services, second.id, JobState.DONE)
        after = await sampler.look()
        quiet = await sampler.look()

    assert (busy.running, busy.waiting, busy.oldest_wait_s) == (1, 1, 7)
    assert [event.number for event in told] == [busy.number]
    assert (after.done, after.failed, after.running, after.oldest_wait_s) == (2, 0, 0, 0)
    assert quiet.done == 0
    assert [each.number for each in sampler.since(after.number)] == [quiet.number]
    assert sampler.last is quiet


async def test_a_look_tells_the_memory_of_those_that_are_online(home: Path) -> None:
    one, other = FakeBackend(info()), FakeBackend(info("gpu-2"))
    async with running(home, one, other) as services:
        one.becomes(vram_total_bytes=24 * _GIB, vram_free_bytes=4 * _GIB)
        other.becomes(online=False, vram_total_bytes=8 * _GIB, vram_free_bytes=0)
        sample = await services.diagnostics.sampler.look()

    assert sample.vram == {"gpu-1": 20 * _GIB}
    assert sample.machine.ram_total_bytes > sample.machine.own_ram_bytes > 0
    assert sample.machine.disk is not None


def test_the_disk_of_a_folder_that_is_not_made_yet_is_that_of_its_parent(tmp_path: Path) -> None:
    disk = disk_of(tmp_path / "not" / "yet")

    assert disk is not None
    assert 0 < disk.free_bytes <= disk.total_bytes
