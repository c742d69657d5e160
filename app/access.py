"""Who may come in, once a token is set: the token itself, or a session that it opened.

A session's cookie is random; what is kept is its HMAC under the token, so a stolen database opens
nothing, and a changed token ends every session.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.config import Settings
from app.errors import NotFoundError, UnauthorizedError
from app.events import EventBus, SessionEnded
from app.ids import new_id
from app.ports import Clock, SessionStore
from app.said import Said
from app.throttle import Throttle

_TRIES_PER_MINUTE = 10  # to log in, of each client


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One browser that logged in."""

    id: UUID
    secret_hash: str
    label: str  # what the browser calls itself
    created_at: datetime
    expires_at: datetime


class AccessService:
    """Checks tokens and sessions; without a token everybody on this machine may come in."""

    def __init__(
        self,
        *,
        token: str | None,
        store: SessionStore,
        bus: EventBus,
        clock: Clock,
        tries: Throttle,
        session_days: int,
    ) -> None:
        self._token = token
        self._store = store
        self._bus = bus
        self._clock = clock
        self._tries = tries
        self._lifetime = timedelta(days=session_days)
        self._sessions: dict[str, Session] = {}

    @property
    def cookie_age_s(self) -> int:
        """How long a session lasts, in seconds."""
        return round(self._lifetime.total_seconds())

    @property
    def required(self) -> bool:
        """Whether one must log in at all."""
        return self._token is not None

    async def open(self) -> None:
        """Read the sessions that are still good."""
        self._sessions = {
            session.secret_hash: session for session in await self._store.living(self._clock.now())
        }

    def is_token(self, given: str) -> bool:
        """Whether this is the token; takes the same time whatever is wrong with it."""
        if self._token is None:
            return False
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._token.encode())

    async def login(self, given: str, *, client: str, label: str) -> str:
        """The cookie of a new session.

        Raises:
            UnauthorizedError: the token is wrong.
            TooManyRequestsError: too many tries.
        """
        self._tries.take(client)
        if not self.is_token(given):
            raise UnauthorizedError(
                Said("The token is wrong."), fix=Said("It is `auth_token` in the configuration.")
            )
        cookie = secrets.token_urlsafe(32)
        now = self._clock.now()
        session = Session(
            id=new_id(),
            secret_hash=self._hash(cookie),
            label=label[:200],
            created_at=now,
            expires_at=now + self._lifetime,
        )
        await self._store.add(session)
        self._sessions[session.secret_hash] = session
        return cookie

    def session(self, cookie: str | None) -> Session | None:
        """The session of a cookie, if it is good."""
        if not cookie or self._token is None:
            return None
        session = self._sessions.get(self._hash(cookie))
        if session is None or session.expires_at <= self._clock.now():
            return None
        return session

    def is_open(self, session_id: UUID) -> bool:
        """Whether a session is still good."""
        now = self._clock.now()
        return any(
            each.id == session_id and each.expires_at > now for each in self._sessions.values()
        )

    def sessions(self) -> list[Session]:
        """Every good session, newest first."""
        now = self._clock.now()
        living = [each for each in self._sessions.values() if each.expires_at > now]
        return sorted(living, key=lambda each: each.created_at, reverse=True)

    async def revoke(self, session_id: UUID) -> None:
        """End a session: its pages close, its cookie opens nothing any more.

        Raises:
            NotFoundError: there is no such session.
        """
        found = [each for each in self._sessions.values() if each.id == session_id]
        if not found:
            raise NotFoundError(Said("There is no session {id}.", id=session_id))
        await self._store.remove(session_id)
        del self._sessions[found[0].secret_hash]
        self._bus.publish(SessionEnded(session_id=session_id))

    def _hash(self, cookie: str) -> str:
        assert self._token is not None
        return hmac.new(self._token.encode(), cookie.encode(), hashlib.sha256).hexdigest()


async def open_access(
    settings: Settings, *, store: SessionStore, bus: EventBus, clock: Clock
) -> AccessService:
    """Who may come in, by the token of the settings, with the sessions a former process left."""
    token = settings.auth_token
    access = AccessService(
        token=token.get_secret_value() if token else None,
        store=store,
        bus=bus,
        clock=clock,
        tries=Throttle(per_minute=_TRIES_PER_MINUTE),
        session_days=settings.session_days,
    )
    await access.open()
    return access
