"""Values, palette, quick add and search in the workflow builder, in a real browser."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.support.app_process import AppProcess

GRAPH: dict[str, Any] = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "missing.safetensors"}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a red fox", "clip": ["1", 1]}},
    "4": {
        "class_type": "EmptyLatentImage",
        "inputs": {"width": 512, "height": 512, "batch_size": 1},
    },
    "5": {
        "class_type": "KSampler",
        "inputs": {
            "model": ["1", 0],
            "seed": 2**64 - 1,
            "steps": 20,
            "cfg": 7.0,
            "sampler_name": "euler",
            "scheduler": "normal",
            "positive": ["2", 0],
            "negative": ["2", 0],
            "latent_image": ["4", 0],
            "denoise": 1.0,
        },
    },
    "8": {"class_type": "LoadImage", "inputs": {"image": "example.png"}},
}

Open = Callable[..., Page]


@pytest.fixture
def builder(app: AppProcess, open_page: Open) -> Page:
    """A small workflow, open in the builder."""
    with httpx.Client(base_url=f"{app.url}/api", trust_env=False) as client:
        made = client.post("/workflows", json={"name": "Widgets", "document": GRAPH})
        made.raise_for_status()
    page = open_page(f"{app.url}/builder/{made.json()['id']}", width=1440, height=900)
    expect(page.get_by_test_id("node-5")).to_be_visible()
    expect(page.locator("[data-testid=node-palette] [data-class]").first).to_be_visible()
    return page


def widget(page: Page, node: str, name: str) -> Locator:
    """The field of a widget."""
    return page.get_by_test_id(f"node-{node}").get_by_test_id(f"widget-{name}")


def focused(page: Page) -> str | None:
    """The test id of what has the focus."""
    return page.evaluate("document.activeElement?.dataset.testid")


def kept(page: Page) -> None:
    """Open the page again: what shows then is what the server has."""
    page.reload()
    expect(page.get_by_test_id("node-5")).to_be_visible()


def test_numbers_are_typed_stepped_and_drawn(builder: Page) -> None:
    steps, seed, width = (
        widget(builder, "5", "steps"),
        widget(builder, "5", "seed"),
        widget(builder, "4", "width"),
    )

    steps.click()
    builder.keyboard.type("30")
    steps.press("ArrowUp")
    steps.press("Enter")
    steps.fill("many")
    expect(steps).to_have_attribute("aria-invalid", "true")
    steps.press("Escape")
    width.focus()
    width.press("ArrowUp")
    width.press("Tab")
    seed.focus()
    seed.press("ArrowDown")
    seed.press("Enter")

    expect(steps).to_have_value("31")
    kept(builder)
    expect(steps).to_have_value("31")
    expect(width).not_to_have_value("512")
    expect(seed).to_have_value(re.compile(r"^18.446.744.073.709.551.614$"))
    builder.get_by_test_id("node-5").get_by_test_id("dice-seed").click()
    expect(seed).not_to_have_value(re.compile(r"614$"))


def test_keys_in_a_field_change_the_text_and_nothing_else(builder: Page) -> None:
    text = widget(builder, "2", "text")

    text.focus()
    text.press("End")
    for key in ("Backspace", "Delete", "m", "b", "l"):
        text.press(key)
    text.press("Control+a")
    builder.keyboard.insert_text("рыжая лиса\n狐 <img src=x onerror=alert(1)>")
    text.press("Escape")
    expect(text).to_have_value("a red fox")
    text.fill("a blue owl")
    text.blur()

    kept(builder)
    expect(text).to_have_value("a blue owl")
    expect(builder.locator("article[data-node]")).to_have_count(len(GRAPH))
    expect(builder.get_by_test_id("node-2")).to_have_attribute("data-mode", "active")


def test_a_choice_is_made_by_keyboard_and_a_wrong_one_says_so(builder: Page) -> None:
    sampler = widget(builder, "5", "sampler_name")

    sampler.focus()
    sampler.press("ArrowDown")
    builder.keyboard.type("heun")
    builder.keyboard.press("Enter")

    expect(sampler).to_have_text("heun")
    assert focused(builder) == "widget-sampler_name"
    said = builder.get_by_test_id("node-1").get_by_test_id("said-ckpt_name")
    expect(said).to_contain_text("missing.safetensors")
    checkpoint = widget(builder, "1", "ckpt_name")
    checkpoint.click()
    builder.get_by_test_id("choices-ckpt_name").get_by_role("option").last.click()
    expect(said).to_have_count(0)
    kept(builder)
    expect(sampler).to_have_text("heun")


def test_a_picture_is_given_in_the_node_and_shown(builder: Page, tmp_path: Path) -> None:
    file = tmp_path / "given.png"
    Image.new("RGB", (64, 64), "teal").save(file)

    builder.get_by_test_id("node-8").get_by_test_id("file-image").set_input_files(file)

    shown = builder.get_by_test_id("node-8").get_by_test_id("picture-image")
    expect(shown).to_have_attribute("src", re.compile(r"/api/inputs/[0-9a-f]{64}\.png$"))
    kept(builder)
    expect(shown).to_be_visible()


def test_a_tick_makes_a_widget_a_field_and_takes_it_back(builder: Page) -> None:
    row = builder.get_by_test_id("node-4").locator("[data-widget=batch_size]")
    tick = row.get_by_test_id("expose-batch_size")
    was = tick.get_attribute("aria-checked")

    row.hover()
    tick.click()
    expect(tick).not_to_have_attribute("aria-checked", str(was))
    widget(builder, "4", "batch_size").focus()
    builder.keyboard.press("Tab")
    assert focused(builder) == "expose-batch_size"
    builder.keyboard.press("Space")

    expect(tick).to_have_attribute("aria-checked", str(was))


def test_nodes_come_from_the_palette_and_from_quick_add(builder: Page) -> None:
    nodes = builder.locator("article[data-node]")
    search = builder.get_by_test_id("palette-search")

    search.fill("vae dec")
    search.press("Enter")
    expect(nodes).to_have_count(len(GRAPH) + 1)
    search.press("Escape")
    expect(builder.get_by_test_id("palette-node-VAEDecode").first).to_be_visible()
    stage = builder.locator(".vue-flow__pane")
    row = builder.get_by_test_id("palette-node-SaveImage").or_(
        builder.get_by_test_id("palette-node-VAEDecode")
    )
    row.first.drag_to(stage, target_position={"x": 400, "y": 60})
    expect(nodes).to_have_count(len(GRAPH) + 2)
    builder.locator(".o-wg-stage").focus()
    builder.keyboard.press("Tab")
    builder.keyboard.type("ksam")
    expect(builder.get_by_test_id("quick-add-KSampler")).to_be_visible()
    builder.keyboard.press("Enter")

    expect(nodes).to_have_count(len(GRAPH) + 3)
    expect(builder.get_by_test_id("quick-add")).to_have_count(0)


def test_a_node_is_found_by_its_value_also_inside_a_subgraph(builder: Page) -> None:
    stage = builder.locator(".o-wg-stage")
    stage.focus()
    builder.keyboard.press("Control+f")
    builder.keyboard.type("red fox")
    expect(builder.get_by_test_id("found-2")).to_contain_text("a red fox")
    builder.keyboard.press("Enter")
    expect(builder.get_by_test_id("node-2")).to_have_attribute("data-selected", "true")
    builder.get_by_test_id("graph-search-text").press("Escape")
    expect(builder.get_by_test_id("graph-search")).to_have_count(0)

    stage.press("Control+g")
    expect(builder.get_by_test_id("node-2")).to_have_count(0)
    stage.press("Control+f")
    builder.keyboard.type("fox")
    inside = builder.locator("[data-testid^='found-'][data-testid*=':']")
    expect(inside).to_contain_text("text: a red fox")
    builder.keyboard.press("Enter")

    expect(builder.get_by_test_id("workflow-graph")).not_to_have_attribute("data-path", "")
    expect(builder.locator("article[data-selected=true]")).to_be_visible()


def test_a_note_shows_its_text_and_never_runs_it(builder: Page) -> None:
    builder.get_by_test_id("palette-search").fill("markdown note")
    builder.get_by_test_id("palette-search").press("Enter")
    note = builder.get_by_test_id("note")

    note.get_by_test_id("note-text").dblclick()
    note.get_by_test_id("note-edit").fill(
        "# Models\n- [here](https://example.org/a) <img src=x onerror=alert(1)>\n"
        "[there](javascript:alert(1))"
    )
    builder.locator(".o-wg-stage").focus()

    expect(note.get_by_role("heading", name="Models")).to_be_visible()
    expect(note.get_by_role("link")).to_have_count(1)
    expect(note.get_by_role("link")).to_have_attribute("href", "https://example.org/a")
    expect(note.locator("img")).to_have_count(0)
    expect(note).to_contain_text("[there](javascript:alert(1))")


def test_two_tabs_lead_out_of_the_graph_and_a_click_elsewhere_keeps_its_focus(
    builder: Page,
) -> None:
    builder.locator(".o-wg-stage").focus()

    builder.keyboard.press("Tab")
    expect(builder.get_by_test_id("quick-add-search")).to_be_focused()
    builder.keyboard.press("Tab")
    expect(builder.get_by_test_id("quick-add")).to_have_count(0)
    expect(builder.get_by_test_id("tab-panel-node")).to_be_focused()

    builder.locator(".o-wg-stage").focus()
    builder.keyboard.press("Tab")
    builder.get_by_test_id("workflow-name").click()
    expect(builder.get_by_test_id("quick-add")).to_have_count(0)
    expect(builder.get_by_test_id("workflow-name")).to_be_focused()
