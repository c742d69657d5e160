"""Closes a page whose session was ended somewhere else."""

import asyncio

from nicegui import Client

from app.events import SessionEnded
from app.services import Services

_GONE_LIMIT_S = 5.0


async def leave_when_session_ends(services: Services, client: Client) -> None:
    """Send the browser to the login once its session ends, and forget the page.

    The page's socket is open already, so nothing else would stop it from being used.
    """
    session_id = getattr(client.request.state, "session_id", None)
    if session_id is None:
        return
    gone = asyncio.Event()
    client.on_disconnect(gone.set)
    with services.bus.subscribe(SessionEnded) as inbox:
        async for event in inbox:
            if isinstance(event, SessionEnded) and event.session_id == session_id:
                break
        else:
            return  # the app stops
    client.open("/login")
    try:
        async with asyncio.timeout(_GONE_LIMIT_S):
            await gone.wait()
    except TimeoutError:
        client.delete()  # it did not go by itself
