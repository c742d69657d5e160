"""What people do on the pages, in words."""

import re
from collections.abc import Callable
from typing import Any

import httpx
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

SLOW_MS = 30_000
_RULES: dict[str, Any] = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
}


def generate(page: Page, prompt: str, *, steps: int = 20) -> None:
    """Fill the form in and press Generate."""
    page.get_by_test_id("prompt-input").fill(prompt)
    field = page.get_by_test_id("steps-input")
    field.fill(str(steps))
    field.press("Tab")
    page.get_by_test_id("generate-button").click()


def card(page: Page, prompt: str) -> Locator:
    """The card of the job with that prompt."""
    return (
        page.get_by_test_id("queue-panel")
        .locator("[data-testid^=job-card-]")
        .filter(has_text=prompt)
    )


def expect_status(page: Page, prompt: str, status: str) -> None:
    """The job gets there."""
    badge = card(page, prompt).get_by_test_id("job-status")
    expect(badge).to_have_attribute("data-status", status, timeout=SLOW_MS)


def job_id(page: Page, prompt: str) -> str:
    """The id of the job with that prompt, once it has a card."""
    one = card(page, prompt)
    expect(one).to_be_visible()
    return str(one.get_attribute("data-testid")).removeprefix("job-card-")


def values_of(page: Page, selector: str, attribute: str, until: Callable[[], bool]) -> list[str]:
    """The values an attribute takes, one after the other, until something is true."""
    handle = page.evaluate_handle(
        """([selector, attribute]) => {
            const seen = [];
            const look = () => {
                for (const node of document.querySelectorAll(selector)) {
                    const value = node.getAttribute(attribute);
                    if (value !== null && value !== seen.at(-1)) seen.push(value);
                }
            };
            look();
            new MutationObserver(look).observe(document.body,
                { subtree: true, childList: true, attributes: true });
            return seen;
        }""",
        [selector, attribute],
    )
    until()
    return handle.json_value()


def api(url: str) -> httpx.Client:
    """The API of the app, for what the pages are checked against."""
    return httpx.Client(base_url=f"{url}/api", trust_env=False, timeout=15)


def made_image(url: str, prompt: str) -> dict:
    """The picture of a prompt."""
    with api(url) as client:
        images = client.get("/images", params={"limit": 50}).json()["images"]
    return next(image for image in images if image["prompt"] == prompt)


def path_of(page: Page) -> str:
    """The path of the page's URL."""
    return re.sub(r"^https?://[^/]+", "", page.url)


def violations(page: Page) -> list[str]:
    """What axe finds to complain of."""
    found = Axe().run(page, options=_RULES).response["violations"]
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in found
        for node in each["nodes"]
    ]
