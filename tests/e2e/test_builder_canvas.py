"""Drawing on the canvas of the workflow builder, by mouse and by keyboard, in a real browser."""

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import FloatRect, Locator, Page, expect

from tests.contract.demo_graphs import from_checkpoint
from tests.e2e.steps import api
from tests.support.app_process import AppProcess

OpenPage = Callable[..., Page]
Point = tuple[float, float]

SAMPLER, DECODE, PROMPT, NEGATIVE = "6", "8", "3", "4"


@pytest.fixture
def workflow(app: AppProcess) -> str:
    """The address of a new text-to-image workflow."""
    graph = json.dumps(from_checkpoint("demo_sd15.safetensors")).encode()
    with api(app.url) as client:
        answer = client.post("/workflows/import", params={"name": "canvas"}, content=graph)
        assert answer.status_code == 201, answer.text
        return f"{app.url}/builder/{answer.json()['id']}"


def opened(open_page: OpenPage, address: str) -> Page:
    """The workflow, drawn and at rest."""
    page = open_page(address, width=1600, height=1000)
    expect(page.get_by_test_id(f"node-{SAMPLER}")).to_be_in_viewport()
    expect(page.get_by_test_id("zoom-reset")).not_to_have_text("100 %")  # it was fitted
    return page


def node(page: Page, node_id: str) -> Locator:
    return page.get_by_test_id(f"node-{node_id}")


def port(page: Page, node_id: str, side: str, name: str) -> Locator:
    return page.get_by_test_id(f"port-{node_id}-{side}-{name}")


def link(page: Page, ends: str) -> Locator:
    """The link from an output to an input, as `node-output-node-input`."""
    return page.get_by_test_id(f"link-{ends}")


def place(locator: Locator) -> FloatRect:
    box = locator.bounding_box()
    assert box is not None
    return box


def middle(locator: Locator) -> Point:
    box = place(locator)
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def head(page: Page, node_id: str) -> Point:
    """Where to take hold of a node."""
    box = place(node(page, node_id))
    return box["x"] + 40, box["y"] + 8


def drag(page: Page, start: Point, end: Point) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] + 6, start[1] + 6)
    page.mouse.move(*end, steps=4)
    page.mouse.up()


def empty_place(page: Page) -> Point:
    """A place on the canvas where nothing is."""
    box = place(page.get_by_test_id("workflow-graph").locator(".o-wg-stage"))
    return box["x"] + box["width"] / 2, box["y"] + box["height"] - 40


def test_links_are_drawn_where_types_fit_and_refused_elsewhere(
    workflow: str, open_page: OpenPage
) -> None:
    page = opened(open_page, workflow)

    latent = middle(port(page, SAMPLER, "out", "LATENT"))
    drag(page, latent, middle(port(page, PROMPT, "in", "clip")))
    prompt = middle(port(page, PROMPT, "out", "CONDITIONING"))
    drag(page, prompt, middle(port(page, SAMPLER, "in", "negative")))

    expect(link(page, "3-0-6-2")).to_have_count(1)  # and took the place of the other one
    expect(link(page, "4-0-6-2")).to_have_count(0)
    expect(link(page, "1-1-3-0")).to_have_count(1)
    page.keyboard.press("Control+z")
    expect(link(page, "4-0-6-2")).to_have_count(1)


def test_the_end_of_a_link_is_moved_or_pulled_off(workflow: str, open_page: OpenPage) -> None:
    page = opened(open_page, workflow)

    positive = middle(port(page, SAMPLER, "in", "positive"))
    drag(page, positive, middle(port(page, SAMPLER, "in", "negative")))
    expect(link(page, "3-0-6-2")).to_have_count(1)
    expect(link(page, "3-0-6-1")).to_have_count(0)
    drag(page, middle(port(page, DECODE, "in", "samples")), empty_place(page))

    expect(link(page, "6-0-8-0")).to_have_count(0)
    expect(page.get_by_test_id("quick-add")).to_have_count(0)


def test_a_link_dropped_on_the_canvas_offers_what_fits_and_links_it(
    workflow: str, open_page: OpenPage
) -> None:
    page = opened(open_page, workflow)

    drag(page, middle(port(page, DECODE, "out", "IMAGE")), empty_place(page))
    page.get_by_test_id("quick-add-search").fill("preview image")
    page.keyboard.press("Enter")

    added = page.locator("article[data-selected]")
    expect(added).to_have_count(1)
    expect(page.locator("[data-testid^='link-8-0-']")).to_have_count(2)
    expect(added).to_contain_text("Preview Image")


def test_keys_move_link_mute_and_remove_nodes(workflow: str, open_page: OpenPage) -> None:
    page = opened(open_page, workflow)
    page.mouse.click(*head(page, DECODE))
    before = place(node(page, DECODE))

    page.keyboard.press("ArrowDown")
    page.keyboard.press("m")
    expect(node(page, DECODE)).to_have_attribute("data-mode", "muted")
    assert place(node(page, DECODE))["y"] > before["y"]
    page.keyboard.press("b")
    expect(node(page, DECODE)).to_have_attribute("data-mode", "bypassed")
    page.keyboard.press("Alt+ArrowLeft")
    expect(node(page, SAMPLER)).to_be_focused()
    page.mouse.click(*head(page, NEGATIVE))
    page.keyboard.press("c")
    page.keyboard.press("Enter")
    page.get_by_role("menuitem", name="positive").press("Enter")
    expect(link(page, "4-0-6-1")).to_have_count(1)
    page.mouse.click(*head(page, DECODE))
    page.keyboard.press("Delete")

    expect(node(page, DECODE)).to_have_count(0)
    expect(link(page, "6-0-8-0")).to_have_count(0)
    page.reload()
    expect(node(page, SAMPLER)).to_be_visible()
    expect(node(page, DECODE)).to_have_count(0)


def test_a_frame_takes_its_nodes_along_in_every_tab(workflow: str, open_page: OpenPage) -> None:
    page = opened(open_page, workflow)
    other = opened(open_page, workflow)
    page.mouse.click(*head(page, PROMPT))
    page.keyboard.press("g")
    frame = page.locator(".o-wg-group-head")
    expect(frame).to_be_visible()
    expect(other.locator(".o-wg-group-head")).to_be_visible()
    before = place(node(page, PROMPT))
    before_there = place(node(other, PROMPT))

    start = place(frame)
    grip = (start["x"] + 8, start["y"] + 6)
    drag(page, grip, (grip[0] + 30, grip[1] + 60))

    assert place(node(page, PROMPT))["y"] == pytest.approx(before["y"] + 60, abs=10)
    other.wait_for_function(
        "(y) => document.querySelector('[data-testid=node-3]').getBoundingClientRect().y > y + 40",
        arg=before_there["y"],
    )


def test_nodes_become_a_subgraph_that_opens_and_closes(workflow: str, open_page: OpenPage) -> None:
    page = opened(open_page, workflow)
    page.mouse.click(*head(page, PROMPT))
    page.keyboard.down("Control")
    page.mouse.click(*head(page, NEGATIVE))
    page.keyboard.up("Control")
    expect(page.locator("article[data-selected]")).to_have_count(2)

    page.keyboard.press("Control+g")
    made = page.locator("article.o-wg-subgraph")
    expect(made).to_be_visible()
    made.locator("[data-testid^=enter-]").click()
    expect(page.get_by_test_id("graph-crumbs")).to_be_visible()
    expect(page.locator("article.o-wg-node[data-node*=':']")).to_have_count(4)  # with its two ends
    page.get_by_test_id("crumb-0").click()

    expect(made).to_be_visible()
    expect(page.get_by_test_id("graph-crumbs")).to_have_count(0)


def test_copies_go_into_another_workflow(
    workflow: str, app: AppProcess, open_page: OpenPage
) -> None:
    page = open_page(
        workflow, width=1600, height=1000, permissions=["clipboard-read", "clipboard-write"]
    )
    expect(node(page, SAMPLER)).to_be_in_viewport()
    page.mouse.click(*head(page, SAMPLER))
    page.keyboard.press("Control+c")
    page.wait_for_function(
        "async () => (await navigator.clipboard.readText()).includes('orchestrator-fragment')"
    )
    with api(app.url) as client:
        empty = client.post("/workflows", json={"name": "empty"}).raise_for_status().json()["id"]

    page.goto(f"{app.url}/builder/{empty}")
    expect(page.get_by_test_id("graph-empty")).to_be_visible()
    page.mouse.click(*empty_place(page))
    page.keyboard.press("Control+v")

    expect(page.locator("article.o-wg-node")).to_have_count(1)
    expect(page.locator("article.o-wg-node")).to_contain_text("KSampler")


def test_what_may_not_change_cannot_be_dragged_on_a_phone(
    workflow: str, open_page: OpenPage
) -> None:
    page = open_page(workflow, width=375, height=800)
    expect(page.locator("[data-readonly]")).to_be_attached()
    expect(node(page, SAMPLER)).to_be_in_viewport()
    other = node(page, DECODE)
    gap = place(node(page, SAMPLER))["x"] - place(other)["x"]

    x, y = middle(node(page, SAMPLER))
    drag(page, (x, y - 10), (x + 60, y + 60))

    assert place(node(page, SAMPLER))["x"] - place(other)["x"] == pytest.approx(gap, abs=1)


def test_a_finger_that_rests_opens_the_menu(workflow: str, open_page: OpenPage) -> None:
    page = open_page(workflow, width=1180, height=820, has_touch=True)
    expect(node(page, DECODE)).to_be_in_viewport()
    x, y = head(page, DECODE)
    finger = page.context.new_cdp_session(page)

    finger.send(
        "Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]}
    )
    expect(page.get_by_test_id("graph-menu")).to_be_visible()
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.get_by_test_id("menu-bypass").tap()

    expect(node(page, DECODE)).to_have_attribute("data-mode", "bypassed")
    expect(page.get_by_test_id("graph-menu")).to_have_count(0)
