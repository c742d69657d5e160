"""What stays on screen whatever page is shown: header, navigation, state, preferences, help."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from nicegui import ui

from app.services import Services
from components import theme
from components.i18n import LANGUAGES, current_language, negotiate, tr, use_language
from components.notify import Toast
from components.preferences import preferences
from components.scope import Scope
from components.session_watch import leave_when_session_ends
from components.status_bar import StatusBar
from components.theme import icon

Shortcuts = Sequence[tuple[str, str]]
"""Keys, separated by spaces, and what they do."""

_BRAND = (
    '<svg viewBox="0 0 20 20" fill="none" stroke="var(--accent)" stroke-width="1.9" '
    'stroke-linecap="round" aria-hidden="true">'
    '<circle cx="10" cy="10" r="2.4" fill="var(--accent)" stroke="none"/>'
    '<path d="M10 2.2a7.8 7.8 0 0 1 7.800 7.800"/>'
    '<path d="M10 17.800A7.800 7.800 0 0 1 2.200 10" opacity=".55"/>'
    '<path d="M5 10a5 5 0 0 1 5-5" opacity=".8"/></svg>'
)
_THEMES = ("system", "dark", "light")
_THEME_ICONS = {"system": "system", "dark": "moon", "light": "sun"}


class Frame:
    """Builds the frame and keeps it right while the user moves between pages."""

    def __init__(self, services: Services, *, shortcuts: dict[str, Shortcuts]) -> None:
        """`shortcuts` are what the help lists, by the name of the place they work in."""
        self._services = services
        self._shortcuts = shortcuts
        self._links: list[tuple[str, ui.element]] = []
        self._theme = str(preferences().get("theme", "system"))

    @contextmanager
    def build(self) -> Iterator[None]:
        """Put the frame on the page; what is added inside `with` is the page area."""
        self._dark = theme.dress(theme=self._theme, language=current_language())
        with Scope(classes="o-app") as scope:
            watch = leave_when_session_ends(self._services, ui.context.client)
            scope.task(watch, name="session watch")
            with ui.element("a").props('href="#main"').classes("o-skip"):
                ui.label(tr("Skip to the page"))
            self._header(scope)
            # NiceGUI's page around all this is the <main> already, and one is enough.
            with ui.element("div").classes("o-main").props("id=main tabindex=-1"):
                yield
            with ui.element("nav").classes("o-tabbar").props("aria-label=" + _quoted(tr("Main"))):
                self._navigation(testid="tab")
            Toast()
            self._help = self._help_dialog()
        router = ui.context.client.sub_pages_router
        router.on_path_changed(self._mark)
        self._mark(router.current_path)

    def _header(self, scope: Scope) -> None:
        with ui.element("header").classes("o-head"):
            with ui.element("a").props("href=/").classes("o-brand"):
                ui.html(_BRAND, sanitize=False)
                ui.label("Orchestrator")
            with ui.element("nav").classes("o-nav").props("aria-label=" + _quoted(tr("Main"))):
                self._navigation(testid="nav")
            ui.element("span").classes("o-grow")
            status = StatusBar(self._services)
            status.on("help", lambda: self._help.open())
            scope.task(status.run(), name="status bar feed")
            self._language_menu()
            self._theme_button = icon_button(
                _THEME_ICONS[self._theme], self._theme_title(), testid="theme-toggle"
            ).on("click", self._next_theme)
            icon_button("help", tr("Keyboard shortcuts (?)"), testid="shortcuts").classes(
                "o-keys-only"
            ).on("click", lambda: self._help.open())

    def _navigation(self, *, testid: str) -> None:
        for path, name, symbol in (
            ("/", tr("Dashboard"), "dash"),
            ("/canvas", tr("Canvas"), "image"),
            ("/builder", tr("Builder"), "nodes"),
            ("/diagnostics", tr("Diagnostics"), "pulse"),
            ("/settings", tr("Settings"), "gear"),
        ):
            link = ui.element("a").props(f"href={path} title={_quoted(name)}")
            link.props(f"data-testid={testid}-{symbol}")
            with link:
                icon(symbol)
                with ui.element("span"):
                    ui.label(name).style("display: contents")
            self._links.append((path, link))

    def _mark(self, path: str) -> None:
        place = path.partition("?")[0].lstrip("/").partition("/")[0]
        page = {
            "": "/",
            "jobs": "/",
            "canvas": "/canvas",
            "builder": "/builder",
            "settings": "/settings",
            "ledger": "/settings",  # where the way to it is
            "diagnostics": "/diagnostics",
        }.get(place)
        for target, link in self._links:
            if target == page:
                link.props('aria-current="page"')
            else:
                link.props(remove="aria-current")

    def _language_menu(self) -> None:
        language = current_language()
        button = ui.element("button").classes("o-btn o-btn-quiet o-btn-compact")
        title = _quoted(tr("Language: {name}", name=LANGUAGES[language]))
        button.props(f"type=button data-testid=language title={title} aria-label={title}")
        with button:
            icon("globe", classes="o-i-s")
            ui.label(language.upper())
            with ui.menu().props("auto-close"):
                for code, name in LANGUAGES.items():
                    item = ui.menu_item(name, on_click=partial(_switch_language, code))
                    item.props(f"data-testid=language-{code}")
                    item.set_enabled(code != language)

    def _theme_title(self) -> str:
        names = {"system": tr("system"), "dark": tr("dark"), "light": tr("light")}
        return tr("Theme: {name}", name=names[self._theme])

    def _next_theme(self) -> None:
        self._theme = _THEMES[(_THEMES.index(self._theme) + 1) % len(_THEMES)]
        preferences()["theme"] = self._theme
        self._dark.value = theme.quasar_value(self._theme)
        ui.run_javascript(f"oTheme('{self._theme}')")
        title = _quoted(self._theme_title())
        self._theme_button.props(f"title={title} aria-label={title}")
        self._theme_button.clear()
        with self._theme_button:
            icon(_THEME_ICONS[self._theme])

    def _help_dialog(self) -> ui.dialog:
        with ui.dialog() as dialog, ui.element("div").classes("o-dialog") as box:
            box.props("data-testid=shortcuts-dialog")
            with ui.element("div").classes("o-row"):
                with ui.element("h2").classes("o-h1 o-grow"):
                    ui.label(tr("Keyboard shortcuts"))
                icon_button("x", tr("Close"), testid="shortcuts-close").on("click", dialog.close)
            for place, shortcuts in self._shortcuts.items():
                with ui.element("h3").classes("o-shortcuts-place"):
                    ui.label(tr(place))
                ui.html(_listed(shortcuts), tag="dl", sanitize=False).classes("o-shortcuts")
        return dialog


def icon_button(name: str, title: str, *, testid: str) -> ui.element:
    """A button that shows only an icon; `title` names it."""
    button = ui.element("button").classes("o-icon-btn")
    button.props(
        f"type=button title={_quoted(title)} aria-label={_quoted(title)} data-testid={testid}"
    )
    with button:
        icon(name)
    return button


def choose_language(accept_language: str) -> None:
    """Give the client of this page its language: the one chosen, else the browser's."""
    chosen = preferences().get("language") or negotiate(accept_language)
    use_language(ui.context.client, str(chosen))


def _switch_language(code: str) -> None:
    preferences()["language"] = code
    ui.navigate.reload()


def _listed(shortcuts: Shortcuts) -> str:
    return "".join(
        f"<dt>{''.join(f'<kbd>{key}</kbd>' for key in keys.split())}</dt><dd>{tr(text)}</dd>"
        for keys, text in shortcuts
    )


def _quoted(text: str) -> str:
    return '"' + text.replace('"', "'") + '"'
