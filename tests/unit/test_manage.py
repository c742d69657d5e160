"""The set-up: what `manage.py` installs when, what it says, and which tests it picks."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import manage
from manage import Environment, Outcome, StepError
from tests.support import browser, suite

ROOT = Path(__file__).resolve().parents[2]
HASH = "a" * 64


def lock_of(*pins: str) -> str:
    """The text of a lock with those packages."""
    return "".join(f"{pin} \\\n    --hash=sha256:{HASH}\n" for pin in pins)


class FakeRunner:
    """Remembers the commands; makes the files that the real ones would make."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.commands: list[list[str]] = []
        self.fails: dict[str, str] = {}
        self.on_install: Callable[[], None] = lambda: None

    def __call__(self, command: Sequence[str]) -> Outcome:
        self.commands.append(list(command))
        kind = self.kind_of(command)
        if kind in self.fails:
            return Outcome(1, self.fails[kind])
        if kind == "make":
            python = Environment(self.root, run=self, say=print, uv=None).python
            python.parent.mkdir(parents=True)
            python.touch()
        if kind == "install":
            self.on_install()
        return Outcome(0, "")

    @staticmethod
    def kind_of(command: Sequence[str]) -> str:
        """Whether a command probes, makes or installs."""
        if "-c" in command:
            return "probe"
        return "install" if "install" in command else "make"

    @property
    def kinds(self) -> list[str]:
        """What was done since the last look."""
        done = [self.kind_of(command) for command in self.commands]
        self.commands.clear()
        return done


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "requirements.lock").write_text(lock_of("one==1.0"))
    (tmp_path / "requirements-dev.lock").write_text(lock_of("one==1.0", "tool==2.0"))
    return tmp_path


@pytest.fixture
def runner(project: Path) -> FakeRunner:
    return FakeRunner(project)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def environment(project: Path, runner: FakeRunner, said: list[str]) -> Environment:
    return Environment(project, run=runner, say=said.append, uv=None)


def test_first_call_makes_and_installs_and_says_both(
    environment: Environment, runner: FakeRunner, said: list[str]
) -> None:
    environment.prepare("run")

    assert runner.kinds == ["make", "install"]
    assert [line.split()[0] for line in said] == ["Making", "Installing", "Installed"]


def test_second_call_starts_nothing_and_says_nothing(
    environment: Environment, runner: FakeRunner, said: list[str]
) -> None:
    environment.prepare("run")
    runner.commands.clear()
    said.clear()

    environment.prepare("run")

    assert (runner.kinds, said) == ([], [])


def test_changed_lock_is_installed_into_the_same_environment(
    environment: Environment, runner: FakeRunner, project: Path
) -> None:
    environment.prepare("run")
    runner.commands.clear()
    (project / "requirements.lock").write_text(lock_of("one==1.1"))

    environment.prepare("run")

    assert runner.kinds == ["probe", "install"]


def test_dev_after_run_only_adds_and_covers_run(
    environment: Environment, runner: FakeRunner
) -> None:
    environment.prepare("run")
    environment.prepare("dev")
    environment.prepare("run")

    assert runner.kinds == ["make", "install", "probe", "install"]


def test_run_after_dev_needs_nothing(environment: Environment, runner: FakeRunner) -> None:
    environment.prepare("dev")
    runner.commands.clear()

    environment.prepare("run")

    assert runner.kinds == []


def test_locks_that_disagree_never_count_as_installed_together(
    environment: Environment, runner: FakeRunner, project: Path
) -> None:
    environment.prepare("dev")
    (project / "requirements.lock").write_text(lock_of("one==1.1"))
    environment.prepare("run")
    runner.commands.clear()

    environment.prepare("dev")

    assert runner.kinds == ["probe", "install"]


def test_hashes_are_demanded_with_pip_and_with_uv(
    environment: Environment, runner: FakeRunner, project: Path
) -> None:
    environment.prepare("run")
    with_uv = Environment(project, run=runner, say=print, uv="/bin/uv")
    with_uv.prepare("dev")

    installs = [command for command in runner.commands if "install" in command]

    assert all("--require-hashes" in command for command in installs)
    assert [Path(command[0]).name for command in installs] == [environment.python.name, "uv"]


def test_environment_without_a_working_python_is_remade(
    environment: Environment, runner: FakeRunner
) -> None:
    environment.python.parent.mkdir(parents=True)
    environment.python.touch()
    runner.fails = {"probe": "no module named encodings"}

    environment.prepare("run")

    assert runner.kinds == ["probe", "make", "install"]


def test_folder_without_python_is_remade(
    environment: Environment, runner: FakeRunner, said: list[str]
) -> None:
    leftover = environment.folder / "pyvenv.cfg"
    leftover.parent.mkdir()
    leftover.touch()

    environment.prepare("run")

    assert runner.kinds == ["make", "install"]
    assert not leftover.exists()
    assert "half-made" in said[0]


def test_installation_cut_short_is_started_over(
    environment: Environment, runner: FakeRunner
) -> None:
    def killed() -> None:
        raise KeyboardInterrupt

    runner.on_install = killed
    with pytest.raises(KeyboardInterrupt):
        environment.prepare("run")
    runner.commands.clear()
    runner.on_install = lambda: None

    environment.prepare("run")

    assert runner.kinds == ["make", "install"]


def test_moved_environment_is_remade(
    environment: Environment, runner: FakeRunner, project: Path, said: list[str]
) -> None:
    environment.prepare("run")
    runner.commands.clear()
    moved = project / "moved"
    moved.mkdir()
    for name in ("requirements.lock", "requirements-dev.lock", ".venv"):
        (project / name).rename(moved / name)
    runner.root = moved

    Environment(moved, run=runner, say=said.append, uv=None).prepare("run")

    assert runner.kinds == ["make", "install"]


def test_failed_installation_names_step_cause_and_remedy(
    environment: Environment, runner: FakeRunner
) -> None:
    runner.fails = {"install": "ERROR: No route to host"}

    with pytest.raises(StepError) as caught:
        environment.prepare("run")

    message = str(caught.value)
    assert "FAILED: installing the 1 packages of requirements.lock with pip" in message
    assert "No route to host" in message
    assert "What to do: check the network" in message


def test_failed_installation_is_tried_again_without_making_anew(
    environment: Environment, runner: FakeRunner
) -> None:
    runner.fails = {"install": "ERROR"}
    with pytest.raises(StepError):
        environment.prepare("run")
    runner.commands.clear()
    runner.fails = {}

    environment.prepare("run")

    assert runner.kinds == ["probe", "install"]


def test_failure_to_make_names_the_debian_package(
    environment: Environment, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    runner.fails = {"make": "ensurepip is not available"}

    with pytest.raises(StepError, match=r"(?s)making \.venv.*apt install python3\.\d+-venv"):
        environment.prepare("run")


def test_missing_lock_says_how_to_get_it(environment: Environment, project: Path) -> None:
    (project / "requirements.lock").unlink()

    with pytest.raises(StepError, match=r"reading requirements\.lock(.|\n)*manage\.py lock"):
        environment.prepare("run")


def test_command_that_does_not_exist_is_an_outcome_not_a_crash() -> None:
    assert manage.run_quietly(["/nowhere/at/all"]).code == 127


def test_old_python_is_told_what_it_needs_and_what_to_do() -> None:
    pretend = (
        "import runpy, sys; sys.version_info = (3, 9, 18, 'final', 0);"
        "runpy.run_path('manage.py', run_name='__main__')"
    )

    result = subprocess.run(
        [sys.executable, "-c", pretend], cwd=ROOT, capture_output=True, text=True, timeout=60
    )

    assert result.returncode == 1
    assert "needs Python 3.11 or newer; this is Python 3.9" in result.stderr
    assert "Traceback" not in result.stderr


def test_old_python_gets_as_far_as_that_sentence() -> None:
    ast.parse((ROOT / "manage.py").read_text("utf-8"), feature_version=(3, 8))


def test_manage_uses_only_the_standard_library() -> None:
    tree = ast.parse((ROOT / "manage.py").read_text("utf-8"))

    imported = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    imported |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}

    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


def test_options_of_run_become_settings_of_the_app(tmp_path: Path) -> None:
    options = manage.parse(["run", "--no-browser", "--port", "0", "--home", "here"])

    assert manage.verb_command(options, cwd=tmp_path) == ["main.py", "--no-browser"]
    assert manage.app_variables(options, cwd=tmp_path) == {
        "ORCHESTRATOR_PORT": "0",
        "ORCHESTRATOR_HOME": str(tmp_path / "here"),
    }


def test_run_without_options_leaves_the_settings_alone(tmp_path: Path) -> None:
    options = manage.parse(["run"])

    assert manage.verb_command(options, cwd=tmp_path) == ["main.py"]
    assert manage.app_variables(options, cwd=tmp_path) == {}


def test_everything_unknown_goes_to_pytest_in_its_order(tmp_path: Path) -> None:
    options = manage.parse(["test", "-k", "a or b", "--fast", "tests/unit", "-x"])

    command = manage.verb_command(options, cwd=tmp_path)

    assert command[command.index("--") + 1 :] == ["-k", "a or b", "tests/unit", "-x"]
    assert "--fast" in command[: command.index("--")]


@pytest.mark.parametrize("argv", [[], ["fly"], ["run", "--prot", "1"], ["check", "all"]])
def test_misspelt_call_is_refused_with_the_usage(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        manage.parse(argv)

    assert caught.value.code == 2
    assert "usage: manage.py" in capsys.readouterr().err


def test_failure_is_a_sentence_and_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    error = StepError("making tea", cause="no water", remedy="open the tap")

    assert str(error) == "FAILED: making tea\nno water\nWhat to do: open the tap"
    assert manage.venv_remedy()
    assert capsys.readouterr().err == ""


@pytest.fixture
def tests_tree(tmp_path: Path) -> Path:
    for name in ("unit/test_a.py", "api/test_b.py", "e2e/test_c.py", "ui/conftest.py"):
        file = tmp_path / "tests" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path


def plan(root: Path, *arguments: str, **flags: bool) -> list[tuple[str, list[str], list[str]]]:
    """What would run, with paths relative to the root."""
    parts = suite.plan_tests(arguments, root=root, cwd=root, **flags)
    return [
        (part.name, [Path(p).relative_to(root).as_posix() for p in part.paths], [*part.options])
        for part in parts
    ]


def test_everything_runs_in_two_parts_without_empty_folders(tests_tree: Path) -> None:
    assert plan(tests_tree, "-x") == [
        ("tests without a browser", ["tests/unit", "tests/api"], ["-x"]),
        (suite.JOURNEYS, ["tests/e2e"], ["-x"]),
    ]


def test_screenshots_are_for_the_journeys_only(tests_tree: Path) -> None:
    without, journeys = plan(tests_tree, screenshots=True)

    assert (without[2], journeys[2]) == ([], ["--screenshots"])


def test_fast_leaves_the_journeys_out(tests_tree: Path) -> None:
    assert [name for name, _, _ in plan(tests_tree, fast=True)] == ["tests without a browser"]


def test_named_files_run_alone_in_the_right_part(tests_tree: Path) -> None:
    assert plan(tests_tree, "tests/e2e/test_c.py::test_x") == [
        (suite.JOURNEYS, ["tests/e2e/test_c.py::test_x"], [])
    ]
    assert plan(tests_tree, "tests/unit/test_a.py", "-q") == [
        ("tests without a browser", ["tests/unit/test_a.py"], ["-q"])
    ]


def test_naming_the_folder_of_all_tests_names_both_parts(tests_tree: Path) -> None:
    assert plan(tests_tree, "tests") == plan(tests_tree)


def test_misspelt_file_reaches_pytest_which_complains(tests_tree: Path) -> None:
    assert plan(tests_tree, "tests/unit/test_z.py")[0][1] == ["tests/unit/test_z.py"]


def test_value_of_an_option_is_no_path(tests_tree: Path) -> None:
    without, _ = plan(tests_tree, "-k", "tests")

    assert without[1:] == (["tests/unit", "tests/api"], ["-k", "tests"])


def test_every_test_of_this_repository_belongs_to_a_part() -> None:
    folders = [ROOT / folder for part in suite.PARTS.values() for folder in part]

    strays = [
        file
        for file in (ROOT / "tests").rglob("test_*.py")
        if not any(file.is_relative_to(folder) for folder in folders)
    ]

    assert strays == []


def test_summary_names_what_failed_and_the_exit_code_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = suite.Report()
    report.add("ruff check", ok=True, seconds=1)
    report.add("basedpyright", ok=False, seconds=2)

    assert report.finish() == 1
    assert "1 of 2 failed: basedpyright" in capsys.readouterr().out


def test_run_of_nothing_is_a_failure() -> None:
    report = suite.Report()

    suite.run_tests([], report=report)

    assert report.finish() == 1


def test_chosen_browser_that_is_not_there_is_a_mistake_not_a_hint(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(browser.VARIABLE, str(tmp_path / "chrome"))

    with pytest.raises(browser.BrowserMissingError, match="no such file"):
        browser.ensure_browser(lambda line: pytest.fail(f"tried to get one: {line}"))


def test_stub_that_only_asks_to_install_a_browser_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stub = tmp_path / "chromium"
    stub.write_text("#!/bin/sh\necho 'Command requires the snap to be installed.'\nexit 1\n")
    stub.chmod(0o755)
    monkeypatch.delenv(browser.VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")

    with pytest.raises(browser.BrowserMissingError, match="Install Chromium"):
        browser.find_browser()


@pytest.mark.parametrize("name", manage.LOCKS.values())
def test_locks_hold_pinned_and_hashed_packages_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")

    assert manage.foreign_lines(text) == []
    assert len(re.findall(r"(?m)^\S.*\\\n    --hash=", text)) == len(manage.pins(text)) > 0


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://example.org/simple",
        "--find-links /opt/wheels",
        "thing @ https://example.org/thing.whl",
        "thing==1.0+https://example.org",
        "    --hash=md5:0123",
        "thing>=1.0 \\",
    ],
)
def test_address_or_loose_version_in_a_lock_is_found(line: str) -> None:
    assert manage.foreign_lines(lock_of("one==1.0") + line + "\n") == [line]


def test_both_locks_hold_the_same_versions() -> None:
    run, dev = (manage.pins((ROOT / name).read_text("utf-8")) for name in manage.LOCKS.values())

    assert run < dev


def test_every_direct_dependency_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    wanted += project["build-system"]["requires"]
    explained = re.findall(
        r"(?m)^\| ([\w-]+) \|", (ROOT / "docs/dependencies.md").read_text("utf-8")
    )

    names = [re.match(r"[\w-]+", requirement) for requirement in wanted]

    assert {name[0] for name in names if name} == set(explained) - {"Package"}
