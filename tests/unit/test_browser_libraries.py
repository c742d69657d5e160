"""The browser libraries: what is taken out of npm's folder, when, and what is said if it fails."""

import json
import re
from pathlib import Path

import pytest

import manage
from components import browser_libraries
from components.browser_libraries import FetchError, Vendor
from manage import Environment, Outcome, StepError

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "components" / "package-lock.json"


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """What npm leaves: one library of ours, one that is part of it, and types nobody loads."""
    folder = tmp_path / "node_modules"
    for name, files in {
        "@vue-flow/core": ("dist/vue-flow-core.mjs", "dist/style.css", "dist/x.d.ts", "LICENSE"),
        "d3-zoom": ("dist/d3-zoom.mjs", "LICENSE"),
        "@types/thing": ("LICENSE",),
        ".bin": ("tool",),
    }.items():
        for file in files:
            (folder / name / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / name / file).write_text(file)
    return folder


@pytest.fixture
def vendor(tmp_path: Path) -> Vendor:
    (tmp_path / "package-lock.json").write_text("{}")
    return Vendor(folder=tmp_path / "_vendor", asked=tmp_path, build_lock=tmp_path / "build.lock")


def test_only_what_the_browser_loads_and_the_licences_are_taken(
    vendor: Vendor, modules: Path
) -> None:
    vendor.take(modules)

    taken = {str(f.relative_to(vendor.folder)) for f in vendor.folder.rglob("*") if f.is_file()}
    assert taken == {
        ".complete",
        "@vue-flow/core/vue-flow-core.mjs",
        "@vue-flow/core/style.css",
        "@vue-flow/core/LICENSE",
        "d3-zoom/LICENSE",
    }


def test_another_lock_makes_what_is_there_outdated(vendor: Vendor, modules: Path) -> None:
    vendor.take(modules)
    before = vendor.is_current

    (vendor.asked / "package-lock.json").write_text('{"lockfileVersion": 3}')

    assert (before, vendor.is_current) == (True, False)


def test_a_copy_cut_short_counts_as_none(vendor: Vendor, modules: Path) -> None:
    vendor.take(modules)

    (vendor.folder / ".complete").unlink()

    assert not vendor.is_current


def test_nothing_is_called_while_all_is_there(
    vendor: Vendor, modules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor.take(modules)
    monkeypatch.setenv("PATH", "")

    vendor.fetch()

    assert vendor.file("@vue-flow/core", "style.css").is_file()


def test_failure_says_the_cause_and_what_to_do() -> None:
    failure = FetchError("npm error code ENOTFOUND")

    assert "ENOTFOUND" in str(failure)
    assert f"What to do: {browser_libraries.REMEDY}" in str(failure)


def test_set_up_asks_first_and_fetches_only_what_is_not_current() -> None:
    asked: list[list[str]] = []

    def run(command: list[str]) -> Outcome:
        asked.append(command[1:])
        return Outcome(0 if len(asked) != 1 else 1, "")

    environment = Environment(ROOT, run=run, say=print, uv=None)
    manage.fetch_browser_libraries(environment, run=run)
    manage.fetch_browser_libraries(environment, run=run)

    module = ["-m", "components.browser_libraries"]
    assert asked == [[*module, "--is-current"], module, [*module, "--is-current"]]


def test_set_up_that_cannot_fetch_names_cause_and_remedy() -> None:
    def run(command: list[str]) -> Outcome:
        return Outcome(1, "ENOTFOUND\nWhat to do: plug it in.")

    environment = Environment(ROOT, run=run, say=print, uv=None)
    with pytest.raises(StepError, match=r"(?s)ENOTFOUND.*What to do: plug it in\."):
        manage.fetch_browser_libraries(environment, run=run)


def test_lock_of_the_browser_has_exact_versions_checksums_and_no_address() -> None:
    packages = json.loads(LOCK.read_text("utf-8"))["packages"]
    asked = packages.pop("")["dependencies"]

    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in asked.values())
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not any("resolved" in package for package in packages.values())


def test_lock_for_building_holds_pinned_and_hashed_packages_and_no_address() -> None:
    text = (ROOT / manage.BUILD_LOCK).read_text("utf-8")

    assert manage.foreign_lines(text) == []
    assert len(manage.pins(text)) == 1


def test_every_library_of_the_browser_is_explained() -> None:
    asked = json.loads((ROOT / "components" / "package.json").read_text("utf-8"))["dependencies"]
    explained = re.findall(
        r"(?m)^\| (@[\w/-]+) \|", (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    )

    assert set(explained) == set(asked)


def test_fetching_uses_only_the_standard_library() -> None:
    text = (ROOT / "components" / "browser_libraries.py").read_text("utf-8")

    assert not re.findall(r"(?m)^(?:from|import) (?:app|nicegui|components|httpx)\b", text)
