"""Whole ways through the workflow builder: from an empty canvas to a picture, and back again."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.contract.demo_graphs import from_checkpoint
from tests.e2e.steps import SLOW_MS, api, expect_status, values_of
from tests.recovery.processes import Engine
from tests.support.app_process import AppProcess

OpenPage = Callable[..., Page]
Point = tuple[float, float]
CHECKPOINT = "demo_sd15.safetensors"
CLASSES = {
    "CheckpointLoaderSimple",
    "CLIPTextEncode",
    "EmptyLatentImage",
    "KSampler",
    "VAEDecode",
    "SaveImage",
}
LINKS = 9  # of text to image


def blank(page: Page, url: str, name: str) -> str:
    """Open a new workflow of that name; its id."""
    page.goto(f"{url}/builder")
    page.get_by_test_id("library-new").click()
    expect(page.get_by_test_id("graph-empty")).to_be_visible()
    field = page.get_by_test_id("workflow-name")
    field.fill(name)
    field.press("Enter")
    return page.url.rpartition("/")[2]


def nodes(page: Page) -> Locator:
    return page.locator("article.o-wg-node")


def links(page: Page) -> Locator:
    return page.locator("[data-testid^='link-']")


def node(page: Page, title: str) -> Locator:
    """The node with that title."""
    return nodes(page).filter(has=page.locator(".o-wg-title").get_by_text(title, exact=True))


def port(where: Locator, side: str, name: str) -> Locator:
    return where.locator(f"[data-testid^=port-][data-testid$='-{side}-{name}']")


def widget(where: Locator, name: str) -> Locator:
    return where.get_by_test_id(f"widget-{name}")


def middle(locator: Locator) -> Point:
    box = locator.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Page, start: Point, end: Point) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] + 6, start[1] + 6)
    page.mouse.move(*end, steps=4)
    page.mouse.up()


def place(page: Page, share_x: float, share_y: float) -> Point:
    """A place on the canvas, as shares of its width and height."""
    box = page.locator(".o-wg-stage").bounding_box()
    assert box is not None
    return box["x"] + box["width"] * share_x, box["y"] + box["height"] * share_y


def pull(page: Page, start: Locator, class_type: str, *, to: Point) -> Locator:
    """Draw a link to an empty place and choose what it is to go to there; that node."""
    count = nodes(page).count()
    drag(page, middle(start), to)
    page.get_by_test_id(f"quick-add-{class_type}").click()
    expect(nodes(page)).to_have_count(count + 1)
    made = page.locator("article[data-selected]")
    expect(made).to_have_count(1)
    return page.get_by_test_id(str(made.get_attribute("data-testid")))


def write(where: Locator, name: str, value: str) -> None:
    field = widget(where, name)
    field.fill(value)
    field.press("Tab")


def run_test(page: Page, prompt: str) -> None:
    page.get_by_test_id("test-run").click()
    page.get_by_test_id("test-prompt").fill(prompt)
    page.get_by_test_id("test-start").click()


def expect_test(page: Page, state: str) -> None:
    expect(page.get_by_test_id("status-test")).to_have_attribute(
        "data-st", state, timeout=SLOW_MS
    )


def save(page: Page, number: int, note: str = "") -> None:
    page.get_by_test_id("workflow-save").click()
    page.get_by_test_id("save-note").fill(note)
    page.get_by_test_id("save-confirm").click()
    expect(page.get_by_test_id("workflow-version")).to_contain_text(f"version {number}")
    expect(page.get_by_test_id("unsaved")).to_have_count(0)


def exported(url: str, workflow: str, kind: str) -> dict[str, Any]:
    with api(url) as client:
        answer = client.post(f"/workflows/{workflow}/export", params={"format": kind})
        return answer.raise_for_status().json()


def shown(document: dict[str, Any]) -> dict[str, Any]:
    """What of a ComfyUI file is seen: nodes, places, values, links and the form."""
    return {
        "nodes": sorted(
            (each["type"], each["pos"], each["size"], each["widgets_values"])
            for each in document["nodes"]
        ),
        "links": sorted(document["links"]),
        "parameters": document["extra"]["orchestrator"]["parameters"],
    }


def test_text_to_image_is_drawn_by_mouse_run_and_generated_from_its_form(
    app: AppProcess, open_page: OpenPage
) -> None:
    page = open_page(app.url, width=2200, height=1200)
    workflow = blank(page, app.url, "Drawn by mouse")

    loader_row = page.get_by_test_id("palette-node-CheckpointLoaderSimple").first
    loader_row.drag_to(page.locator(".vue-flow__pane"), target_position={"x": 260, "y": 300})
    loader = node(page, "Load Checkpoint")
    clip = port(loader, "out", "CLIP")
    positive = pull(page, clip, "CLIPTextEncode", to=place(page, 0.36, 0.1))
    negative = pull(page, clip, "CLIPTextEncode", to=place(page, 0.36, 0.38))
    conditioning = port(positive, "out", "CONDITIONING")
    sampler = pull(page, conditioning, "KSampler", to=place(page, 0.58, 0.1))
    latent = pull(page, port(sampler, "in", "latent_image"), "EmptyLatentImage", to=place(page, 0.36, 0.7))
    decode = pull(page, port(sampler, "out", "LATENT"), "VAEDecode", to=place(page, 0.8, 0.1))
    output = pull(page, port(decode, "out", "IMAGE"), "SaveImage", to=place(page, 0.8, 0.4))
    expect(links(page)).to_have_count(6)
    drag(page, middle(port(latent, "out", "LATENT")), middle(port(negative, "in", "clip")))
    drag(page, middle(port(loader, "out", "MODEL")), middle(port(sampler, "in", "model")))
    drag(page, middle(port(loader, "out", "VAE")), middle(port(decode, "in", "vae")))
    drag(page, middle(port(negative, "out", "CONDITIONING")), middle(port(sampler, "in", "negative")))
    expect(links(page)).to_have_count(LINKS)
    expect(page.get_by_test_id("status-valid")).to_be_visible()
