"""Files of strangers: whatever they are, they become a workflow or a clear refusal."""

import io
import json
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from app.drawing.convert import to_api
from app.drawing.files.importing import MAX_BYTES, Imported, read_file
from app.drawing.files.ui_format import write_ui
from app.errors import InvalidRequestError
from tests.support.diagrams import schemas, text_to_image
from tests.support.pictures import claimed_png, png

DRAWN = write_ui(text_to_image(), schemas=schemas())
GRAPH: Any = to_api(text_to_image(), schemas=schemas()).graph
PARAMETERS = """a cat <lora:foo:0.8>, (masterpiece:1.2) [dog:bird:0.5]
second line
Negative prompt: bad, EasyNegative
Steps: 25, Sampler: DPM++ 2M Karras, CFG scale: 7.5, Seed: 18446744073709551615, Size: 512x768, \
Model hash: abc, Model: dreamshaper_8, VAE: kl.ckpt, Clip skip: 2, Denoising strength: 0.4, \
Hires upscale: 1.5, Hires steps: 12, Hires upscaler: Latent, ADetailer model: "face, hand", \
TI hashes: "EasyNegative: c74b4e810b03", Version: 1.7"""


def read(data: bytes | str, *, name: str = "") -> Imported:
    """What is in the file."""
    given_bytes = data.encode() if isinstance(data, str) else data
    return read_file(given_bytes, name=name, schemas=schemas())


def with_exif(kind: str, tags: dict[int, str]) -> bytes:
    """A picture with these texts in its EXIF."""
    exif = Image.Exif()
    for tag, text in tags.items():
        exif[tag] = text
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, kind, exif=exif)
    return stream.getvalue()


def with_comment(kind: str, text: str, *, encoding: str) -> bytes:
    """A picture with a text where cameras put the comment of the user."""
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"UNICODE\0" + text.encode(
        encoding
    )
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, kind, exif=exif)
    return stream.getvalue()


def with_xmp(attribute: str) -> bytes:
    """A picture with XMP."""
    packet = f"<x:xmpmeta><rdf:Description {attribute}></rdf:Description></x:xmpmeta>"
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "WEBP", xmp=packet.encode())
    return stream.getvalue()


def moved_behind_pixels(picture: bytes) -> bytes:
    """The PNG with its text chunk at the end."""
    start = picture.index(b"tEXt") - 4
    size = int.from_bytes(picture[start : start + 4]) + 12
    end = picture.index(b"IEND") - 4
    return (
        picture[:start]
        + picture[start + size : end]
        + picture[start : start + size]
        + picture[end:]
    )


WRAPPED: list[tuple[str, Any, str]] = [
    ("drawn", DRAWN, "ui"),
    ("graph", GRAPH, "api"),
    ("body of a request", {"prompt": GRAPH, "client_id": "x"}, "api"),
    (
        "body of a page",
        {"prompt": GRAPH, "extra_data": {"extra_pnginfo": {"workflow": DRAWN}}},
        "ui",
    ),
    ("both as text", {"prompt": json.dumps(GRAPH), "workflow": json.dumps(DRAWN)}, "ui"),
    ("history", {"ab-cd": {"prompt": [1, "ab-cd", GRAPH, {}, ["9"]], "outputs": {}}}, "api"),
    (
        "history of a page",
        {"ab": {"prompt": [1, "ab", GRAPH, {"extra_pnginfo": {"workflow": DRAWN}}, []]}},
        "ui",
    ),
    ("a list", [{"metadata": {"workflow": DRAWN}}], "ui"),
    ("nodes as an object", {"nodes": {"a": {"id": 1, "type": "A"}}}, "ui"),
]


@pytest.mark.parametrize(("data", "kind"), [w[1:] for w in WRAPPED], ids=[w[0] for w in WRAPPED])
def test_json_is_found_however_it_is_wrapped(data: Any, kind: str) -> None:
    found = read(json.dumps(data))

    assert found.kind == kind
    assert len(found.diagram.root.nodes) in (1, len(text_to_image().root.nodes))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_json_in_other_encodings_is_read(encoding: str) -> None:
    assert read(json.dumps(DRAWN).encode(encoding)).kind == "ui"


PICTURES: list[tuple[str, bytes, str]] = [
    ("png", png(text={"prompt": json.dumps(GRAPH), "workflow": json.dumps(DRAWN)}), "ui"),
    ("png of the api", png(text={"prompt": json.dumps(GRAPH)}), "api"),
    ("png, broken drawing", png(text={"prompt": json.dumps(GRAPH), "workflow": "{"}), "api"),
    ("png, text behind", moved_behind_pixels(png(text={"workflow": json.dumps(DRAWN)})), "ui"),
    ("png of a1111", png(text={"parameters": PARAMETERS}), "a1111"),
    (
        "webp",
        with_exif(
            "WEBP",
            {0x010F: f"workflow:{json.dumps(DRAWN)}", 0x0110: f"prompt:{json.dumps(GRAPH)}"},
        ),
        "ui",
    ),
    ("webp of the api", with_exif("WEBP", {0x0110: f"prompt:{json.dumps(GRAPH)}"}), "api"),
    ("jpeg", with_exif("JPEG", {0x010F: f"Workflow: {json.dumps(DRAWN)}"}), "ui"),
    ("jpeg of a1111", with_comment("JPEG", PARAMETERS, encoding="utf-16-be"), "a1111"),
    ("webp of a1111", with_comment("WEBP", PARAMETERS, encoding="utf-16-le"), "a1111"),
    (
        "xmp",
        with_xmp('c:workflow="' + json.dumps(DRAWN).replace('"', "&quot;") + '"'),
        "ui",
    ),
]


@pytest.mark.parametrize(("data", "kind"), [p[1:] for p in PICTURES], ids=[p[0] for p in PICTURES])
def test_a_picture_gives_back_the_workflow_in_it(data: bytes, kind: str) -> None:
    found = read(data, name="ComfyUI_00001_.png")

    assert (found.kind, found.name) == (kind, "ComfyUI_00001_")


def test_numbers_that_json_has_no_word_for_do_not_hurt() -> None:
    text = '{"1": {"class_type": "A", "inputs": {"x": 1}, "is_changed": [NaN, 1e999, Infinity]}}'

    assert read(text).diagram.root.nodes["1"].values == {"x": 1}


def test_zero_bytes_and_half_characters_are_taken_out() -> None:
    text = '{"nodes": [{"id": 1, "type": "A\\u0000", "title": "\\ud800x", "pos": [0, 0]}]}'

    node = read(text).diagram.root.nodes["1"]

    assert (node.class_type, node.title) == ("A", "x")


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("C:\\files\\my flow.json", "my flow"),
        ("../../etc/x.app.json", "x"),
        ("a\u202e\x00b.png", "ab"),
        ("", ""),
        ("w" * 400 + ".webp", "w" * 200),
    ],
    ids=["path", "dots", "controls", "none", "long"],
)
def test_a_workflow_is_called_after_its_file(name: str, title: str) -> None:
    assert read(json.dumps(DRAWN), name=name).name == title


def test_settings_of_a1111_become_a_graph_that_makes_such_a_picture() -> None:
    found = read(PARAMETERS)

    graph = to_api(found.diagram, schemas=schemas()).graph
    by_class: dict[str, list[dict[str, Any]]] = {}
    for node in graph.values():
        by_class.setdefault(node["class_type"], []).append(node["inputs"])
    first, second = by_class["KSampler"]
    texts = [each["text"] for each in by_class["CLIPTextEncode"]]
    assert (first["seed"], first["steps"], first["cfg"]) == (2**64 - 1, 25, 7.5)
    assert (first["sampler_name"], first["scheduler"]) == ("dpmpp_2m", "karras")
    assert (second["steps"], second["denoise"]) == (12, 0.4)
    assert texts == [
        "a cat , (masterpiece:1.2) [dog:bird:0.5]\nsecond line",
        "bad, embedding:EasyNegative",
    ]
    assert by_class["LoraLoader"][0]["strength_model"] == 0.8
    assert by_class["CheckpointLoaderSimple"][0]["ckpt_name"] == "dreamshaper_8.safetensors"
    assert by_class["CLIPSetLastLayer"][0]["stop_at_clip_layer"] == -2
    assert (by_class["EmptyLatentImage"][0]["width"], by_class["LatentUpscale"][0]["width"]) == (
        512,
        768,
    )
    said = {each.code: each.message for each in found.findings}
    assert set(said) == {"sampler", "not_taken_over", "prompt_words"}
    assert "ADetailer model" in said["not_taken_over"]


def test_a_picture_that_a1111_made_from_another_says_so() -> None:
    text = "a cat\nSteps: 20, Sampler: Euler a, Size: 512x512, Denoising strength: 0.5"

    assert "no_start_image" in {each.code for each in read(text).findings}


DEEP = b'{"nodes":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
REFUSED: list[tuple[str, bytes, str]] = [
    ("empty", b"", "empty"),
    ("blank", b" \n", "empty"),
    ("text", b"hello", "no JSON"),
    ("binary", bytes(range(256)), "no workflow"),
    ("other json", b'{"a": [1, 2, {"b": "c"}]}', "no workflow"),
    ("number", b"7", "no workflow"),
    ("cut json", json.dumps(DRAWN).encode()[:-9], "no JSON"),
    ("long number", b'{"nodes": [' + b"9" * 10_000 + b"]}", "no JSON"),
    ("deep", DEEP, "nested too deeply"),
    ("deep value", b'{"nodes":[{"widgets_values":' + b"[" * 80 + b"]" * 80 + b"}]}", "nested"),
    ("many parts", b"[" + b"[]," * 1_000_001 + b"1]", "more parts"),
    ("much text", b'{"nodes": ["' + b"a" * 24_000_000 + b'"]}', "more text"),
    ("many signs", '{{"nodes": ["{}"]}}'.format("🦊" * 1_600_000).encode(), "more text"),
    ("too large", b" " * (MAX_BYTES + 1), "more than 50 MB"),
    ("plain png", png(), "no workflow"),
    ("cut png", png(text={"workflow": "{}"})[:60], "damaged"),
    ("png that claims much", claimed_png(60_000, 60_000), "damaged"),
    ("not a picture", b"RIFF" + b"\xff" * 500, "damaged"),
    ("jpeg head", b"\xff\xd8\xff\xe0\x00\x10JFIF", "damaged"),
]


@pytest.mark.parametrize(("data", "message"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_what_holds_no_workflow_is_refused_in_words(data: bytes, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message) as refusal:
        read(data)

    assert refusal.value.field == "file"


def test_a_text_chunk_that_swells_is_refused() -> None:
    packed = zlib.compress(b"{" + b" " * 60_000_000)
    chunk = b"zTXt" + b"workflow\0\0" + packed
    part = len(chunk[4:]).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4)
    picture = png()

    with pytest.raises(InvalidRequestError, match="damaged"):
        read(picture[:33] + part + picture[33:])


SEEDS = [json.dumps(DRAWN).encode(), PARAMETERS.encode(), *(each[1] for each in PICTURES)]


def outcome(data: bytes) -> str:
    """What came of a file: written again, or why it was refused."""
    try:
        return json.dumps(write_ui(read(data).diagram, schemas=schemas()), allow_nan=False)
    except InvalidRequestError as refusal:
        return refusal.message


@settings(max_examples=150, deadline=None)
@given(
    seed=st.sampled_from(range(len(SEEDS))),
    spots=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 400)), min_size=1, max_size=8),
)
def test_a_spoiled_file_is_a_workflow_or_a_refusal(seed: int, spots: list[tuple[int, int]]) -> None:
    data = bytearray(SEEDS[seed])
    for where, what in spots:
        at = where % len(data)
        # Either another byte, or some bytes less.
        data[at : at + max(1, what - 350)] = bytes([what]) if what < 256 else b""

    assert outcome(bytes(data))


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["nodes", "links", "id", "type", "prompt", "class_type", "inputs", "1"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)


@settings(max_examples=150, deadline=None)
@given(value=VALUES)
def test_any_json_is_a_workflow_or_a_refusal(value: Any) -> None:
    assert outcome(json.dumps(value).encode())
