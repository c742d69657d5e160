"""The icons: symbols of one sprite, drawn by name."""

from functools import cache
from html import escape
from pathlib import Path

from nicegui import ui

SPRITE = Path(__file__).with_name("sprite.svg")


@cache
def sprite() -> str:
    """The markup that must be once in every page."""
    return SPRITE.read_text(encoding="utf-8")


def icon(name: str, *, classes: str = "") -> ui.html:
    """The icon `name` at text size, in the colour of the text around it; decorative."""
    return ui.html(svg(name, classes=classes), sanitize=False).style("display: contents")


def svg(name: str, *, classes: str = "") -> str:
    """The same as markup, for where an element would be one too many."""
    return (
        f'<svg class="o-i {escape(classes)}" aria-hidden="true">'
        f'<use href="#o-i-{escape(name)}"></use></svg>'
    )
