"""Every text has a Russian translation that fits its places and plurals."""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.i18n import LANGUAGES, PLURAL_FORMS, catalog, negotiate, texts, tr, trn

ROOT = Path(__file__).resolve().parents[2]
LISTS = ("TEXTS", "MESSAGES")


def sources() -> list[Path]:
    """The modules whose texts people see."""
    folders = ("app", "backends", "components", "data", "pages")
    return [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]


def calls(tree: ast.AST) -> Iterator[tuple[str, ...]]:
    """Texts given to the functions that translate: (message,) or (singular, plural)."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        texts_given = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
        words = tuple(text for text in texts_given if isinstance(text, str))
        if node.func.id in ("tr", "Said") and words:
            yield words[:1]
        if node.func.id == "trn" and len(words) == 2:
            yield words


def listed(tree: ast.AST) -> Iterator[tuple[str, ...]]:
    """Texts in the lists for the browser, and in the lists of shortcuts."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        name = target.id if isinstance(target, ast.Name) else ""
        if name in LISTS:
            for entry in ast.literal_eval(node.value):
                yield (entry,) if isinstance(entry, str) else entry
        if name == "SHORTCUTS":
            for _, text in ast.literal_eval(node.value):
                yield (text,)


@functools.cache  # parsing everything takes seconds, and nothing changes meanwhile
def messages() -> list[tuple[str, ...]]:
    """Every text of the product, once."""
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in sources()]
    return sorted({message for tree in trees for message in (*calls(tree), *listed(tree))})


def places(text: str) -> set[str]:
    """The names of what is filled in."""
    return set(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_every_text_is_translated(language: str) -> None:
    found = catalog(language)

    missing = [m for m in messages() if (entry := found.get(m[0])) is None or not entry.string]

    assert len(messages()) > 200
    assert missing == []


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_no_translation_is_left_over(language: str) -> None:
    used = {message[0] for message in messages()}
    scripts = (ROOT / "components").rglob("*.js")
    text = "\n".join(file.read_text(encoding="utf-8") for file in (*sources(), *scripts))

    first_forms = [m.id if isinstance(m.id, str) else m.id[0] for m in catalog(language) if m.id]

    assert [form for form in first_forms if form not in used and form not in text] == []


def test_every_text_a_script_asks_for_is_handed_to_it() -> None:
    given = {form for message in messages() for form in message}
    asked: set[str] = set()
    for file in (ROOT / "components").rglob("*.js"):
        script = file.read_text(encoding="utf-8")
        asked |= {m[1] for m in re.findall(r"""\bt\((["'])((?:(?!\1).)+)\1""", script)}

    assert asked - given == set()
    assert len(asked) > 50


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_translations_fill_in_the_same_values(language: str) -> None:
    different: list[str] = []
    for message in catalog(language):
        if not message.id:
            continue
        ids = (message.id,) if isinstance(message.id, str) else message.id
        forms = (message.string,) if isinstance(message.string, str) else message.string
        allowed = set().union(*map(places, ids))
        if any(places(form) != allowed for form in forms or ()):
            different.append(ids[0])

    assert different == []


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_plurals_have_every_form_of_the_language(language: str) -> None:
    plurals = [m for m in catalog(language) if not isinstance(m.id, str)]

    assert plurals
    assert {len(m.string or ()) for m in plurals} == {len(PLURAL_FORMS[language])}


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        ("de,en;q=0.5,ru;q=0.4", "en"),
        ("de, ru;q=0.2", "ru"),
        ("fr", "en"),
        ("", "en"),
        ("ru;q=nonsense", "en"),
    ],
)
def test_the_first_language_is_the_best_one_the_browser_asks_for(
    header: str, language: str
) -> None:
    assert negotiate(header) == language


def test_without_a_page_texts_are_english() -> None:
    assert tr("Use {limit} or less.", limit=8) == "Use 8 or less."
    assert trn("{n} job cleared", "{n} jobs cleared", 1) == "1 job cleared"
    assert trn("{n} job cleared", "{n} jobs cleared", 5) == "5 jobs cleared"
    assert trn("{n} job cleared", "{n} jobs cleared", 5009) == "5\u2009009 jobs cleared"
    assert texts("Queue", ("{n} step", "{n} steps")) == {
        "Queue": "Queue",
        "{n} step": {"one": "{n} step", "other": "{n} steps"},
    }
