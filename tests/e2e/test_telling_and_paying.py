"""Webhooks on the diagnostics page, and what a Retry costs on the queue board."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.e2e.conftest import OpenPage
from tests.e2e.steps import card, expect_status
from tests.support.app_process import AppProcess
from tests.support.flux_server import KEY, FluxServer

OwnApp = Callable[..., AppProcess]
_RULES: dict[str, Any] = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
}


class Receiver(HTTPServer):
    """Answers webhooks with the status it is told to."""

    status = 503

    @property
    def url(self) -> str:
        """Where it listens; the path is a secret."""
        return f"http://127.0.0.1:{self.server_port}/hooks/hush-hush"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver  # pyright: ignore[reportIncompatibleVariableOverride] - the only one there is

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(self.server.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that has no time yet."""
    with Receiver(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def server() -> Iterator[FluxServer]:
    """A cloud of its own."""
    with FluxServer() as started:
        yield started


def told(app: AppProcess, url: str) -> str:
    """A small job whose end is told there; its id."""
    params = {"width": 64, "height": 64, "steps": 1}
    body = {"prompt": "a heron", "backend": "demo", "params": params, "webhookUrl": url}
    answer = httpx.post(f"{app.url}/api/generate", json=body, trust_env=False)
    return str(answer.raise_for_status().json()["jobId"])


def test_a_webhook_shows_its_tries_and_is_sent_again_by_hand(
    app: AppProcess, open_page: OpenPage, receiver: Receiver
) -> None:
    page = open_page(f"{app.url}/diagnostics")
    expect(page.get_by_test_id("diagnostics-webhooks")).to_be_visible()

    told(app, receiver.url)
    one = page.locator("[data-testid^=webhook-][data-state]").filter(
        has_text=f"127.0.0.1:{receiver.server_port}"
    )
    expect(one).to_have_attribute("data-state", "waiting")
    expect(one).to_contain_text("Answered 503")
    expect(one).not_to_contain_text("hush-hush")
    page.wait_for_timeout(300)  # faded-in text has its full contrast only then
    assert Axe().run(page, options=_RULES).response["violations"] == []
    page.set_viewport_size({"width": 375, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 375

    receiver.status = 204
    one.get_by_role("button", name="Retry").click()
    expect(one).to_have_attribute("data-state", "delivered")
    one.locator("summary").click()
    expect(one.locator("li").first).to_contain_text("Answered 503")
    expect(one.locator("li").last).to_contain_text("Answered 204")


def test_a_retry_that_pays_anew_names_the_price_first(
    own_app: OwnApp, open_page: OpenPage, server: FluxServer
) -> None:
    server.orders.end = "Request Moderated"
    app = own_app(
        allow_generation="true", flux__url=server.url, flux__api_key=KEY, flux__poll_s="0.05"
    )
    body = {"prompt": "a stork", "confirmed": True}
    httpx.post(f"{app.url}/api/flux/generate", json=body, trust_env=False).raise_for_status()
    page = open_page(app.url)
    expect_status(page, "a stork", "failed")
    server.orders.end = "Ready"

    page.get_by_test_id("queue-more").click()
    page.get_by_test_id("queue-retry-failed").click()
    expect(page.get_by_test_id("toast")).to_contain_text("1 paid job was left out")
    card(page, "a stork").get_by_role("button", name="Retry").first.click()
    dialog = page.get_by_test_id("payment-dialog")
    expect(dialog).to_contain_text("$0.06")
    page.get_by_test_id("payment-keep").click()
    expect(dialog).to_have_count(0)
    expect_status(page, "a stork", "failed")
    assert server.posts == 1

    card(page, "a stork").get_by_role("button", name="Retry").first.click()
    page.get_by_test_id("payment-agree").click()
    expect_status(page, "a stork", "done")
    assert server.posts == 2
