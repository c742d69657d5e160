"""The look: tokens, base and control styles, icons, and the theme a user chose."""

import json
from pathlib import Path

from nicegui import core, ui

from components.theme.icons import icon, sprite, svg

__all__ = ["FAVICON", "dress", "icon", "install", "quasar_value", "svg", "tokens"]

_HERE = Path(__file__).parent
FAVICON = _HERE / "favicon.svg"
_SHEETS = ("tokens.css", "base.css", "controls.css", "shell.css")


def install(*sheets: Path) -> None:
    """Put our styles, the given further style sheets and the icons into every page."""
    files = [*(_HERE / name for name in _SHEETS), *sheets]
    css = "\n".join(file.read_text(encoding="utf-8") for file in files)
    script = (_HERE / "theme.js").read_text(encoding="utf-8")
    ui.add_head_html(f"<style>{css}</style><script>{script}</script>", shared=True)
    ui.add_body_html(sprite(), shared=True)
    # Quasar's bar for every request of the page: ours say themselves how far they are.
    core.app.config.quasar_config["loadingBar"] = {"color": "primary", "skipHijack": True}


def dress(*, theme: str, language: str) -> ui.dark_mode:
    """Give this page its theme (`dark`, `light` or `system`) and say its language.

    Returns what keeps Quasar's own dark mode in step.
    """
    ui.add_head_html(
        f"<script>oTheme({json.dumps(theme)});"
        f"document.documentElement.lang = {json.dumps(language)};</script>"
    )
    return ui.dark_mode(quasar_value(theme))


def tokens() -> str:
    """The design tokens alone, for a page without scripts: light where the system is."""
    css = (_HERE / "tokens.css").read_text(encoding="utf-8")
    dark, _, rest = css.partition('[data-theme="light"] {')
    light, _, shared = rest.partition("}")
    return f"{dark}@media (prefers-color-scheme: light) {{ :root {{{light}}} }}{shared}"


def quasar_value(theme: str) -> bool | None:
    """The theme in Quasar's terms."""
    return {"dark": True, "light": False}.get(theme)
