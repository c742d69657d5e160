"""Files of strangers on the whole way through the builder: read, shown, checked, made to run.

Whatever parses either becomes a workflow with which everything works, or is refused in words.
"""

import copy
import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.draft_views import State, view
from app.drawing.checks.checking import check
from app.drawing.checks.readiness import runs_on
from app.drawing.convert import to_api
from app.drawing.diagram import Diagram
from app.drawing.diffs.diffing import compare
from app.drawing.editing.applying import apply
from app.drawing.editing.operations import Remove, Value
from app.drawing.files.importing import read_file
from app.drawing.files.ui_format import read_ui, write_ui
from app.drawing.form.parameters import check_parameters, options_of, rebind, suggest
from app.drawing.layout import arrange
from app.drawing.tracing import Tracing
from app.errors import InvalidRequestError
from app.models import BackendInfo, BackendStatus, Catalog
from tests.support import diagrams as draw

Json = dict[str, Any]

HOSTILE_TEXTS = {
    "markup": "<img src=x onerror=alert(1)><script>alert(2)</script>",
    "templates": "{0} {node} {} %s ${x} {{y}} {node.__class__}",
    "right to left": "\u202egnp.exe\u202c שלום",
    "control characters": "a\x00b\x07c\u2028d\x1b[31m",
    "half a character": "\ud800 and \udfff",
    "paths": "../../../etc/passwd",
    "long": "ж" * 100_000,
    "empty": "",
    "a colon": "3:4:5.text",
}


def written(diagram: Diagram | None = None) -> Json:
    """Text to image as a file has it."""
    document = write_ui(diagram or draw.with_subgraph(), schemas=draw.schemas())
    return json.loads(json.dumps(document))


def opened(document: Any) -> Diagram:
    """What the import makes of it."""
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return read_file(data, name="file.json", schemas=draw.schemas()).diagram


def plain(value: Any) -> str:
    """The value as JSON that browsers and databases take."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    text.encode()
    return text


def levels(diagram: Diagram) -> Iterator[str]:
    """The paths of some levels."""
    yield ""
    subgraphs = (path for path, each in Tracing(diagram).places.items() if each.subgraph)
    yield from [path for path, _ in zip(subgraphs, range(3), strict=False)]


def reread(diagram: Diagram) -> Diagram:
    """What comes back after it was kept."""
    document = write_ui(diagram, schemas=draw.schemas())
    return read_ui(json.loads(plain(document)), schemas=draw.schemas())[0]


def go_through_everything(diagram: Diagram) -> None:
    """Do with a workflow all that the builder does with one."""
    schemas = draw.schemas()
    for path in levels(diagram):
        plain(view(diagram, path, state=State(rev=1), schemas=schemas))
    graph = to_api(diagram, schemas=schemas).graph
    plain(graph)
    for finding in check(diagram, schemas=schemas):
        plain([finding.message, finding.fix, *finding.choices])
    info = BackendInfo(id="gpu-1", name="gpu-1", kind="comfyui", url="http://127.0.0.1:1")
    status = BackendStatus(online=True, catalog=Catalog(node_classes=frozenset(schemas)))
    for readiness in runs_on(graph, backends=[(info, status, schemas)]):
        plain([readiness.advice, *(lack.message for lack in readiness.lacks)])
    form, _ = rebind(diagram, schemas=schemas)
    check_parameters(form, schemas=schemas)
    plain([each.default for each in options_of(form, schemas=schemas)])
    suggest(diagram, schemas=schemas)
    for change in compare(draw.with_subgraph(), diagram, schemas=schemas).changes:
        plain(change.message)
    arrange(diagram.root, schemas=schemas)
    again = reread(diagram)
    assert reread(again) == again


@pytest.mark.parametrize("text", HOSTILE_TEXTS.values(), ids=HOSTILE_TEXTS.keys())
def test_hostile_text_stays_text_wherever_it_stands(text: str) -> None:
    document = written()
    document["groups"] = [{"title": text, "bounding": [0, 0, 100, 100]}]
    for node in document["nodes"]:
        node["title"] = text
        for socket in [*node.get("inputs", []), *node.get("outputs", [])]:
            socket["label"] = text
    document["nodes"][0]["type"] = text or "x"
    document["definitions"]["subgraphs"][0]["name"] = text

    diagram = opened(document)

    assert reread(diagram) == diagram
    go_through_everything(diagram)


def test_markup_is_kept_word_for_word() -> None:
    document = written()
    document["nodes"][0]["title"] = HOSTILE_TEXTS["markup"]

    diagram = opened(document)

    titles = {node.title for node in diagram.root.nodes.values()}
    assert HOSTILE_TEXTS["markup"] in titles


def subgraph_of(document: Json) -> Json:
    """The one definition of the file."""
    return document["definitions"]["subgraphs"][0]


def itself(document: Json) -> None:
    """A subgraph that contains itself."""
    definition = subgraph_of(document)
    definition["nodes"].append({"id": 77, "type": definition["id"], "pos": [0, 0]})


def each_other(document: Json) -> None:
    """Two subgraphs that contain each other."""
    first = subgraph_of(document)
    second: Json = copy.deepcopy(first) | {"id": "other", "name": "Other"}
    first["nodes"].append({"id": 77, "type": "other", "pos": [0, 0]})
    second["nodes"].append({"id": 78, "type": first["id"], "pos": [0, 0]})
    document["definitions"]["subgraphs"].append(second)


def multiplied(document: Json) -> None:
    """Subgraphs within subgraphs that stand for more nodes than there are atoms."""
    chain(document, depth=18, copies=10)


def nested(document: Json) -> None:
    """Subgraphs three hundred deep in each other."""
    chain(document, depth=300, copies=1)


def chain(document: Json, *, depth: int, copies: int) -> None:
    """Definitions of which each contains the one before several times."""
    inner = subgraph_of(document)["id"]
    for number in range(depth):
        nodes = [{"id": key, "type": inner, "pos": [0, 0]} for key in range(1, copies + 1)]
        inner = f"level-{number}"
        made = {"id": inner, "name": inner, "nodes": nodes, "links": []}
        document["definitions"]["subgraphs"].append(made)
    document["nodes"].append({"id": 88, "type": inner, "pos": [0, 0]})


def rerouted(document: Json) -> None:
    """Reroutes that feed each other."""
    socket = {"name": "", "type": "*"}
    for key, link in ((301, 901), (302, 902)):
        inputs = [{**socket, "link": link}]
        node: Json = {"id": key, "type": "Reroute", "inputs": inputs, "outputs": [socket]}
        document["nodes"].append(node)
    document["links"] += [[901, 302, 0, 301, 0, "*"], [902, 301, 0, 302, 0, "*"]]
    document["links"].append([903, 301, 0, 3, 0, "MODEL"])


def self_linked(document: Json) -> None:
    """Nodes that feed themselves, outputs and inputs that are not there."""
    document["links"] += [
        [901, 3, 0, 3, 3, "LATENT"],
        [902, 3, 999_999, 3, 1, "X"],
        [903, 3, 0, 3, 999_999, "X"],
        [904, 4, -1, 3, -1, "X"],
        [905, 12345, 0, 54321, 0, "X"],
    ]


@pytest.mark.parametrize("spoil", [itself, each_other, multiplied, nested, rerouted, self_linked])
def test_circles_and_abysses_end(spoil: Callable[[Json], None]) -> None:
    document = written()
    spoil(document)
    began = time.perf_counter()

    try:
        diagram = opened(document)
    except InvalidRequestError:
        diagram = Diagram()  # refused: that is an end, too
    go_through_everything(diagram)

    assert time.perf_counter() - began < 20


GARBAGE: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**30,
    1e308,
    "",
    "x" * 500,
    "3",
    [],
    [[[]]],
    {},
    {"link": {"a": [1]}},
    ["3", 0],
    {"__value__": [1]},
    {"__proto__": {"x": 1}},
    "KSampler",
    "-10",
)


def spots(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of everything inside a value."""
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, each in items:
        yield (*path, key)
        yield from spots(each, (*path, key))


DOCUMENT = written()
SPOTS = sorted(spots(DOCUMENT), key=str)


@given(
    mistakes=st.lists(
        st.tuples(st.sampled_from(SPOTS), st.sampled_from(GARBAGE)), min_size=1, max_size=6
    )
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_spoiled_file_is_mended_or_refused(mistakes: list[tuple[tuple[Any, ...], Any]]) -> None:
    document = copy.deepcopy(DOCUMENT)
    for path, garbage in mistakes:
        put(document, path, garbage)

    try:
        diagram = opened(document)
    except InvalidRequestError:
        return  # in words: the type says so

    go_through_everything(diagram)


def put(document: Any, path: tuple[Any, ...], value: Any) -> None:
    """Put something at a path, if that is still there."""
    with suppress(KeyError, IndexError, TypeError):
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = copy.deepcopy(value)


@pytest.mark.parametrize("value", GARBAGE, ids=lambda value: repr(value)[:30])
def test_any_value_in_a_widget_is_kept_or_refused_and_never_breaks_a_view(value: Any) -> None:
    diagram = opened(written(draw.text_to_image()))
    schemas = draw.schemas()
    for key, name in (("3", "steps"), ("3", "cfg"), ("3", "sampler_name"), ("6", "text")):
        op = Value(op="value", id=key, name=name, value=value)
        with suppress(InvalidRequestError):
            diagram = apply(diagram, "", op, schemas=schemas)

    assert reread(diagram) == diagram
    go_through_everything(diagram)


def test_everything_can_be_taken_away() -> None:
    diagram = draw.with_subgraph()

    op = Remove(op="remove", ids=list(diagram.root.nodes))
    emptied = apply(diagram, "", op, schemas=draw.schemas())

    assert not emptied.root.nodes
    go_through_everything(emptied)


def test_file_of_brackets_is_refused_in_words() -> None:
    for data in (b"[" * 1_000_000, b'{"nodes":' * 100_000, b"\x00" * 1000, b"{}", b"null"):
        with pytest.raises(InvalidRequestError) as refused:
            opened(data)
        assert refused.value.message
