"""Whole ways through the workflow builder: from an empty canvas to a picture, and back again."""

import json
import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Download, Locator, Page, expect

from tests.contract.demo_graphs import from_checkpoint
from tests.e2e.steps import SLOW_MS, api, expect_status, job_id
from tests.recovery.processes import Engine
from tests.support.app_process import AppProcess

OpenPage = Callable[..., Page]
Point = tuple[float, float]
CHECKPOINT = "demo_sd15.safetensors"
TITLES = {
    "Load Checkpoint",
    "CLIP Text Encode (Prompt)",
    "Empty Latent Image",
    "KSampler",
    "VAE Decode",
    "Save Image",
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
    expect(page.get_by_test_id("status-test")).to_have_attribute("data-st", state, timeout=SLOW_MS)


def seen_running(page: Page, until: Callable[[], object]) -> dict[str, list[str]]:
    """How the nodes of a run looked by title, and under "" how far a running one was."""
    handle = page.evaluate_handle(
        """() => {
            const seen = {};
            const note = (key, value) => {
                const before = (seen[key] ??= []);
                if (value && before.at(-1) !== value) before.push(value);
            };
            new MutationObserver(() => {
                for (const node of document.querySelectorAll("article.o-wg-node")) {
                    note(node.querySelector(".o-wg-title")?.textContent, node.dataset.state);
                }
                note("", document.querySelector(".o-wg-bar")?.ariaValueNow);
            }).observe(document.querySelector(".o-wg"),
                { subtree: true, childList: true, attributes: true });
            return seen;
        }"""
    )
    until()
    return handle.json_value()


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
            (each["type"], each["pos"], each["size"], each.get("widgets_values"))
            for each in document["nodes"]
        ),
        "links": sorted(document["links"]),
        "parameters": document["extra"]["orchestrator"]["parameters"],
    }


def keys(page: Page, *pressed: str) -> None:
    for key in pressed:
        page.keyboard.press(key)


def pick(page: Page, words: str) -> None:
    """The item of the open menu that begins with these words, as the arrow keys get there."""
    items = page.get_by_role("menuitem")
    expect(items.first).to_be_focused()
    names = [" ".join(name.split()) for name in items.all_inner_texts()]
    at = next(n for n, name in enumerate(names) if name.startswith(words))
    keys(page, *["ArrowDown"] * at, "Enter")


def in_focus(page: Page) -> Locator:
    """The only node that is selected."""
    one = page.locator("article[data-selected]")
    expect(one).to_have_count(1)
    return page.get_by_test_id(str(one.get_attribute("data-testid")))


def go_to_sampler(page: Page, sampler: Locator) -> None:
    """Find it by its name, and have it selected."""
    keys(page, "Control+f")
    expect(page.get_by_test_id("graph-search-text")).to_be_focused()
    page.keyboard.type("ksampler")
    expect(page.get_by_test_id("graph-search").get_by_role("option")).to_have_count(1)
    keys(page, "Enter")
    expect(sampler).to_have_attribute("data-selected", "true")
    keys(page, "Escape")
    expect(page.locator(".o-wg-stage")).to_be_focused()


def quick_add(page: Page, class_type: str) -> Locator:
    """Type the class into the list that is open; the node that it adds."""
    count = nodes(page).count()
    expect(page.get_by_test_id("quick-add-search")).to_be_focused()
    page.keyboard.type(class_type)
    expect(page.get_by_role("option").first).to_have_attribute(
        "data-testid", f"quick-add-{class_type}"
    )
    keys(page, "Enter")
    expect(nodes(page)).to_have_count(count + 1)
    return in_focus(page)


def link_new(page: Page, socket: str, class_type: str) -> Locator:
    """From a socket of the node in focus to a new node, by keys; that one has the focus then."""
    keys(page, "c")
    pick(page, socket)
    pick(page, "Add a node")
    return quick_add(page, class_type)


def link_to(page: Page, socket: str, end: str) -> None:
    count = links(page).count()
    keys(page, "c")
    pick(page, socket)
    pick(page, end)
    expect(links(page)).to_have_count(count + 1)


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
    latent = pull(
        page, port(sampler, "in", "latent_image"), "EmptyLatentImage", to=place(page, 0.36, 0.7)
    )
    decode = pull(page, port(sampler, "out", "LATENT"), "VAEDecode", to=place(page, 0.8, 0.1))
    output = pull(page, port(decode, "out", "IMAGE"), "SaveImage", to=place(page, 0.8, 0.4))
    expect(links(page)).to_have_count(6)
    drag(page, middle(port(latent, "out", "LATENT")), middle(port(negative, "in", "clip")))
    drag(page, middle(port(loader, "out", "MODEL")), middle(port(sampler, "in", "model")))
    drag(page, middle(port(loader, "out", "VAE")), middle(port(decode, "in", "vae")))
    drag(
        page, middle(port(negative, "out", "CONDITIONING")), middle(port(sampler, "in", "negative"))
    )
    expect(links(page)).to_have_count(LINKS)
    expect(page.get_by_test_id("status-valid")).to_be_visible()

    write(sampler, "steps", "12")
    write(latent, "width", "256")
    write(latent, "height", "256")

    def watch() -> None:
        run_test(page, "a lake of many colours")
        expect_test(page, "done")

    seen = seen_running(page, watch)
    # Those of nodes that do not count stay at nothing.
    percent = [int(each) for each in seen.pop("") if each != "0"]
    assert len(percent) > 2
    assert percent == sorted(percent)
    # What an earlier run drew from the same checkpoint and size need not run again.
    assert {states[-1] for states in seen.values()} <= {"done", "cached"}
    assert {seen[title][-1] for title in ("KSampler", "VAE Decode", "Save Image")} == {"done"}
    assert "running" in seen["KSampler"]
    assert set(seen) == TITLES
    picture = output.locator("a[href*='/api/images/'] img")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") > 0

    for where, name in ((positive, "text"), (sampler, "steps"), (latent, "width")):
        where.locator(f"[data-widget={name}]").hover()
        where.get_by_test_id(f"expose-{name}").click()
    page.get_by_test_id("tab-panel-form").click()
    expect(page.locator("[data-testid=form-parameters] li [checked]")).to_have_count(3)
    save(page, 1)

    page.goto(f"{app.url}/canvas?q=colours")
    expect(page.locator("[data-testid^=gallery-item-]")).to_have_count(1)
    page.goto(app.url)
    page.get_by_test_id("backend-select").click()
    page.get_by_role("option", name="Drawn by mouse").click()
    page.get_by_test_id("option-prompt-input").fill("a lake from the form")
    page.get_by_test_id("option-steps-input").fill("4")
    page.get_by_test_id("option-width-input").fill("128")
    page.get_by_test_id("option-width-input").press("Tab")
    page.get_by_test_id("generate-button").click()
    expect_status(page, "a lake from the form", "done")
    with api(app.url) as client:
        job = client.get(f"/jobs/{job_id(page, 'a lake from the form')}").json()
    image = job["result"]["images"][0]
    assert (job["workflowId"], job["workflowVersion"]) == (workflow, 1)
    assert (image["width"], image["height"]) == (128, 256)
    page.goto(f"{app.url}/canvas/{image['id']}")
    expect(page.get_by_test_id("image-params")).to_contain_text("Drawn by mouse, version 1")


def test_text_to_image_is_drawn_run_and_saved_by_keyboard_alone(
    app: AppProcess, open_page: OpenPage
) -> None:
    page = open_page(app.url, width=1600, height=1000)
    blank(page, app.url, "Drawn by keyboard")
    page.locator(".o-wg-stage").focus()

    keys(page, "Tab")
    quick_add(page, "CheckpointLoaderSimple")
    link_new(page, "CLIP", "CLIPTextEncode")
    sampler = link_new(page, "CONDITIONING", "KSampler")
    link_to(page, "model", "Load Checkpoint")
    link_new(page, "negative", "CLIPTextEncode")
    link_to(page, "clip", "Load Checkpoint")
    go_to_sampler(page, sampler)
    link_new(page, "latent_image", "EmptyLatentImage")
    go_to_sampler(page, sampler)
    link_new(page, "LATENT", "VAEDecode")
    link_to(page, "vae", "Load Checkpoint")
    link_new(page, "IMAGE", "SaveImage")
    expect(links(page)).to_have_count(LINKS)
    keys(page, "l", "f")
    expect(page.get_by_test_id("status-valid")).to_be_visible()

    other = open_page(page.url, width=1600, height=1000)
    expect(links(other)).to_have_count(LINKS)
    go_to_sampler(page, sampler)
    steps = widget(sampler, "steps")
    keys(page, "Enter")
    for _ in range(12):
        if steps.evaluate("field => field === document.activeElement"):
            break
        keys(page, "Tab")
    keys(page, "Control+a", "6", "Enter")
    there = widget(node(other, "KSampler"), "steps")
    expect(there).to_have_value("6")
    other.locator(".o-wg-stage").focus()
    keys(other, "Control+z")
    expect(steps).to_have_value("20")
    keys(other, "Control+Shift+z")
    expect(steps).to_have_value("6")

    keys(page, "Control+Enter")
    expect(page.get_by_test_id("test-prompt")).to_be_focused()
    page.keyboard.type("a pier without a mouse")
    keys(page, "Control+Enter")
    expect_test(page, "done")
    expect_test(other, "done")
    expect(node(other, "Save Image").locator("a[href*='/api/images/'] img")).to_be_visible()
    keys(page, "Control+s")
    expect(page.get_by_test_id("save-note")).to_be_focused()
    page.keyboard.type("By keys")
    keys(page, "Control+Enter")
    expect(other.get_by_test_id("workflow-version")).to_contain_text("version 1")
    expect(page.get_by_test_id("unsaved")).to_have_count(0)


def test_versions_are_told_apart_and_files_bring_everything_back(
    app: AppProcess, open_page: OpenPage
) -> None:
    graph = json.dumps(from_checkpoint(CHECKPOINT, prompt="a ferry")).encode()
    with api(app.url) as client:
        answer = client.post("/workflows/import", params={"name": "Ferry"}, content=graph)
        workflow = answer.raise_for_status().json()["id"]
    page = open_page(f"{app.url}/builder/{workflow}", width=1600, height=1000)
    sampler = node(page, "KSampler")
    expect(sampler).to_be_in_viewport()
    page.get_by_test_id("tab-panel-versions").click()

    write(sampler, "steps", "9")
    sampler.click(position={"x": 60, "y": 8})
    keys(page, "g")
    expect(page.locator(".o-wg-group-head")).to_be_visible()
    page.get_by_test_id("version-compare-1").click()
    told = page.get_by_test_id("comparison")
    expect(told).to_contain_text(re.compile("steps.*3.*9", re.IGNORECASE))
    expect(sampler).to_have_attribute("data-mark", "changed")
    expect(nodes(page).and_(page.locator("[data-mark]"))).to_have_count(1)
    page.get_by_test_id("version-restore-1").click()
    expect(widget(sampler, "steps")).to_have_value("3")
    expect(page.locator(".o-wg-group-head")).to_have_count(0)
    page.get_by_test_id("builder-undo").click()
    expect(widget(sampler, "steps")).to_have_value("9")
    save(page, 2, "Nine steps in a frame")
    expect(page.get_by_test_id("version-2")).to_contain_text("Nine steps in a frame")

    before = exported(app.url, workflow, "ui"), exported(app.url, workflow, "api")
    assert before[1]["6"]["inputs"]["steps"] == 9
    for kind in ("ui", "png"):
        with page.expect_download() as download:
            page.get_by_test_id(f"export-{kind}").click()
        again = brought(page, app.url, download.value)
        assert shown(exported(app.url, again, "ui")) == shown(before[0]), kind
        assert exported(app.url, again, "api") == before[1], kind
        page.goto(f"{app.url}/builder/{workflow}")
        page.get_by_test_id("tab-panel-versions").click()


def brought(page: Page, url: str, file: Download) -> str:
    """Give a file to the library, as people do; the id of the workflow that it makes."""
    page.goto(f"{url}/builder")
    payload = {"name": file.suggested_filename, "buffer": file.path().read_bytes()}
    page.get_by_test_id("library-file").set_input_files(
        {**payload, "mimeType": "application/octet-stream"}
    )
    expect(page).to_have_url(re.compile("/builder/[0-9a-f-]{36}$"))
    return page.url.rpartition("/")[2]


def test_an_official_template_says_what_it_needs_and_opens(
    app: AppProcess, open_page: OpenPage
) -> None:
    page = open_page(f"{app.url}/builder", width=1600, height=1000)

    page.get_by_test_id("all-templates").click()
    page.get_by_test_id("templates-search").fill("sdxl simple")
    page.get_by_test_id("template-sdxl_simple_example").click()
    expect(page.get_by_test_id("template-needs")).to_contain_text("sd_xl_base_1.0.safetensors")
    page.get_by_test_id("template-use").click()

    expect(node(page, "Load Checkpoint - BASE")).to_be_visible()
    expect(page.get_by_test_id("status-runs")).to_contain_text("Runs on 0 of 1")
    page.get_by_test_id("tab-panel-needs").click()
    expect(page.get_by_test_id("needs")).to_contain_text("sd_xl_base_1.0.safetensors")


def test_a_node_that_fails_says_so_and_its_workflow_opens_while_no_backend_does(
    own_app: Callable[..., AppProcess], faulty_engine: Engine, open_page: OpenPage
) -> None:
    backends = json.dumps([{"id": "gpu-1", "name": "gpu-1", "url": faulty_engine.url}])
    app = own_app(BACKENDS=backends, DEMO_ENGINE="false", RETRY__MAX_ATTEMPTS="1")
    graph = json.dumps(from_checkpoint(CHECKPOINT, prompt="a wreck")).encode()
    with api(app.url) as client:
        answer = client.post("/workflows/import", params={"name": "Wreck"}, content=graph)
        workflow = answer.raise_for_status().json()["id"]
    faulty_engine.fault(fail_node={"class_type": "VAEDecode", "message": "bad colours"})
    page = open_page(f"{app.url}/builder/{workflow}", width=1600, height=1000)
    expect(page.get_by_test_id("status-valid")).to_be_visible()

    run_test(page, "a wreck at low tide")

    expect_test(page, "failed")
    failed = node(page, "VAE Decode")
    expect(failed).to_have_attribute("data-state", "failed")
    expect(failed.get_by_role("alert")).to_contain_text("bad colours")
    expect(node(page, "KSampler")).to_have_attribute("data-state", "done")

    page.close()  # or it would complain of the app's absence
    faulty_engine.kill()
    app.stop()
    app.start()
    page = open_page(f"{app.url}/builder/{workflow}", width=1600, height=1000)
    sampler = node(page, "KSampler")
    expect(widget(sampler, "sampler_name")).to_have_text("euler")
    write(sampler, "steps", "11")
    page.locator(".o-wg-stage").focus()
    keys(page, "Tab")
    quick_add(page, "PreviewImage")
    save(page, 2)
    expect(page.get_by_test_id("status-runs")).to_contain_text("0 of 1")
