"""The node classes of the backends, in short, over HTTP."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from tests.support.http import Api, api
from tests.support.running import until


@pytest.fixture
async def app(home: Path) -> AsyncGenerator[Api]:
    """The app with its demo engine."""
    async with api(home) as running:
        fleet = running.services.fleet
        await until(running.services, lambda: fleet.status("demo").catalog is not None)
        yield running


async def classes(app: Api) -> dict[str, Any]:
    """The node classes the app lists, by class."""
    answer = await app.http.get("/api/nodes")
    assert answer.status_code == 200
    return {each["class"]: each for each in answer.json()["nodes"]}


async def test_every_class_is_listed_with_what_it_takes_and_gives(app: Api) -> None:
    sampler = (await classes(app))["KSampler"]

    assert sampler["name"] == "KSampler"
    assert sampler["inputs"] == ["MODEL", "CONDITIONING", "LATENT"]
    assert set(sampler["widgets"]) == {"INT", "FLOAT", "COMBO"}
    assert sampler["outputs"] == ["LATENT"]
    assert sampler["backends"] == 1


async def test_flags_that_are_off_are_left_out(app: Api) -> None:
    listed = await classes(app)

    assert listed["SaveImage"]["output"] is True
    assert "output" not in listed["KSampler"]
    assert "paid" not in listed["KSampler"]


async def test_an_unchanged_list_is_not_sent_twice(app: Api) -> None:
    first = await app.http.get("/api/nodes")

    again = await app.http.get("/api/nodes", headers={"If-None-Match": first.headers["etag"]})
    other = await app.http.get("/api/nodes", headers={"If-None-Match": '"something-else"'})

    assert (again.status_code, again.content) == (304, b"")
    assert other.status_code == 200
