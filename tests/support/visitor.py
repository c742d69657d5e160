"""Somebody at a page, without a browser: what they see, write and press."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from nicegui.testing import User
from nicegui.testing.user_interaction import UserInteraction
from nicegui.testing.user_simulation import user_simulation

from app.services import Services
from app.views import JobView
from components.notify import Toast
from pages.shell import build_root
from tests.support.fakes import LIMIT_S


@asynccontextmanager
async def browsing(
    services: Services, path: str = "/", *, language: str = "en"
) -> AsyncIterator[User]:
    """Somebody who has opened the page."""
    async with user_simulation(root=build_root(services)) as user:
        user.http_client.headers["accept-language"] = language
        await user.open(path)
        yield user


def part(user: User, testid: str) -> Any:
    """The one element with that test id."""
    assert user.client
    elements = user.client.elements.values()
    found = [each for each in elements if each.props.get("data-testid") == testid]
    assert len(found) == 1, f"{len(found)} elements are called {testid}"
    return found[0]


def fill(user: User, **values: Any) -> None:
    """Write into fields, by test id with underscores."""
    assert user.client
    with user.client:
        for name, value in values.items():
            part(user, name.replace("_", "-")).value = value


def click(user: User, testid: str) -> None:
    """Press it."""
    UserInteraction(user, {part(user, testid)}, None).trigger("click")


def messages(user: User) -> list[tuple[str, str]]:
    """What the page says from here on: kind and text."""
    toast = next(iter(user.find(Toast).elements))
    said: list[tuple[str, str]] = []
    toast.show = lambda text, *, kind, undo=None: said.append((kind, text))
    return said


async def until(condition: Callable[[], Any]) -> None:
    """Let the page work until that holds."""
    async with asyncio.timeout(LIMIT_S):
        while not condition():  # noqa: ASYNC110 - NiceGUI says nowhere that a handler is done
            await asyncio.sleep(0)


async def jobs_of(services: Services) -> list[JobView]:
    """All jobs there are, in queue order."""
    return (await services.jobs.board()).jobs


async def until_jobs(services: Services, ready: Callable[[list[JobView]], bool]) -> list[JobView]:
    """Wait until the jobs are as wanted."""
    async with asyncio.timeout(LIMIT_S):
        while not ready(jobs := await jobs_of(services)):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
    return jobs
