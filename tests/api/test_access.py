"""Once a token is set: who comes in, who does not, and how a session ends."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.types import Message

from app.api.access import COOKIE, safe_next
from tests.support.http import SMALL, Api, api, problem, stream

TOKEN = "correct-horse-battery"
BODY = {"prompt": "a red fox", "backend": "demo", "params": SMALL, "hold": True}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def locked(home: Path, **changes: Any) -> Any:
    """The app with a token."""
    return api(home, auth_token=SecretStr(TOKEN), **changes)


async def logged_in(app: Api) -> str:
    """The cookie of a new session, which the client keeps."""
    answer = await app.http.post("/api/login", json={"token": TOKEN})
    assert answer.status_code == 204, answer.text
    return app.http.cookies[COOKIE]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/jobs"),
        ("POST", "/api/generate"),
        ("GET", "/api/images"),
        ("GET", "/api/events"),
        ("GET", "/api/sessions"),
        ("GET", "/api/openapi.json"),
        ("GET", "/docs"),
        ("POST", "/anything"),
        ("GET", "/_nicegui/socket.io"),
    ],
)
async def test_stranger_gets_401(home: Path, method: str, path: str) -> None:
    async with locked(home) as app:
        answer = await app.http.request(method, path, json=BODY)

        assert problem(answer, 401)["code"] == "unauthorized"
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_stranger_on_a_page_is_sent_to_the_login_and_back(home: Path) -> None:
    async with locked(home) as app:
        answer = await app.http.get("/canvas?q=fox")

        assert answer.status_code == 303
        assert answer.headers["location"] == "/login?next=%2Fcanvas%3Fq%3Dfox"


async def test_health_answers_everybody(home: Path) -> None:
    async with locked(home) as app:
        assert (await app.http.get("/api/health")).status_code == 200


async def test_token_opens_the_api(home: Path) -> None:
    async with locked(home) as app:
        answer = await app.http.post("/api/generate", json=BODY, headers=BEARER)

        assert answer.status_code == 202


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ☃"],
)
async def test_anything_but_the_token_does_not(home: Path, given: str) -> None:
    async with locked(home) as app:
        headers = [(b"authorization", given.encode())]
        answer = await app.http.get("/api/jobs", headers=headers)

        problem(answer, 401)


async def test_login_sets_a_cookie_that_scripts_and_other_sites_cannot_use(home: Path) -> None:
    async with locked(home) as app:
        answer = await app.http.post("/api/login", json={"token": TOKEN})

        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert (await app.http.get("/api/jobs")).status_code == 200


async def test_wrong_tokens_are_refused_and_soon_not_even_looked_at(home: Path) -> None:
    async with locked(home) as app:
        answers = [
            await app.http.post("/api/login", json={"token": f"guess {number}"})
            for number in range(12)
        ]
        right = await app.http.post("/api/login", json={"token": TOKEN})

    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
    assert problem(right, 429)["code"] == "too_many_requests"
    assert int(right.headers["retry-after"]) >= 1


async def test_logout_ends_the_session(home: Path) -> None:
    async with locked(home) as app:
        cookie = await logged_in(app)

        assert (await app.http.post("/api/logout")).status_code == 204
        answer = await app.http.get("/api/jobs", headers={"cookie": f"{COOKIE}={cookie}"})

        problem(answer, 401)


async def test_revoked_session_is_out_and_its_stream_ends(home: Path) -> None:
    async with locked(home) as app:
        cookie = await logged_in(app)
        headers = {"cookie": f"{COOKIE}={cookie}"}
        async with stream(app.asgi, "/api/events", query="topics=job", headers=headers) as events:
            await events.start()
            await events.event()
            listed = (await app.http.get("/api/sessions")).json()["sessions"]
            path = f"/api/sessions/{listed[0]['id']}"

            assert (await app.http.delete(path, headers=BEARER)).status_code == 204

            assert await events.event() is None
        problem(await app.http.get("/api/jobs"), 401)
        problem(await app.http.delete(path, headers=BEARER), 404)


async def test_session_survives_a_restart_but_not_a_new_token(home: Path) -> None:
    async with locked(home) as app:
        cookie = await logged_in(app)

    async with locked(home) as app:
        assert (
            await app.http.get("/api/jobs", headers={"cookie": f"{COOKIE}={cookie}"})
        ).status_code == 200
    async with api(home, auth_token=SecretStr("another-token-entirely")) as app:
        problem(await app.http.get("/api/jobs", headers={"cookie": f"{COOKIE}={cookie}"}), 401)


@pytest.mark.parametrize("with_session", [True, False])
async def test_websocket_opens_with_a_session_only(home: Path, with_session: bool) -> None:
    async with locked(home) as app:
        cookie = await logged_in(app) if with_session else "made-up"
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {
            "type": "websocket",
            "path": "/_nicegui_ws/socket.io/",
            "query_string": b"",
            "headers": [(b"host", b"127.0.0.1:3000"), (b"cookie", f"{COOKIE}={cookie}".encode())],
        }
        if not with_session:
            await app.asgi(scope, receive, send)
            assert [(each["type"], each["code"]) for each in sent] == [("websocket.close", 1008)]
        else:
            await app.asgi(scope, receive, send)  # let through: there is no page behind it here
            assert sent[0].get("code") != 1008


@pytest.mark.parametrize(
    ("target", "safe"),
    [
        ("/canvas?q=a b", "/canvas?q=a b"),
        ("//evil.example/x", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
        (None, "/"),
    ],
)
def test_login_never_leads_to_another_site(target: str | None, safe: str) -> None:
    assert safe_next(target) == safe


async def test_token_is_in_no_answer_and_no_log(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with locked(home) as app:
        await app.http.post("/api/login", json={"token": TOKEN + "x"})
        answers = [
            await app.http.get(path, headers=BEARER)
            for path in ("/api/health", "/api/backends", "/api/sessions", "/api/openapi.json")
        ]
        shown = repr(app.services.settings)

    assert all(TOKEN not in answer.text for answer in answers)
    assert TOKEN not in shown
    assert TOKEN not in caplog.text
