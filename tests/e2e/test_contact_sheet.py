"""All pictures of a group on one sheet: live, by keyboard, and back from a picture."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import OpenPage
from tests.e2e.steps import SLOW_MS, api, path_of
from tests.support.app_process import AppProcess


def submit(app: AppProcess, prompt: str, *, count: int = 3) -> list[str]:
    """A group of small jobs."""
    params = {"width": 64, "height": 64, "steps": 2, "seed": 7}
    body = {"prompt": prompt, "backend": "demo", "params": params, "count": count}
    with api(app.url) as client:
        return client.post("/generate", json=body).raise_for_status().json()["jobIds"]


def queue(app: AppProcess, verb: str) -> None:
    """Pause the queue, or go on."""
    with api(app.url) as client:
        client.post(f"/queue/{verb}").raise_for_status()


def open_sheet(page: Page, prompt: str) -> Locator:
    """The sheet of the group with that prompt."""
    head = page.locator("[data-testid^=job-group-]").filter(has_text=prompt).first
    head.hover()
    page.locator("[data-group]").filter(has=head).locator("[data-testid^=group-sheet-]").click()
    sheet = page.get_by_test_id("contact-sheet")
    expect(sheet).to_be_visible()
    return sheet


def status(sheet: Locator, job_id: str) -> Locator:
    """What a cell says about its job."""
    return sheet.get_by_test_id(f"sheet-cell-{job_id}").get_by_test_id("sheet-status")


def expect_status(sheet: Locator, job_id: str, wanted: str) -> None:
    """The job gets there."""
    expect(status(sheet, job_id)).to_have_attribute("data-status", wanted, timeout=SLOW_MS)


def test_a_group_fills_its_sheet_while_somebody_watches(
    app: AppProcess, open_page: OpenPage
) -> None:
    queue(app, "pause")
    ids = submit(app, "sheet of three")
    page = open_page(app.url)
    sheet = open_sheet(page, "sheet of three")
    expect(sheet.locator("[data-testid^=sheet-cell-]")).to_have_count(3)
    for job_id in ids:
        expect_status(sheet, job_id, "queued")
    expect(sheet.get_by_test_id("sheet-sum")).to_have_text("0 of 3 · 0 %")

    cell = sheet.get_by_test_id(f"sheet-cell-{ids[2]}")
    cell.hover()
    cell.get_by_test_id("cell-cancel").click()
    expect_status(sheet, ids[2], "cancelled")
    expect(cell).to_be_focused()  # the button is gone, the keys go on
    queue(app, "resume")

    for job_id in ids[:2]:
        expect_status(sheet, job_id, "done")
        expect(sheet.get_by_test_id(f"sheet-cell-{job_id}").locator("img")).to_be_visible()
    expect(sheet.get_by_test_id("sheet-sum")).to_have_text("2 of 3 · 100 %")
    expect(sheet.get_by_test_id("sheet-cancel")).to_have_count(0)
    found = Axe().run(page)
    assert found.response["violations"] == []


def test_a_large_group_scrolls_and_no_cell_is_cut(app: AppProcess, open_page: OpenPage) -> None:
    queue(app, "pause")
    submit(app, "sheet of twenty", count=20)
    page = open_page(app.url)
    sheet = open_sheet(page, "sheet of twenty")

    expect(sheet.locator("[data-testid^=sheet-cell-]")).to_have_count(20)
    hidden = "cells => cells.filter((cell) => cell.scrollHeight > cell.clientHeight).length"
    assert sheet.locator("[data-testid^=sheet-cell-]").evaluate_all(hidden) == 0


def test_the_sheet_is_worked_by_keyboard_alone(app: AppProcess, open_page: OpenPage) -> None:
    queue(app, "pause")
    ids = submit(app, "sheet by keys")
    page = open_page(app.url)
    head = page.locator("[data-testid^=job-group-]").filter(has_text="sheet by keys").first
    head.focus()
    page.keyboard.press("c")
    sheet = page.get_by_test_id("contact-sheet")

    page.keyboard.press("ArrowRight")
    expect(sheet.get_by_test_id(f"sheet-cell-{ids[0]}")).to_be_focused()
    page.keyboard.press("End")
    expect(sheet.get_by_test_id(f"sheet-cell-{ids[2]}")).to_be_focused()
    page.keyboard.press("Delete")
    expect_status(sheet, ids[2], "cancelled")
    page.keyboard.press("r")
    expect_status(sheet, ids[2], "queued")
    for _ in range(8):  # the focus stays inside
        page.keyboard.press("Tab")
        assert page.evaluate("Boolean(document.activeElement.closest('.o-sheet'))")
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    expect(head).to_be_focused()


def test_who_comes_back_from_a_picture_finds_the_sheet_again(
    app: AppProcess, open_page: OpenPage
) -> None:
    ids = submit(app, "sheet and back", count=2)
    page = open_page(app.url)
    sheet = open_sheet(page, "sheet and back")
    for job_id in ids:
        expect_status(sheet, job_id, "done")
    sheet.get_by_test_id(f"sheet-cell-{ids[0]}").click()
    page.wait_for_url("**/canvas/*")
    expect(page.get_by_test_id("lightbox")).to_be_visible()
    expect(sheet).to_have_count(0)
    page.go_back()

    expect(sheet.locator("[data-testid^=sheet-cell-]")).to_have_count(2)
    assert path_of(page) == "/"
    sheet.get_by_test_id("sheet-close").click()
    expect(sheet).to_have_count(0)


def test_the_sheet_fits_a_phone(app: AppProcess, open_page: OpenPage) -> None:
    queue(app, "pause")
    submit(app, "sheet on a phone", count=4)
    page = open_page(app.url, width=375, height=812, has_touch=True, is_mobile=True)
    page.get_by_test_id("tab-queue").click()
    head = page.locator("[data-group]").filter(has_text="sheet on a phone").first
    head.locator("[data-testid^=group-sheet-]").tap()
    sheet = page.get_by_test_id("contact-sheet")
    expect(sheet.locator("[data-testid^=sheet-cell-]")).to_have_count(4)

    assert page.evaluate("document.querySelector('.o-sheet').scrollWidth") <= 375
    lefts = sheet.locator("[data-testid^=sheet-cell-]").evaluate_all(
        "cells => new Set(cells.map((cell) => cell.offsetLeft)).size"
    )
    assert lefts == 2
