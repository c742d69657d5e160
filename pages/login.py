"""The login page: plain HTML without scripts, since nothing else is let through before it."""

from collections.abc import Callable, Coroutine
from html import escape
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from app.access import AccessService
from app.api.access import COOKIE, client_of, safe_next, set_cookie
from app.errors import OrchestratorError, TooManyRequestsError
from components import theme
from components.i18n import negotiate, say_in, tr_in

_SHEET = Path(__file__).with_name("login.css")
_PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – Orchestrator</title>
<style>{css}</style>
</head>
<body>
<main class="o-login">
<form method="post" action="/login" class="o-panel" data-testid="login-form">
<h1>{heading}</h1>
<p id="hint">{hint}</p>
<input type="hidden" name="next" value="{next}">
<label for="token">{label}</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus
 aria-describedby="hint" data-testid="login-token">
{mistake}
<button type="submit" data-testid="login-button">{button}</button>
</form>
</main>
</body>
</html>
"""


def login_routes(access: AccessService) -> list[Route]:
    """`GET /login` and `POST /login`, for main.py to add."""
    return [
        Route("/login", _show(access), methods=["GET"]),
        Route("/login", _log_in(access), methods=["POST"]),
    ]


Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def _show(access: AccessService) -> Handler:
    async def show(request: Request) -> Response:
        target = safe_next(request.query_params.get("next"))
        if not access.required or access.session(request.cookies.get(COOKIE)) is not None:
            return RedirectResponse(target, status_code=303)
        return _page(request, target=target)

    return show


def _log_in(access: AccessService) -> Handler:
    async def log_in(request: Request) -> Response:
        form = await request.form(max_files=0, max_fields=10)
        target = safe_next(str(form.get("next", "/")))
        given = str(form.get("token", ""))
        label = request.headers.get("user-agent", "")
        try:
            cookie = await access.login(given, client=client_of(request), label=label)
        except OrchestratorError as exc:
            status = 429 if isinstance(exc, TooManyRequestsError) else 401
            return _page(request, target=target, mistake=exc, status=status)
        response = RedirectResponse(target, status_code=303)
        set_cookie(response, request, cookie, max_age_s=access.cookie_age_s)
        return response

    return log_in


def _page(
    request: Request, *, target: str, mistake: OrchestratorError | None = None, status: int = 200
) -> Response:
    language = negotiate(request.headers.get("accept-language", ""))

    def words(message: str) -> str:
        return escape(tr_in(language, message))

    shown = ""
    if mistake is not None:
        text = escape(" ".join(say_in(language, each) for each in (mistake.message, mistake.fix)))
        shown = f'<p class="o-mistake" role="alert" data-testid="login-error">{text}</p>'
    html = _PAGE.format(
        language=language,
        title=words("Log in"),
        css=theme.tokens() + _SHEET.read_text(encoding="utf-8"),
        heading="Orchestrator",
        hint=words("Enter the token from the configuration of this app."),
        next=escape(target, quote=True),
        label=words("Token"),
        mistake=shown,
        button=words("Log in"),
    )
    return HTMLResponse(html, status, headers={"Cache-Control": "no-store"})
