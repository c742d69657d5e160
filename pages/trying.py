"""The test run of the workflow that a page has open: started, followed and shown there."""

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from nicegui.events import GenericEventArguments

from app.drawing.editing.operations import Value
from app.errors import ConflictError, InvalidRequestError, OrchestratorError
from app.events import Event
from app.models import AUTO, JobState
from app.services import Services
from app.trial import NewSeed, Sample, Trial
from components import notify
from components.i18n import say, tr
from components.workflow_panel import views

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from pages.drawing import Drawing

TEXTS = ("Test is held", "Test waits", "Test done", "Test failed", "Test cancelled")
_STATES = (
    JobState.CREATED,
    JobState.QUEUED,
    JobState.DONE,
    JobState.FAILED,
    JobState.CANCELLED,
)
_WORDS = dict(zip(_STATES, TEXTS, strict=True))
"""Messages for `tr`."""


class Trying:
    """Holds the last test run, which another page on the same workflow may have started."""

    def __init__(self, services: Services, drawing: "Drawing") -> None:
        self._services = services
        self._drawing = drawing
        self._trial: Trial | None = services.trials.of(drawing.workflow.id)
        self._new = asyncio.Event()
        self._over = asyncio.Event()

    async def start(self, event: GenericEventArguments) -> None:
        """Run what is drawn, as the dialog says."""
        asked: dict[str, Any] = event.args
        output = str(asked.get("output") or "")
        sample = Sample(
            backend=str(asked.get("backend") or AUTO),
            prompt=str(asked.get("prompt") or ""),
            outputs=frozenset({output}) if output else None,
        )
        drawing = self._drawing
        try:
            trial, seeds = await self._services.trials.start(
                drawing.workflow.id,
                drawing.draft.diagram,
                schemas=self._services.known_nodes.schemas,
                sample=sample,
            )
        except OrchestratorError as exc:
            notify.show_error(exc)
            if isinstance(exc, InvalidRequestError) and exc.field[:1].isdigit():
                drawing.graph.show_node(exc.field)
            return
        self._take(trial)
        self._advance(seeds)

    async def stop(self) -> None:
        """Cancel it, wherever it is."""
        if self._trial is None:
            return
        try:
            await self._services.jobs.cancel(self._trial.job.id)
        except ConflictError:
            self.show()  # it ended meanwhile
        except OrchestratorError as exc:
            notify.show_error(exc)

    def hear(self, event: Event) -> bool:
        """Take in what happened; whether it is about the test run that is shown."""
        newest = self._services.trials.of(self._drawing.workflow.id)
        if newest is not self._trial and newest is not None:
            self._take(newest)
        if self._trial is None or not self._trial.hear(event):
            return False
        if self._trial.is_over:
            self._over.set()
        return True

    async def follow(self) -> None:
        """Have the nodes of the run told while it lasts; runs until cancelled."""
        if self._trial is not None:
            self._take(self._trial)
        while True:
            await self._new.wait()
            self._new.clear()
            trial = self._trial
            if trial is None or trial.is_over:
                continue
            jobs = self._services.jobs
            with jobs.watching(trial.job.id):
                told = jobs.nodes(trial.job.id)
                if told is not None:
                    trial.take(told)
                    self._drawing.feed_add("run")
                await self._over.wait()
            if trial.is_over and trial.images:
                workflow_id = self._drawing.workflow.id
                try:
                    await self._services.workflows.show_result(workflow_id, trial.images[0].id)
                except OrchestratorError:  # the picture of a card is not worth the page
                    log.warning("The last result is not shown", exc_info=True)

    def show(self) -> None:
        """Show the run, if there is one, on the graph, in the bar and in the status line."""
        trial, drawing = self._trial, self._drawing
        if trial is None:
            return
        drawing.graph.send_run(trial.view(say=say))
        since = trial.job.started_at or trial.job.created_at
        state = trial.job.state.value
        drawing.bar.send({"test": {"state": state, "since": since.isoformat()}})
        test = {"jobId": str(trial.job.id), "state": state, "text": self._text(trial)}
        drawing.status.send({"test": test})

    def offer(self) -> None:
        """Say where a run could go now."""
        able = {each.backend_id: each for each in (self._drawing.readiness or ())}
        backends = [{"id": AUTO, "name": tr("Any backend"), "state": ""}]
        for info in self._drawing.machines:
            readiness = able.get(info.id)
            state = "" if readiness is None or readiness.ok else say(readiness.advice)
            backends.append({"id": info.id, "name": info.name, "state": state})
        real = [each for each in self._drawing.machines if not each.is_demo]
        if not real:  # any backend means one with a real model
            backends = backends[1:]
        self._drawing.bar.send({"backends": backends})

    def _take(self, trial: Trial) -> None:
        self._over.set()
        self._over = asyncio.Event()
        if trial.is_over:
            self._over.set()
        self._trial = trial
        self._new.set()
        self._drawing.feed_add("run")

    def _advance(self, seeds: list[NewSeed]) -> None:
        """Give seeds their next values, as their nodes want it after each run."""
        draft = self._drawing.draft
        for seed in seeds:
            value = Value(op="value", id=seed.node, name=seed.name, value=seed.value)
            try:
                draft.perform(seed.level, [value])
            except OrchestratorError:
                continue  # taken out of the graph in this moment

    def _text(self, trial: Trial) -> str:
        job = trial.job
        if job.state is not JobState.RUNNING:
            reason = self._services.jobs.view(job, say=say).reason
            return f"{tr(_WORDS[job.state])}. {reason}" if reason else tr(_WORDS[job.state])
        info = self._services.fleet.info(job.backend_id)
        where = info.name if info else job.backend_id or ""
        running = [(path, each) for path, each in trial.nodes.items() if each.state == "running"]
        if not running:
            return tr("Test on {backend}", backend=where)
        path, progress = running[-1]
        schemas = self._services.known_nodes.schemas
        title = views.title_at(path, self._drawing.draft.diagram, schemas)
        steps = f" {progress.value:g} / {progress.max:g}" if progress.max else ""
        return tr("Test on {backend}: {node}", backend=where, node=f"{title}{steps}")
