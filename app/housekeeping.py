"""What the app does for itself once a day: take in what has no row, drop what is past its time."""

import asyncio
import logging
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from app.errors import OrchestratorError
from app.ports import Clock
from app.services import Services

log = logging.getLogger("orchestrator")

_DAY_S = 86_400


async def keep_house(services: Services, clock: Clock) -> None:
    """At start take in files without a row; once a day drop what is past its time."""
    keep = timedelta(days=services.settings.events_keep_days)
    await _leave_undone_on_error(services.gallery.sweep())
    while True:
        before = clock.now() - keep
        await _leave_undone_on_error(services.event_log.forget_events(before=before))
        await _leave_undone_on_error(services.event_log.forget_removed(before=before))
        await _leave_undone_on_error(services.webhooks.forget(before=before))
        await _leave_undone_on_error(services.diagnostics.incidents.forget(before=before))
        await asyncio.sleep(_DAY_S)


async def _leave_undone_on_error(work: Coroutine[Any, Any, int]) -> None:
    try:
        await work
    except OrchestratorError as exc:
        log.warning("Housekeeping was left undone: %s", exc)
