"""Who works where: what is free, what is left to do, which model is in memory."""

from datetime import timedelta

from app.ids import new_id
from app.slots import Slots, Work
from tests.support.fakes import info
from tests.support.values import NOW


def work(*, model: str = "", expected_s: float | None = None, begun: bool = True) -> Work:
    """A job at a backend."""
    return Work(
        job_id=new_id(),
        source="page",
        model=model,
        expected_s=expected_s,
        started_at=NOW if begun else None,
    )


def test_slots_are_taken_and_given_back() -> None:
    slots, backend = Slots(), info(slots=2)
    first, second = work(), work()

    free = [slots.free(backend)]
    for each in (first, second):
        slots.occupy("gpu-1", each)
        free.append(slots.free(backend))
    slots.release("gpu-1", first.job_id)
    slots.release("gpu-1", first.job_id)

    assert [*free, slots.free(backend)] == [2, 1, 0, 1]
    assert slots.running("gpu-1") == [second.job_id]
    assert slots.busy() == {"page": 1}


def test_one_more_for_each_slot_once_all_are_taken() -> None:
    slots, backend = Slots(), info()

    before = slots.free_ahead(backend)
    slots.occupy("gpu-1", work())
    busy = slots.free_ahead(backend)
    slots.occupy("gpu-1", work(begun=False))
    full = slots.free_ahead(backend)

    assert (before, busy, full, slots.free(backend)) == (0, 1, 0, 0)


def test_what_is_fetched_still_does_not_hold_up_the_next_but_not_without_end() -> None:
    slots, backend = Slots(), info()
    for _ in range(2):
        slots.occupy("gpu-1", work())
    two = slots.free_ahead(backend)
    slots.occupy("gpu-1", work())

    assert (two, slots.free_ahead(backend)) == (1, 0)


def test_the_time_left_is_the_sum_of_what_is_there() -> None:
    slots, backend = Slots(), info()
    slots.occupy("gpu-1", work(expected_s=10))
    slots.occupy("gpu-1", work(expected_s=5, begun=False))

    soon = NOW + timedelta(seconds=4)
    assert slots.remaining_s(backend, now=soon) == 6 + 5
    assert slots.remaining_s(backend, now=NOW + timedelta(seconds=60)) == 5
    assert slots.remaining_s(info("gpu-2"), now=soon) == 0
    slots.occupy("gpu-1", work())
    assert slots.remaining_s(backend, now=soon) is None


def test_a_run_is_warm_if_its_model_was_used_last() -> None:
    slots = Slots()
    cold, warm, other, ahead = (work(model=each) for each in ("a", "a", "b", "a"))
    for each in (cold, warm, other):
        slots.occupy("gpu-1", each)
    slots.occupy("gpu-1", Work(job_id=ahead.job_id, source="page", model="a"))

    found = [slots.work("gpu-1", each.job_id) for each in (cold, warm, other)]
    assert [each.warm for each in found if each] == [False, True, False]
    assert (slots.loaded("gpu-1"), slots.next_model("gpu-1")) == ("b", "a")
    slots.start("gpu-1", ahead.job_id, at=NOW)
    assert slots.loaded("gpu-1") == "a"
    slots.unloaded("gpu-1")
    assert slots.loaded("gpu-1") is None
