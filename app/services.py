"""What the pages and the API get: each takes what it uses, nobody reaches through."""

from dataclasses import dataclass
from datetime import datetime

from app.access import AccessService
from app.config import Settings
from app.events import EventBus
from app.fleet import Fleet
from app.gallery import GalleryService
from app.jobs import JobService
from app.ports import JobStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The running app, made by main.py."""

    settings: Settings
    bus: EventBus
    jobs: JobService
    gallery: GalleryService
    fleet: Fleet
    access: AccessService
    event_log: JobStore
    started_at: datetime
