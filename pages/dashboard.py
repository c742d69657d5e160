"""The dashboard: say what to make, watch it being made, and see what waits."""

from pathlib import Path
from uuid import UUID

from nicegui import ui
from nicegui.events import GenericEventArguments

from app.errors import NotFoundError, OrchestratorError
from app.models import Job
from app.services import Services
from components import notify
from components.dash_tabs import DashTabs
from components.generation_form import GenerationForm
from components.generation_form.choices import backend_names
from components.i18n import tr
from components.job_feed import JobFeed
from components.live_preview import LivePreview
from components.queue_board import QueueBoard
from components.recent_results import RecentResults
from components.scope import Scope
from components.services_strip import ServicesStrip

SHEET = Path(__file__).with_name("dashboard.css")
SHORTCUTS = (
    ("Ctrl ↵", "Generate"),
    ("Ctrl V", "Paste a picture to start from"),
    ("F", "Full screen"),
    ("↑ ↓", "Move between jobs"),
    ("Alt ↑ ↓", "Move the job up or down the queue"),
    ("↵", "View the result, run a held job, or fold a group"),
    ("Del", "Cancel the job, or remove a finished one"),
    ("R", "Retry the job"),
    ("L", "Show or hide the log"),
    ("C", "Open the contact sheet of the group"),
    ("Space", "Select the job"),
    ("Shift ↑ ↓", "Select several jobs"),
    ("Ctrl A", "Select all jobs shown"),
    ("Esc", "Close, or clear the selection"),
)


def dashboard(
    services: Services, job_id: str | None = None, use: str | None = None, part: str = "all"
) -> None:
    """The page at `/` and `/jobs/{job_id}`; `?use=<imageId>&part=…` fills the form.

    `part` is what of the picture goes in: `all`, `prompt` or `seed` of its settings, or the
    picture itself as the `image` to start from.
    """
    ui.page_title(f"{tr('Dashboard')} – Orchestrator")
    wanted = _uuid(job_id)
    names = backend_names(services.fleet)
    with Scope(classes="o-page o-dash") as scope:
        strip = ServicesStrip(services)
        DashTabs()
        feed = JobFeed(services, also=wanted)
        form = GenerationForm(services, on_submitted=_show_queue)
        with ui.element("div").classes("o-dash-mid"):
            LivePreview(services.jobs, backends=names)
            recent = RecentResults(services)
        QueueBoard(services.jobs, budget=services.budget, backends=names, expanded=wanted)

    async def use_clicked(event: GenericEventArguments) -> None:
        await _use(services, form, event.args, part="all")

    recent.on("use", use_clicked)
    scope.task(feed.run(), name="job feed")
    scope.task(strip.run(), name="services feed")
    scope.task(form.run(), name="form feed")
    scope.task(recent.run(), name="recent results feed")
    if job_id is not None:
        scope.task(_check(services, job_id), name="check job")
    if use is not None:
        scope.task(_use(services, form, use, part=part), name="use settings")


def _show_queue(_: list[Job]) -> None:
    ui.run_javascript("window.oDashTab?.('queue')")  # of the phone's tabs; the others see it all


async def _check(services: Services, job_id: str) -> None:
    try:
        await services.jobs.get(_known(job_id, what="job"))
    except OrchestratorError as exc:
        notify.show_error(exc)


async def _use(services: Services, form: GenerationForm, image_id: str, *, part: str) -> None:
    try:
        if part == "image":
            form.use_input(await services.inputs.from_image(_known(image_id, what="image")))
        else:
            image = await services.gallery.get(_known(image_id, what="image"))
            form.use(image, part=part)
    except OrchestratorError as exc:
        notify.show_error(exc)
    else:
        ui.run_javascript("window.oDashTab?.('create'); history.replaceState(null, '', '/');")


def _known(text: str, *, what: str) -> UUID:
    found = _uuid(text)
    if found is None:
        raise NotFoundError(f"There is no {what} {text[:60]}.")
    return found


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
