"""What happens to a page of the builder when a workflow was brought in from elsewhere."""

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from components import notify
from components.i18n import tr, trn


def open_taken(made: Mapping[str, Any], *, is_beside: bool = False) -> None:
    """Go to a workflow that was brought in, and say how much there is to say about it.

    `is_beside`: another one was open, so that people are told that this one is new.
    """
    said = int(made.get("report") or 0)
    ui.navigate.to(f"/builder/{made['id']}")
    told: list[str] = []
    if is_beside:
        told.append(tr("{name} was opened as a new workflow", name=str(made.get("name") or "")))
    if said:
        told.append(trn("{n} remark on what was read", "{n} remarks on what was read", said))
    if told:
        notify.show_done(". ".join(told))
