"""How long work takes: learned, scaled, averaged, kept."""

import pytest

from app.errors import StorageError
from app.estimates import Estimates, Pace, size_of
from tests.support.fakes import FakeClock
from tests.support.values import a_request

SMALL = a_request(width=512, height=512, steps=4)  # 2**0 units
LARGE = a_request(width=1024, height=1024, steps=8)  # 2**3
MODEL = "a.safetensors"


class Notebook:
    """Paces in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str, int], Pace] = {}
        self.puts = 0
        self.full = False

    async def all(self) -> list[Pace]:
        """Every one."""
        return list(self.kept.values())

    async def put(self, pace: Pace, /) -> None:
        """Keep it, unless the disk is full."""
        if self.full:
            raise StorageError("The disk is full.")
        self.puts += 1
        self.kept[pace.work, pace.backend_id, pace.size] = pace


def new(notebook: Notebook | None = None) -> Estimates:
    """Nothing learned yet."""
    return Estimates(store=notebook or Notebook(), clock=FakeClock())


async def warm(estimates: Estimates, seconds: float, *, on: str = "gpu-1", **how: object) -> None:
    """A run with its model loaded."""
    request = how.get("request", SMALL)
    await estimates.learn(request, on, seconds=seconds, model=MODEL, warm=True)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({"width": 1024, "height": 1024, "steps": 1}, 0),
        ({"width": 1024, "height": 1024, "steps": 20}, 4),
        ({"width": 512, "height": 512, "steps": 20}, 2),
        ({"width": 1024, "height": 1024, "steps": 20, "options": {"frames": 16}}, 8),
        ({"width": 16, "height": 16, "steps": 1}, -12),
        ({"width": 1024, "height": 1024, "steps": 1, "options": {"frames": "many"}}, 0),
    ],
)
def test_the_size_of_work_is_a_binary_logarithm(changes: dict[str, object], size: int) -> None:
    assert size_of(a_request(**changes)) == size


async def test_what_was_learned_is_expected_and_moves_slowly() -> None:
    estimates = new()
    before = estimates.expected_s(SMALL, "gpu-1")
    await warm(estimates, 10.0)
    first = estimates.expected_s(SMALL, "gpu-1")
    await warm(estimates, 20.0)

    assert (before, first) == (None, 10.0)
    assert estimates.expected_s(SMALL, "gpu-1") == pytest.approx(13.0)


async def test_other_sizes_are_scaled_and_other_backends_averaged() -> None:
    estimates = new()
    await warm(estimates, 2.0)
    await warm(estimates, 4.0, on="gpu-2")

    assert estimates.expected_s(LARGE, "gpu-1") == 16.0
    assert estimates.expected_s(SMALL, "gpu-3") == 3.0
    assert estimates.expected_s(a_request(preset="sdxl"), "gpu-1") is None


async def test_what_loading_takes_is_learned_from_a_cold_run() -> None:
    estimates = new()
    await warm(estimates, 10.0)
    before = estimates.load_s(MODEL, "gpu-1")
    await estimates.learn(SMALL, "gpu-1", seconds=25.0, model=MODEL, warm=False)

    assert (before, estimates.load_s(MODEL, "gpu-1")) == (None, 15.0)
    assert estimates.load_s(MODEL, "gpu-2") == 15.0
    assert estimates.expected_s(SMALL, "gpu-1") == 10.0


async def test_a_first_cold_run_is_believed_only_until_a_warm_one() -> None:
    estimates = new()
    await estimates.learn(SMALL, "gpu-1", seconds=25.0, model=MODEL, warm=False)
    cold = estimates.expected_s(SMALL, "gpu-1")
    await warm(estimates, 10.0)

    assert (cold, estimates.expected_s(SMALL, "gpu-1")) == (25.0, 10.0)


async def test_it_survives_a_restart_but_not_every_run_is_a_write() -> None:
    notebook = Notebook()
    estimates = new(notebook)
    for _ in range(50):
        await warm(estimates, 10.0)
    again = new(notebook)
    await again.open()

    assert again.expected_s(SMALL, "gpu-1") == 10.0
    assert notebook.puts == 2


async def test_a_full_disk_forgets_but_breaks_nothing() -> None:
    notebook = Notebook()
    notebook.full = True
    estimates = new(notebook)

    await warm(estimates, 10.0)

    assert estimates.expected_s(SMALL, "gpu-1") == 10.0
    assert notebook.kept == {}
