"""One workflow open in one page: graph, bar, panel and status line, in step with its draft."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments

from app.api.access import author_of
from app.drafts import Draft
from app.drawing.checks.readiness import Readiness
from app.drawing.searching import search
from app.errors import InvalidRequestError, NotFoundError, OrchestratorError, StorageError
from app.events import (
    BackendChanged,
    BackendRemoved,
    DraftChanged,
    Event,
    JobChanged,
    JobNodesProgressed,
    JobReasonsChanged,
    WorkflowChanged,
)
from app.models import BackendInfo, Workflow
from app.services import Services
from components import notify
from components.builder_bar import BuilderBar, BuilderStatus
from components.feed import Batch, ClientFeed
from components.generation_form.options import OptionFields, offered
from components.i18n import say, tr
from components.workflow_graph import WorkflowGraph
from components.workflow_panel import WorkflowPanel, views
from components.workflow_panel.checks import look_over
from pages.arriving import open_taken
from pages.trying import Trying

log = logging.getLogger(__name__)

_PAUSE_S = 0.2
"""What is typed in quick succession is checked once."""


class Drawing:
    """Builds the page of a workflow; `run` keeps it right."""

    def __init__(
        self, services: Services, workflow: Workflow, draft: Draft, *, since: int = 0
    ) -> None:
        """`since` is the version whose differences to the draft are shown first; 0: none."""
        self._services = services
        self._workflow = workflow
        self._draft = draft
        self._since = since if draft.dirty or since != draft.base else 0
        self._client = ui.context.client
        self._path = ""
        self._rev = 0
        self._selected: list[str] = []
        self._checked: views.Checked | None = None
        self._problem: StorageError | None = None
        self._machines: tuple[object, ...] = ()
        self._due = {"check", "versions"}
        self._wake = asyncio.Event()
        self._wake.set()
        self.bar = BuilderBar(self._bar_state())
        with ui.element("div").classes("o-builder-mid"):
            self.graph = WorkflowGraph()
            self.panel = WorkflowPanel(workflow=str(workflow.id))
            with self.panel:
                self._preview = OptionFields(
                    wildcards=services.settings.wildcards_dir,
                    offered=self._offered,
                    is_preview=True,
                )
        self.status = BuilderStatus()
        self._trying = Trying(services, self)
        self._listen()
        self._feed = ClientFeed(
            self._client,
            bus=services.bus,
            snapshot=self._snapshot,
            fold=self._fold,
            send=self._send,
        )

    @property
    def services(self) -> Services:
        """The running app."""
        return self._services

    @property
    def workflow(self) -> Workflow:
        """The workflow, as the library has it."""
        return self._workflow

    @property
    def draft(self) -> Draft:
        """What is drawn."""
        return self._draft

    @property
    def machines(self) -> list[BackendInfo]:
        """The backends that run graphs."""
        infos = self._services.fleet.infos()
        return [each for each in infos if each.enabled and each.kind != "bfl"]

    @property
    def readiness(self) -> tuple[Readiness, ...]:
        """How the workflow stands with each backend, as it was checked last."""
        return self._checked.readiness if self._checked else ()

    async def run(self) -> None:
        """Follow what happens to the workflow until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._feed.run(), name="builder feed")
            group.create_task(self._here(self._tend()), name="builder checks")
            group.create_task(self._here(self._trying.follow()), name="builder test run")

    async def _here(self, work: Coroutine[Any, Any, None]) -> None:
        with self._client:  # so that what is sent is in the language of this page
            await work

    def feed_add(self, kind: str) -> None:
        """Have something sent that is no event of the bus."""
        self._feed.add(kind, "now")

    def _listen(self) -> None:
        graph, bar, panel = self.graph, self.bar, self.panel
        graph.on("ops", self._do)
        graph.on("undo", lambda: self._shift(self._draft.undo))
        graph.on("redo", lambda: self._shift(self._draft.redo))
        graph.on("enter", self._enter)
        graph.on("select", self._select)
        graph.on("copy", self._copy)
        graph.on("find", self._find)
        graph.on("save", lambda: bar.ask("save"))
        graph.on("run", lambda: bar.ask("test"))
        graph.on("failed", lambda event: _complain(str(event.args)))
        bar.on("undo", lambda: self._shift(self._draft.undo))
        bar.on("redo", lambda: self._shift(self._draft.redo))
        bar.on("command", lambda event: graph.act(str(event.args)))
        bar.on("rename", self._rename)
        bar.on("save", self._save)
        bar.on("validate", self._validate)
        bar.on("versions", lambda: panel.open("versions"))
        bar.on("open", lambda event: open_taken(event.args, is_beside=True))
        bar.on("picture", lambda event: graph.add_picture(event.args))
        bar.on("failed", lambda event: _complain(str(event.args)))
        bar.on("narrow", self._narrow)
        bar.on("test", self._trying.start)
        bar.on("stop", self._trying.stop)
        panel.on("op", self._do_beside)
        panel.on("pick", self._pick)
        panel.on("show", lambda event: graph.show_node(str(event.args)))
        panel.on("suggest", self._suggest)
        panel.on("compare", self._compare)
        panel.on("restore", self._restore)
        self.status.on("show", lambda event: graph.show_node(str(event.args)))
        self.status.on("needs", lambda: panel.open("needs"))

    # What the browser does to the draft.

    def _do(self, event: GenericEventArguments) -> None:
        asked: Mapping[str, Any] = event.args
        seq = asked.get("seq")
        try:
            self._draft.apply(str(asked.get("path") or ""), asked.get("ops"))
        except OrchestratorError as exc:
            refusal = {"refused": seq, "message": say(exc.message), "fix": say(exc.fix)}
            self.graph.send_refusal(refusal)
            self._send_view()
        else:
            self._send_changes(ack=seq)

    def _do_beside(self, event: GenericEventArguments) -> None:
        """An operation of the panel: what is wrong with it is told, and shown as it was."""
        asked: Mapping[str, Any] = event.args
        self._apply(str(asked.get("path") or ""), [asked.get("op")])

    def _apply(self, path: str, ops: list[Any]) -> None:
        try:
            self._draft.apply(path, ops)
        except OrchestratorError as exc:
            notify.show_error(exc)
        self._send_changes()

    def _shift(self, step: Any) -> None:
        step()
        self._send_changes()

    def _pick(self, event: GenericEventArguments) -> None:
        given: Mapping[str, Any] = event.args
        level, _, node_id = str(given["node"]).rpartition(":")
        name, value = given["input"], given["value"]
        self._apply(level, [{"op": "value", "id": node_id, "name": name, "value": value}])

    def _suggest(self, event: GenericEventArguments) -> None:
        if self._checked is not None:
            found = self._checked.suggested
            chosen = tuple(each for each in found if event.args in ("", each.name))
            self._draft.replace(views.with_parameters(self._draft.diagram, chosen))
            self._send_changes()

    def _enter(self, event: GenericEventArguments) -> None:
        self._path = self._draft.nearest(str(event.args.get("path") or ""))
        self._selected = []
        self._send_view()
        self._show_node()

    def _select(self, event: GenericEventArguments) -> None:
        path = str(event.args.get("path") or "")
        prefix = f"{path}:" if path else ""
        self._selected = [f"{prefix}{each}" for each in event.args.get("ids") or ()]
        self._show_node()

    def _copy(self, event: GenericEventArguments) -> None:
        try:
            ids = [str(each) for each in event.args.get("ids") or ()]
            fragment = self._draft.copy(str(event.args.get("path") or ""), ids)
        except OrchestratorError as exc:
            notify.show_error(exc)
        else:
            self.graph.send_fragment(fragment)

    def _find(self, event: GenericEventArguments) -> None:
        schemas = self._services.known_nodes.schemas
        text = str(event.args.get("text") or "")[:200]
        self.graph.send_found(search(self._draft.diagram, text, schemas=schemas))

    def _narrow(self, event: GenericEventArguments) -> None:
        self.graph.set_readonly(bool(event.args))
        self.panel.send({"locked": bool(event.args)})

    # What people do with the workflow as a whole.

    async def _rename(self, event: GenericEventArguments) -> None:
        try:
            await self._services.workflows.edit(self._workflow.id, name=str(event.args))
        except OrchestratorError as exc:
            notify.show_error(exc)
            self.bar.send({"name": self._workflow.name})

    async def _save(self, event: GenericEventArguments) -> None:
        self.bar.send({"saving": True})
        diagram = self._draft.diagram
        author = author_of(self._client.request, access=self._services.access)
        note = str(event.args or "")
        try:
            saved = await self._services.workflows.save(
                self._workflow.id, diagram, author=author, note=note
            )
        except OrchestratorError as exc:
            notify.show_error(exc)
        else:
            self._draft.saved(saved.number, diagram)
            notify.show_done(tr("Saved as version {n}", n=saved.number))
        finally:
            self.bar.send({"saving": False})

    async def _validate(self) -> None:
        self._checked = await look_over(self._services, self._draft.diagram, self.machines)
        self._show_checked(self._checked)
        first = self._checked.first
        if first is None:
            self.panel.open("needs")
            text = views.needs_view(self._checked, known=self._services.known_nodes)["summary"]
            notify.show_done(f"{tr('Valid')}. {text}")
        elif first.node_id is not None:
            self.panel.open("node")
            self.graph.show_node(first.node_id)

    async def _compare(self, event: GenericEventArguments) -> None:
        if event.args is None:
            self.panel.send({"comparison": None})
            self.graph.send_marks(None)
            return
        await self._show_changes(int(event.args["old"]), int(event.args["new"]))

    async def _show_changes(self, old: int, new: int = 0) -> None:
        """Say what is different since a version, in words and on the canvas; 0 is the draft."""
        try:
            found = await self._services.workflows.compare(
                self._workflow.id, old, new or self._draft.diagram
            )
        except OrchestratorError as exc:
            notify.show_error(exc)
            return
        self.panel.send({"comparison": views.comparison_view(found, old=old, new=new)})
        marks = {"added": found.added, "removed": found.removed, "changed": found.changed}
        self.graph.send_marks({name: list(paths) for name, paths in marks.items()})

    async def _restore(self, event: GenericEventArguments) -> None:
        number = int(event.args)
        try:
            diagram = await self._services.workflows.diagram(self._workflow.id, number)
        except OrchestratorError as exc:
            notify.show_error(exc)
            return
        self._draft.replace(diagram)
        self._send_changes()
        notify.show_undo(
            tr("Version {n} is on the canvas; Save makes it the newest", n=number), self._take_back
        )

    async def _take_back(self) -> None:
        self._draft.undo()
        self._send_changes()

    # What the browser is told.

    async def _snapshot(self) -> None:
        self._send_view()
        self._show_node()
        self._note("check", "versions")
        self._trying.show()
        since, self._since = self._since, 0
        if since:
            self.panel.open("versions")
            await self._show_changes(since)

    def _fold(self, event: Event, batch: Batch) -> None:
        match event:
            case DraftChanged(workflow_id=changed) if changed == self._workflow.id:
                batch["draft"] = {"now": True}
            case WorkflowChanged(workflow_id=changed) if changed == self._workflow.id:
                batch["versions"] = {"now": True}
            case BackendChanged() | BackendRemoved():
                batch["backends"] = {"now": True}
            case JobChanged() | JobNodesProgressed() | JobReasonsChanged():
                if self._trying.hear(event):
                    batch["run"] = {"now": True}
            case _:
                pass

    def _send(self, batch: Batch) -> None:
        if "draft" in batch:
            self._send_changes()
            self._problem = notify.show_change(self._draft.problem, before=self._problem)
        if "versions" in batch:
            self._note("versions")
        if "backends" in batch and (now := self._standing()) != self._machines:
            self._machines = now
            self._note("check")
            self.graph.refresh_nodes()
        if "run" in batch:
            self._trying.show()

    def _standing(self) -> tuple[object, ...]:
        """What of the backends decides where a workflow runs."""
        fleet = self._services.fleet
        statuses = [(each, fleet.status(each.id)) for each in self.machines]
        return tuple((info, now.online, now.catalog) for info, now in statuses)

    def _send_view(self) -> None:
        self._path = self._draft.nearest(self._path)
        self._rev = self._draft.rev
        self.graph.send_view(self._draft.view(self._path))
        self._sent()

    def _send_changes(self, *, ack: object = None) -> None:
        if ack is None and self._rev == self._draft.rev:
            return
        patch = self._draft.changes_since(self._rev, self._path)
        if patch is None:
            self._send_view()
            patch = {"rev": self._rev, "path": self._path, "nodes": {}, "links": {}, "specs": {}}
            if ack is None:
                return
        if ack is not None:
            patch = {**patch, "ack": ack}
        self._rev = self._draft.rev
        self.graph.send_patch(patch)
        self._sent()

    def _sent(self) -> None:
        draft = self._draft
        state = {"dirty": draft.dirty, "canUndo": draft.can_undo, "canRedo": draft.can_redo}
        self.bar.send(state)
        level = views.counts(draft.diagram, self._path)
        self.status.send(level)
        self._show_node()
        self._note("check")

    def _show_node(self) -> None:
        node = None
        if len(self._selected) == 1:
            node = views.node_view(
                self._draft.diagram,
                self._selected[0],
                known=self._services.known_nodes,
                backends=self.machines,
            )
        self.panel.send({"node": node, "count": len(self._selected)})
        self.status.send({"selected": len(self._selected)})

    def _show_checked(self, checked: views.Checked) -> None:
        known = self._services.known_nodes
        findings = [
            views.located_view(each, checked.diagram, known.schemas) for each in checked.findings
        ]
        needs = views.needs_view(checked, known=known)
        self.graph.send_findings(views.findings_by_node(checked.findings))
        self.panel.send(
            {
                "findings": findings,
                "needs": needs,
                "parameters": views.form_view(checked.diagram.parameters, checked.lost),
                "suggested": views.form_view(checked.suggested, ()),
                "dirty": self._draft.dirty,
            }
        )
        self.status.send(
            views.status_view(checked, summary=needs["summary"], schemas=known.schemas)
        )
        self.bar.send(views.trial_offer(checked, schemas=known.schemas))

    def _show_form(self, checked: views.Checked) -> None:
        preset = checked.preset(self._workflow.name)
        self._preview.show(preset, {})

    def _offered(self, preset: Any, option: Any) -> list[str]:
        return offered(self._services.known_nodes.schemas, preset, option)

    def _bar_state(self) -> dict[str, Any]:
        draft = self._draft
        return {
            "name": self._workflow.name,
            "version": self._workflow.version,
            "dirty": draft.dirty,
            "canUndo": draft.can_undo,
            "canRedo": draft.can_redo,
        }

    # What takes a while.

    def _note(self, *what: str) -> None:
        self._due.update(what)
        self._wake.set()

    async def _tend(self) -> None:
        """Check what was drawn, and read what is kept, shortly after it changed."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(_PAUSE_S)
            self._wake.clear()
            due, self._due = self._due, set()
            try:
                if "versions" in due:
                    await self._read_versions()
                if "check" in due:
                    await self._check()
            except NotFoundError:
                self._gone()
                return
            except OrchestratorError:
                log.warning("A page of the builder could not be brought up to date", exc_info=True)
            except Exception:  # the fence of a page: the next change looks again
                log.exception("A workflow could not be looked over")

    async def _check(self) -> None:
        diagram = self._draft.diagram
        before = self._checked
        checked = await look_over(self._services, diagram, self.machines)
        if checked.diagram is not diagram and self._draft.diagram is diagram:
            self._draft.amend(checked.diagram)  # fields found again at other nodes
            self._send_changes()
        self._checked = checked
        self._show_checked(checked)
        if before is None or before.options != checked.options:
            self._show_form(checked)
        self._trying.offer()

    async def _read_versions(self) -> None:
        workflows = self._services.workflows
        self._workflow = await workflows.get(self._workflow.id)
        versions = await workflows.versions(self._workflow.id)
        ui.page_title(f"{self._workflow.name} – Orchestrator")
        self.bar.send({**self._bar_state()})
        shown = [views.version_view(each) for each in versions]
        self.panel.send({"versions": shown, "dirty": self._draft.dirty})

    def _gone(self) -> None:
        """Somebody deleted it: there is nothing left to save to."""
        self.graph.set_readonly(True)
        self.panel.send({"locked": True})
        self.bar.send({"locked": True, "saving": True})
        notify.show_error(
            NotFoundError(tr("This workflow was deleted. Bring it back in another window."))
        )


def _complain(reason: str) -> None:
    notify.show_error(InvalidRequestError("workflow", reason))
