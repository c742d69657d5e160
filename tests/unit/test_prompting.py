"""Alternatives and wildcards in prompts."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import InvalidRequestError
from app.prompting import expand, has_alternatives, preview, wildcard_names
from app.submission import MAX_PROMPT

NOWHERE = Path("/nowhere/at/all")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A few wildcard files."""
    files = {
        "colors.txt": "red\ngreen\n# a comment\n\nblue\n",
        "animals/cats.txt": "lynx\nmanul\n",
        "animals/dogs.txt": "borzoi\n",
        "scene.txt": "a __colors__ {sea|sky} # still here\n",
        "loop.txt": "and __pool__\n",
        "pool.txt": "or __loop__\n",
        "long.txt": "x" * 15_000,
        "weights.yaml": "weights:\n  - 1000::often\n  - 0.001::seldom\n",
        "broken.yaml": "{ not: [yaml",
        "empty.txt": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def drawn(prompt: str, folder: Path = NOWHERE, *, count: int = 60) -> set[str]:
    """What comes out of many draws."""
    return set(expand(prompt, count=count, seed=1, wildcards=folder))


@pytest.mark.parametrize(
    ("prompt", "possible"),
    [
        ("a {red|blue} fox", {"a red fox", "a blue fox"}),
        ("{a|b}-{c|d}", {"a-c", "a-d", "b-c", "b-d"}),
        ("{a|{b|c} d}", {"a", "b d", "c d"}),
        ("{a|}", {"a", ""}),
        ("{2$$a|b}", {"a,b", "b,a"}),
        ("{2$$ and $$a|b}", {"a and b", "b and a"}),
        ("{0-1$$a|b}", {"", "a", "b"}),
        ("{1000000::a|0.0000001::b}", {"a"}),
        ("{@a|b}", {"a", "b"}),
        ("{a#1|b//2|$3|%{x}|d__e}", {"a#1", "b//2", "$3", "%{x}", "d__e"}),
        ("{(a:1.2)|<lora:b/c:0.8>}", {"(a:1.2)", "<lora:b/c:0.8>"}),
        ("  {a|b}  and\n more # text", {"  a  and\n more # text", "  b  and\n more # text"}),
        (
            'a { brace, then {x|y} and "{"',
            {'a { brace, then x and "{"', 'a { brace, then y and "{"'},
        ),
    ],
)
def test_alternatives_are_chosen(prompt: str, possible: set[str]) -> None:
    assert has_alternatives(prompt)
    assert drawn(prompt) == possible


@pytest.mark.parametrize(
    "prompt",
    [
        "a red fox",
        "(masterpiece:1.2), [night], <lora:detail:0.8>",
        "a lone { brace",
        "a lone } brace | and a bar",
        "{}",
        "{ nothing to choose }",
        '{"prompt": "a|b", "list": [1, 2], "deep": {"c": "{x|y}"}}',
        "costs ${5|6}, or %{a|b}",
        "snake_case and __ and ____ and _x_",
        "https://example.org/a#b // no comment",
        "",
    ],
)
def test_everything_else_passes_unchanged(prompt: str) -> None:
    assert not has_alternatives(prompt)
    assert expand(prompt, count=3, seed=1, wildcards=NOWHERE) == [prompt] * 3


def test_wildcards_come_from_files_with_folders(folder: Path) -> None:
    assert drawn("a __colors__ __animals/cats__", folder) == {
        f"a {color} {cat}" for color in ("red", "green", "blue") for cat in ("lynx", "manul")
    }
    assert drawn("__animals/*__", folder) == {"lynx", "manul", "borzoi"}
    assert drawn("{x|__animals/dogs__}", folder) == {"x", "borzoi"}
    assert drawn("{2$$/$$__animals/cats__}", folder) == {"lynx/manul", "manul/lynx"}
    assert drawn("__weights__", folder) == {"often"}


def test_what_comes_out_of_a_file_is_chosen_in_turn(folder: Path) -> None:
    found = drawn("__scene__", folder)

    colors, places = ("red", "green", "blue"), ("sea", "sky")
    assert found == {f"a {color} {place} # still here" for color in colors for place in places}


def test_the_same_seed_chooses_the_same_and_more_of_it(folder: Path) -> None:
    prompt = "{a|b|c|d} __colors__ {e|f|g|h}"

    few = expand(prompt, count=4, seed=9, wildcards=folder)
    many = expand(prompt, count=8, seed=9, wildcards=folder)
    other = expand(prompt, count=8, seed=10, wildcards=folder)

    assert many[:4] == few
    assert other != many


def test_a_preview_shows_different_ones(folder: Path) -> None:
    assert set(preview("__colors__", wildcards=folder)) == {"red", "green", "blue"}
    assert len(preview("{1-9$$a|b|c|d|e|f}", limit=5, wildcards=folder)) == 5
    assert preview("a fox", wildcards=folder) == ["a fox"]


def test_wildcards_are_listed(folder: Path) -> None:
    names = wildcard_names(folder)

    assert names == sorted(names)
    assert {"colors", "animals/cats", "weights"} <= set(names)
    assert wildcard_names(NOWHERE) == []


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("a {red|blue fox", "not closed: {red|blue fox"),
        ("{a|b} and {2$$c", "not closed: {2$$c"),
        ("{0::a|0::b}", "cannot be read: {0::a|0::b}"),
        ("__colours__", "no wildcard 'colours'"),
        ("__empty__", "no wildcard 'empty'"),
        ("{__nothing/like/it__|a}" * 20, "no wildcard 'nothing/like/it'"),
        ("__loop__", "leads back to itself: loop → pool → loop"),
        ("{2$$__pool__}", "leads back to itself: pool → loop → pool"),
        ("__long__ __long__", "over 20000 characters"),
        ("__colors__ " * 501, "over 500 wildcards"),
        ("{a|" * 13 + "}" * 13, "too many"),
        ("{a|b}" * 201, "too many"),
        ("{" + "a|" * 1001 + "}", "too many"),
    ],
)
def test_a_mistake_is_named(folder: Path, prompt: str, message: str) -> None:
    assert has_alternatives(prompt)
    with pytest.raises(InvalidRequestError) as caught:
        expand(prompt, count=1, seed=1, wildcards=folder)

    assert message in caught.value.message
    assert caught.value.field == "prompt"


def test_a_near_wildcard_is_proposed(folder: Path) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        expand("__colours__", count=1, seed=1, wildcards=folder)

    assert "colors" in caught.value.fix


def test_no_wildcard_leads_out_of_the_folder(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder.parent / "secret.txt").write_text("a secret", encoding="utf-8")

    for name in ("../secret", f"{folder.parent}/secret", "..*"):
        with pytest.raises(InvalidRequestError, match="no wildcard"):
            expand(f"__{name}__", count=1, seed=1, wildcards=folder)

    assert not [each for each in caplog.messages if "Invalid wildcard" in each]


def test_a_missing_folder_says_where_wildcards_go() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        expand("__x__", count=1, seed=1, wildcards=NOWHERE)

    assert f"x.txt into the folder {NOWHERE}" in caught.value.fix


parts = st.sampled_from(
    ["{", "}", "|", "$$", "2$$", "1-2$$", "::", "3::", "__", "__colors__", "__loop__", "#", "//",
     "/*", "*/", "$", "%", "\\", "(", ")", "~", "@", "!", ",", " ", "\n", "a", "b c", '"', ":",
     "é", "\U000f0000", "0.5", "-", "${x}", "<lora:a:1>", "{a|b}"]
)  # fmt: skip


@given(prompt=st.one_of(st.text(), st.lists(parts, max_size=40).map("".join)))
@settings(max_examples=400, deadline=None)
def test_no_prompt_hangs_or_crashes(tmp_path_factory: pytest.TempPathFactory, prompt: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "wildcards"
    folder.mkdir(exist_ok=True)
    (folder / "colors.txt").write_text("red\n{blue|__colors__}\n", encoding="utf-8")
    (folder / "loop.txt").write_text("__loop__\n", encoding="utf-8")

    try:
        prompts = expand(prompt, count=2, seed=3, wildcards=folder)
    except InvalidRequestError:
        assert has_alternatives(prompt)
    else:
        assert has_alternatives(prompt) or prompts == [prompt] * 2
        assert all(len(each) <= MAX_PROMPT for each in prompts)


@given(value=st.recursive(st.text() | st.integers(), lambda each: st.dictionaries(st.text(), each)))
@settings(deadline=None)
def test_pasted_json_is_never_touched(value: object) -> None:
    text = json.dumps({"key": value}, ensure_ascii=False)
    if "__" not in text:
        assert expand(text, count=1, seed=1, wildcards=NOWHERE) == [text]
