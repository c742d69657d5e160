"""The settings: machines, money, places and looks; what is set elsewhere is named by its key."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from uuid import UUID

from nicegui import ui

from app.config import Settings
from app.errors import OrchestratorError
from app.events import ChargeChanged, Event, SessionEnded
from app.models import Fallback
from app.paid import usd
from app.services import Services
from components import notify
from components.backend_settings import BackendSettings
from components.feed import Batch, ClientFeed
from components.i18n import LANGUAGES, current_language, tr, trn
from components.local_time import LocalTime
from components.preferences import preferences
from components.scope import Scope
from components.theme import icon

_ENV = "ORCHESTRATOR_"
_HOT = 0.88


def settings_page(services: Services, backend: str | None = None, add: str | None = None) -> None:
    """The page at `/settings`; `?backend=<id>` opens the form of one, `?add=machine` a new one."""
    ui.page_title(f"{tr('Settings')} – Orchestrator")
    with Scope(classes="o-page o-settings") as scope:
        _rail()
        with ui.element("div").classes("o-set"), ui.element("div").classes("o-set-in"):
            with ui.element("section").props("id=backends"):
                backends = BackendSettings(services)
            with _section("waiting", tr("Waiting jobs")):
                _waiting(services.settings)
            with _section("paid", tr("Paid generation")):
                paid = _Paid(services)
            with _section("storage", tr("Storage and retention")):
                _storage(services)
            with _section("appearance", tr("Appearance")):
                _appearance()
            with _section("sessions", tr("Sessions")):
                sessions = _Sessions(services)

    async def refresh() -> None:
        await paid.refresh()
        sessions.refresh()

    feed = ClientFeed(
        ui.context.client,
        bus=services.bus,
        snapshot=refresh,
        fold=_fold,
        send=lambda _: feed.refresh(),
    )
    scope.task(backends.run(), name="backends feed")
    scope.task(feed.run(), name="settings feed")
    if backend is not None:
        backends.edit(backend)
    elif add is not None:
        backends.add()


def _fold(event: Event, batch: Batch) -> None:
    if isinstance(event, ChargeChanged | SessionEnded):
        batch["settings"] = {"changed": {}}


def _rail() -> None:
    sections = [
        ("backends", tr("Backends"), "cpu"),
        ("waiting", tr("Waiting jobs"), "layers"),
        ("paid", tr("Paid generation"), "coin"),
        ("storage", tr("Storage and retention"), "folder"),
        ("appearance", tr("Appearance"), "eye"),
        ("sessions", tr("Sessions"), "user"),
    ]
    with ui.element("nav").classes("o-settings-rail") as rail:
        rail.props(f'aria-label="{tr("Settings")}"')
        with ui.element("h2"):
            ui.label(tr("Settings"))
        for name, title, symbol in sections:
            with ui.element("a").props(f"href=#{name} data-testid=settings-{name}") as link:
                icon(symbol)
                ui.label(title)
            # The page scrolls inside the frame, where a plain link would not reach.
            link.on(
                "click.prevent",
                js_handler=f"() => document.getElementById('{name}').scrollIntoView("
                "{behavior: 'smooth', block: 'start'})",
            )


@contextmanager
def _section(name: str, title: str) -> Iterator[None]:
    with ui.element("section").props(f"id={name}"):
        with ui.element("h2").classes("o-h1"):
            ui.label(title)
        with ui.element("div").classes("o-panel o-facts"):
            yield


@contextmanager
def _fact(name: str, *, key: str | None = None) -> Iterator[None]:
    """A line: what it is, its value (built inside `with`), and the key that sets it."""
    with ui.element("div").classes("o-fact"):
        ui.label(name).classes("o-fact-name")
        with ui.element("div").classes("o-fact-value"):
            yield
        if key is not None:
            label = ui.label(key).classes("o-fact-key o-mono")
            variable = f"{_ENV}{key.upper().replace('.', '__')}"
            label.props(f'title="{tr("In config.yaml, or {variable}", variable=variable)}"')


def _waiting(settings: Settings) -> None:
    """How they are spread over the machines."""
    scheduling = settings.scheduling
    words = {
        Fallback.NONE: tr("Wait"),
        Fallback.ASK: tr("Ask me"),
        Fallback.AUTO: tr("Go elsewhere"),
    }
    on_off = {True: tr("On"), False: tr("Off")}
    with _fact(tr("If the machine of a job is away"), key="scheduling.fallback"):
        ui.label(words[scheduling.fallback]).props("data-testid=settings-fallback")
    with _fact(tr("Next prompt sent ahead"), key="scheduling.prefetch"):
        ui.label(on_off[scheduling.prefetch])
    with _fact(tr("Jobs whose model is loaded may go first"), key="scheduling.affinity_patience_s"):
        seconds = round(scheduling.affinity_patience_s)
        ui.label(trn("for {n} second", "for {n} seconds", seconds))
    with _fact(tr("A backend rests after faults in a row"), key="health.circuit_faults"):
        ui.label(str(settings.health.circuit_faults))


class _Paid:
    """Whether money may be spent, and how much was."""

    def __init__(self, services: Services) -> None:
        self._services = services
        settings = services.settings
        with _fact(tr("Paid generation"), key="allow_generation"):
            allowed = settings.allow_generation
            text = (
                tr("Allowed; each picture is confirmed with its price")
                if allowed
                else tr("Off: only the price is shown, nothing is sent")
            )
            ui.label(text).props("data-testid=paid-state")
        with _fact(tr("FLUX API key"), key="flux.api_key"):
            known = settings.flux.api_key is not None
            text = (
                tr("Set; it is never shown, and goes only to {url}", url=settings.flux.url)
                if known
                else tr("Not set")
            )
            ui.label(text).props("data-testid=flux-key")
        with _fact(tr("Today (UTC)"), key="flux.budget_day_usd"):
            self._day = _Spent("spent-day")
        with _fact(tr("In total"), key="flux.budget_total_usd"):
            self._total = _Spent("spent-total")
        with _fact(tr("Ledger")), ui.element("a").props("href=/ledger data-testid=ledger-link"):
            ui.label(tr("Every paid picture and what it cost"))

    async def refresh(self) -> None:
        """Read what was spent."""
        totals = await self._services.budget.totals()
        self._day.show(totals.day, cap=totals.day_cap)
        self._total.show(totals.total, cap=totals.total_cap)


class _Spent:
    """An amount against its cap."""

    def __init__(self, testid: str) -> None:
        self._text = ui.label("–").classes("o-num").props(f"data-testid={testid}")
        with ui.element("div").classes("o-bar") as self._bar:
            self._fill = ui.element("i").style("width: 0")

    def show(self, spent: int, *, cap: int) -> None:
        """Show it."""
        self._text.text = tr("{spent} of {cap}", spent=usd(spent), cap=usd(cap))
        share = min(1.0, spent / cap) if cap else float(spent > 0)
        self._fill.style(f"width: {share * 100:.1f}%")
        self._bar.props(f"data-hot={'true' if share > _HOT else 'false'}")


def _storage(services: Services) -> None:
    settings = services.settings
    for name, path, key in (
        (tr("Everything this app writes"), settings.home, "home"),
        (tr("Pictures"), settings.outputs_dir, "outputs"),
        (tr("Wildcards"), settings.wildcards_dir, "wildcards"),
        (tr("Database"), settings.database, None),
        (tr("Thumbnails"), settings.thumbnails_dir, None),
        (tr("Log"), settings.logs_dir, None),
    ):
        with _fact(name, key=key):
            ui.label(str(path)).classes("o-mono")
    with _fact(tr("Removed jobs and the log of events"), key="events_keep_days"):
        ui.label(trn("kept for {n} day", "kept for {n} days", settings.events_keep_days))
    with _fact(tr("Deleted pictures")):
        ui.label(tr("stay in the trash until you empty it"))
    with _fact(tr("A login"), key="session_days"):
        ui.label(trn("lasts {n} day", "lasts {n} days", settings.session_days))


def _appearance() -> None:
    themes = {"system": tr("system"), "dark": tr("dark"), "light": tr("light")}
    with _fact(tr("Theme")):
        _choice("theme", themes, chosen=str(preferences().get("theme", "system")))
    with _fact(tr("Language")):
        _choice("language", LANGUAGES, chosen=current_language())


def _choice(name: str, options: dict[str, str], *, chosen: str) -> None:
    """A preference of this browser, applied by loading the page anew."""

    def choose(value: str) -> None:
        preferences()[name] = value
        ui.navigate.reload()

    with ui.element("div").classes("o-seg").props("role=group"):
        for value, title in options.items():
            button = ui.element("button").props(f"type=button data-testid=set-{name}-{value}")
            button.props(f"aria-pressed={'true' if value == chosen else 'false'}")
            button.on("click", partial(choose, value))
            with button:
                ui.label(title)


class _Sessions:
    """Who is logged in, and a way to end that."""

    def __init__(self, services: Services) -> None:
        self._access = services.access
        self._own: UUID | None = getattr(ui.context.client.request.state, "session_id", None)
        self._rows = ui.element("div").classes("o-facts").props("data-testid=sessions")
        self.refresh()

    def refresh(self) -> None:
        """Show those that are open now."""
        self._rows.clear()
        with self._rows:
            if not self._access.required:
                with _fact(tr("Login"), key="auth_token"):
                    ui.label(tr("Not needed: only this machine can reach the app"))
            for session in self._access.sessions():
                own = session.id == self._own
                with _fact(tr("This browser") if own else tr("Browser")):
                    self._session(session.id, session.label, session.created_at)
            if self._access.required and not self._access.sessions():
                with _fact(tr("Login")):
                    ui.label(tr("Nobody is logged in by a browser."))

    def _session(self, session_id: UUID, label: str, since: datetime) -> None:
        with ui.element("div").classes("o-row"):
            with ui.element("div").classes("o-col o-grow"):
                ui.label(label).classes("o-session-name").props(f'title="{_plain(label)}"')
                LocalTime(since, words=tr("since {time}")).classes("o-hint")
            button = ui.element("button").classes("o-btn o-btn-compact")
            button.props(f"type=button data-testid=session-end-{session_id}")
            button.on("click", self._ender(session_id))
            with button:
                ui.label(tr("Log out"))

    def _ender(self, session_id: UUID) -> Callable[[], object]:
        async def end() -> None:
            try:
                await self._access.revoke(session_id)
            except OrchestratorError as exc:
                notify.show_error(exc)

        return end


def _plain(text: str) -> str:
    return text.replace('"', "'")
