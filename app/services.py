"""What the pages and the API get: each takes what it uses, nobody reaches through."""

from dataclasses import dataclass
from datetime import datetime

from app.access import AccessService
from app.config import Settings
from app.diagnostics import Diagnostics
from app.drafts import Drafts
from app.engine import Engine
from app.events import EventBus
from app.fleet import Fleet
from app.gallery import GalleryService
from app.groups import GroupService
from app.health import Health
from app.inputs import InputService
from app.jobs import JobService
from app.known_nodes import KnownNodes
from app.machines import MachineService
from app.paid import Budget, Cloud
from app.ports import JobStore
from app.presets import Presets
from app.runs import Proxy
from app.submitting import Submitting
from app.templates import Templates
from app.trial import Trials
from app.webhooks import WebhookService
from app.workflow_checks import WorkflowChecks
from app.workflow_files import WorkflowFiles
from app.workflows import WorkflowService


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The running app, made by main.py."""

    settings: Settings
    bus: EventBus
    submitting: Submitting
    trials: Trials
    jobs: JobService
    groups: GroupService
    webhooks: WebhookService
    gallery: GalleryService
    presets: Presets
    known_nodes: KnownNodes
    workflows: WorkflowService
    workflow_checks: WorkflowChecks
    workflow_files: WorkflowFiles
    templates: Templates
    drafts: Drafts
    inputs: InputService
    fleet: Fleet
    machines: MachineService
    proxy: Proxy
    access: AccessService
    event_log: JobStore
    budget: Budget
    cloud: Cloud
    engine: Engine
    health: Health
    diagnostics: Diagnostics
    started_at: datetime
