"""The ledger page: budgets, charges and what is uncertain, live."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.e2e.conftest import OpenPage
from tests.support.app_process import AppProcess
from tests.support.flux_server import KEY, FluxServer

OwnApp = Callable[..., AppProcess]


@pytest.fixture
def server() -> Iterator[FluxServer]:
    """A cloud of its own."""
    with FluxServer() as started:
        yield started


def order(app: AppProcess) -> str:
    """Pay for one picture; the id of its job."""
    body = {"prompt": "a red fox", "confirmed": True}
    answer = httpx.post(f"{app.url}/api/flux/generate", json=body, trust_env=False)
    assert answer.status_code == 202, answer.text
    return answer.json()["jobId"]


def test_the_ledger_fills_while_it_is_open_and_doubts_are_settled_there(
    own_app: OwnApp, open_page: OpenPage, server: FluxServer
) -> None:
    app = own_app(
        allow_generation="true", flux__url=server.url, flux__api_key=KEY, flux__poll_s="0.05"
    )
    page = open_page(f"{app.url}/ledger")
    expect(page.get_by_test_id("ledger-empty")).to_be_visible()
    expect(page.get_by_test_id("budget-day")).to_contain_text("$0.00 of $5.00")

    order(app)
    spent = page.locator("[data-testid^=charge-][data-state=spent]")
    expect(spent).to_contain_text("$0.06")
    expect(page.get_by_test_id("budget-day")).to_contain_text("$0.06 of $5.00")

    server.orders.submit.append("500")
    order(app)
    doubtful = page.locator("[data-testid^=charge-][data-state=uncertain]")
    expect(doubtful).to_contain_text("may have taken this order")
    expect(page.get_by_test_id("budget-total")).to_contain_text("$0.12 of $50.00")
    page.wait_for_timeout(300)  # faded-in text has its full contrast only then
    assert Axe().run(page).response["violations"] == []
    doubtful.locator("[data-testid^=not-charged-]").click()

    expect(page.locator("[data-testid^=charge-][data-state=released]")).to_be_visible()
    expect(page.get_by_test_id("budget-total")).to_contain_text("$0.06 of $50.00")
    spent.get_by_role("link").click()
    expect(page.get_by_test_id("queue-panel")).to_be_visible()


@pytest.mark.parametrize("width", [375, 1280])
def test_without_paid_generation_the_ledger_says_how_to_switch_it_on(
    app: AppProcess, open_page: OpenPage, width: int
) -> None:
    page = open_page(f"{app.url}/ledger", width=width)

    expect(page.get_by_test_id("ledger-off")).to_contain_text("allow_generation")
    expect(page.get_by_test_id("ledger-empty")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
