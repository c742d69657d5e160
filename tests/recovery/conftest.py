"""A demo engine and lives of the app, each a process of its own."""

from collections.abc import Callable, Generator
from itertools import count
from pathlib import Path

import pytest

from tests.recovery.crashing_app import Plan
from tests.recovery.processes import Engine, Lives

_SEEDS = count(step=100)
NewPlan = Callable[..., Plan]


@pytest.fixture(scope="session")
def lives() -> Lives:
    """Starts lives of the app."""
    return Lives()


@pytest.fixture(scope="session")
def _engine(tmp_path_factory: pytest.TempPathFactory) -> Generator[Engine]:
    engine = Engine(tmp_path_factory.mktemp("engine")).start()
    yield engine
    engine.kill()


@pytest.fixture
def engine(_engine: Engine) -> Engine:
    """The engine that all tests share; started already, without faults and idle."""
    _engine.release()
    return _engine


@pytest.fixture
def own_engine(tmp_path: Path) -> Generator[Engine]:
    """An engine that may die."""
    engine = Engine(tmp_path / "engine").start()
    yield engine
    engine.kill()


@pytest.fixture
def plan(home: Path, request: pytest.FixtureRequest) -> NewPlan:
    """A plan on the engine of the test."""
    name = "own_engine" if "own_engine" in request.fixturenames else "engine"
    url = request.getfixturevalue(name).url
    return lambda **values: Plan(home=home, engine=url, seed=next(_SEEDS), **values)
