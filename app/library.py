"""Puts together what the workflow builder stands on."""

from collections.abc import Iterable
from dataclasses import dataclass

from app.drafts import Drafts
from app.events import EventBus
from app.fleet import Fleet
from app.known_nodes import KnownNodes
from app.ports import Clock, FileStore, ImageStore, WorkflowStore
from app.presets import Presets
from app.runs import Proxy
from app.templates import Templates
from app.workflow_checks import WorkflowChecks
from app.workflow_files import Cards, WorkflowFiles
from app.workflows import WorkflowService


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """The parts, each for whoever needs it."""

    known_nodes: KnownNodes
    workflows: WorkflowService
    checks: WorkflowChecks
    files: WorkflowFiles
    templates: Templates
    drafts: Drafts


async def open_library(
    *,
    store: WorkflowStore,
    presets: Presets,
    needed: Iterable[str],
    fleet: Fleet,
    proxy: Proxy,
    images: ImageStore,
    files: FileStore,
    cards: Cards,
    bus: EventBus,
    clock: Clock,
) -> Library:
    """The library, with what is kept in it among the presets.

    `needed` are the presets that unfinished jobs name. `workflows` and `drafts` are to be served.
    """
    known = KnownNodes(fleet)
    workflows = WorkflowService(store=store, known=known, presets=presets, bus=bus, clock=clock)
    await workflows.open(needed=needed)
    templates = Templates()
    return Library(
        known_nodes=known,
        workflows=workflows,
        checks=WorkflowChecks(fleet=fleet, known=known),
        files=WorkflowFiles(
            workflows=workflows,
            known=known,
            templates=templates,
            fleet=fleet,
            proxy=proxy,
            images=images,
            files=files,
            cards=cards,
        ),
        templates=templates,
        drafts=Drafts(store=store, schemas=lambda: known.schemas, bus=bus),
    )
