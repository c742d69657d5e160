"""Login, logout and sessions; and the gate that stands before every page and route."""

import json
from typing import Annotated
from urllib.parse import quote, urlsplit
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import ConfigDict, Field
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from app.access import AccessService, Session
from app.api.deps import Here
from app.api.problems import responses
from app.submission import Wire
from app.workflows import YOU

router = APIRouter(prefix="/api", tags=["access"])

COOKIE = "orchestrator_session"
_OPEN_PATHS = frozenset(
    # The last is signed by whoever posts there, and says nothing to anybody else.
    {"/api/health", "/api/login", "/login", "/favicon.ico", "/api/flux/webhook"}
)


class Login(Wire):
    """The token of the configuration."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"token": "the auth_token of config.yaml"}]}
    )

    token: Annotated[str, Field(min_length=1, max_length=500)]


class SessionView(Wire):
    """One browser that logged in."""

    id: UUID
    label: str
    created_at: str
    expires_at: str


class SessionList(Wire):
    """Every session that is still good."""

    sessions: list[SessionView]


@router.post("/login", status_code=204, responses=responses(400, 401, 429))
async def login(here: Here, request: Request, response: Response, given: Login) -> None:
    """Log in: sets the session cookie. Tries are limited."""
    label = request.headers.get("user-agent", "")
    cookie = await here.access.login(given.token, client=client_of(request), label=label)
    set_cookie(response, request, cookie, max_age_s=here.access.cookie_age_s)


@router.post("/logout", status_code=204, responses=responses(401))
async def logout(here: Here, request: Request, response: Response) -> None:
    """End this session."""
    session = here.access.session(request.cookies.get(COOKIE))
    if session is not None:
        await here.access.revoke(session.id)
    response.delete_cookie(COOKIE)


@router.get("/sessions", responses=responses(401))
async def list_sessions(here: Here) -> SessionList:
    """Every browser that is logged in."""
    return SessionList(sessions=[_view(each) for each in here.access.sessions()])


@router.delete("/sessions/{session_id}", status_code=204, responses=responses(401, 404))
async def revoke(here: Here, session_id: UUID) -> None:
    """Log a browser out; its open pages close."""
    await here.access.revoke(session_id)


class Gate:
    """ASGI middleware: once a token is set, nobody passes without it or a session.

    It sees HTTP and the opening of a WebSocket; what goes on inside NiceGUI's socket afterwards is
    checked by the router of the pages, since moving between pages there is no request.
    """

    def __init__(self, app: ASGIApp, *, access: AccessService) -> None:
        self.app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it through, ask for a login, or refuse."""
        if scope["type"] not in ("http", "websocket") or not self._access.required:
            await self.app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        session = self._access.session(connection.cookies.get(COOKIE))
        if session is not None:
            scope.setdefault("state", {})["session_id"] = session.id
        elif not self._has_token(connection.headers) and scope["path"] not in _OPEN_PATHS:
            await _turn_away(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self._access.is_token(given.strip())


def client_of(connection: HTTPConnection) -> str:
    """Who asks, for rate limits: the session, else the address."""
    session_id = getattr(connection.state, "session_id", None)
    return str(session_id or (connection.client.host if connection.client else "unknown"))


def author_of(connection: HTTPConnection, *, access: AccessService) -> str:
    """Who saves: what the session is called, or `YOU` while nobody has to log in."""
    session = access.session(connection.cookies.get(COOKIE))
    return (session.label if session else "") or YOU


def set_cookie(response: Response, request: Request, cookie: str, *, max_age_s: int) -> None:
    """Hand the browser its session."""
    secure = request.url.scheme == "https"
    response.set_cookie(
        COOKIE, cookie, max_age=max_age_s, httponly=True, samesite="strict", secure=secure
    )


def safe_next(target: str | None) -> str:
    """Where to go after the login: a path of ours, never another site."""
    parts = urlsplit(target or "/")
    path = parts.path or "/"
    inside = not parts.scheme and not parts.netloc and path.startswith("/") and "\\" not in path
    if not inside or path.startswith("//"):
        return "/"
    return path + (f"?{parts.query}" if parts.query else "")


async def _turn_away(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": "Log in first."})
        return
    path: str = scope["path"]
    if path.startswith(("/api", "/docs", "/_nicegui")) or scope["method"] not in ("GET", "HEAD"):
        status, headers = 401, [(b"www-authenticate", b"Bearer")]
        problem = {"title": "Unauthorized", "status": 401, "detail": "Log in, or send the token."}
        body = json.dumps({"type": "about:blank", "code": "unauthorized", **problem}).encode()
        headers.append((b"content-type", b"application/problem+json"))
    else:
        query = scope["query_string"].decode("latin-1")
        wanted = quote(path + (f"?{query}" if query else ""), safe="")
        status, body = 303, b""
        headers = [(b"location", f"/login?next={wanted}".encode("latin-1"))]
    headers += [(b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _view(session: Session) -> SessionView:
    return SessionView(
        id=session.id,
        label=session.label,
        created_at=f"{session.created_at:%Y-%m-%dT%H:%M:%SZ}",
        expires_at=f"{session.expires_at:%Y-%m-%dT%H:%M:%SZ}",
    )
