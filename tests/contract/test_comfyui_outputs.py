"""What runs leave behind: every kind of output, from servers real and recorded."""

import io
import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image as Pillow

from app.errors import (
    BadOutputError,
    CorruptModelError,
    DiskFullError,
    PromptRejectedError,
)
from app.models import Attempt, Catalog, GenerationRequest
from app.runs import Output, RunEvent, RunFailed, RunStarted, RunSucceeded
from tests.contract.comfyui_farm import (
    REQUEST,
    Farm,
    Script,
    Watched,
    finish,
    new_attempt,
    open_farm,
    run_through,
)
from tests.support.pictures import png

DATA = Path(__file__).parent.parent / "data" / "comfyui"
NOWHERE: dict[str, Any] = {"queue_running": [], "queue_pending": []}
PICTURE: dict[str, Any] = {
    "class_type": "EmptyImage",
    "inputs": {"width": 64, "height": 48, "batch_size": 4, "color": 255},
}
SAVE: dict[str, Any] = {
    "class_type": "SaveImage",
    "inputs": {"images": ["1", 0], "filename_prefix": "x"},
}


@pytest.fixture
async def farm(tmp_path: Path) -> AsyncGenerator[Farm]:
    async with open_farm(tmp_path) as farm:
        yield farm


def given(graph: dict[str, Any]) -> GenerationRequest:
    """A request that brings its own workflow."""
    return replace(REQUEST, graph=graph)


def succeeded(events: list[RunEvent]) -> tuple[Output, ...]:
    """The outputs of a run that ended well."""
    assert isinstance(events[-1], RunSucceeded), events[-1]
    return events[-1].outputs


async def bytes_of(run: Any, output: Output) -> bytes:
    """The file of an output."""
    return b"".join([chunk async for chunk in run.fetch(output)])


async def told(entry: dict[str, Any], *, request: GenerationRequest = REQUEST) -> list[RunEvent]:
    """A run that a server remembers so, taken up by a new process."""
    attempt = new_attempt()
    script = Script(queue=[NOWHERE], history=[{str(attempt.id): entry}])
    catalog = Catalog(node_classes=frozenset({"EmptyImage", "SaveImage", "PreviewImage"}))
    watched = Watched(url="http://gpu-1:8188", transport=script, catalog=catalog)
    async with watched.backend.open(attempt, request) as run:
        return await finish(run)


def success(outputs: dict[str, Any], *, graph: dict[str, Any] | None = None) -> dict[str, Any]:
    """An entry of a history."""
    prompt = [1, "", graph or {}, {}, []]
    return {"prompt": prompt, "outputs": outputs, "status": {"status_str": "success"}}


def file(name: str, *, kind: str = "output") -> dict[str, str]:
    return {"filename": name, "subfolder": "", "type": kind}


async def test_every_recorded_kind_of_output_is_brought_home() -> None:
    entry = json.loads((DATA / "history_output_kinds.json").read_text())

    outputs = succeeded(await told(entry))

    names = [output.filename.rpartition(".")[0] for output in outputs]
    assert names.count("adv_00001") == 1
    suffixes = sorted({"." + output.filename.rpartition(".")[2] for output in outputs})
    assert suffixes == [
        ".flac",
        ".latent",
        ".mp3",
        ".mp4",
        ".png",
        ".txt",
        ".webm",
        ".webp",
    ]
    assert not any("temp" in output.filename for output in outputs)
    keys = {(output.node_id, output.index) for output in outputs}
    assert len(keys) == len(outputs)
    # SaveText's text is in its file; PreviewAny's is nowhere else.
    assert [output.node_id for output in outputs if output.filename.endswith(".txt")] == [
        "12",
        "11",
    ]


async def test_videos_sounds_and_texts_of_one_custom_node_are_brought_home() -> None:
    mixed = {
        "gifs": [{**file("a.mp4"), "format": "video/h264-mp4", "frame_rate": 8.0}],
        "text": ["some text"],
        "audio": [file("a.flac")],
        "custom": [{"k": 1}],
        "images": [],
    }

    outputs = succeeded(await told(success({"9": mixed})))

    assert [output.filename for output in outputs] == ["a.mp4", "a.flac", "text.txt"]


@pytest.mark.parametrize(
    "outputs",
    [
        {"9": {"images": [file("t.png", kind="temp")], "animated": [False]}},
        {"9": {"a_images": [file("t.png", kind="temp")], "b_images": []}},
    ],
    ids=["preview", "comparison"],
)
async def test_previews_count_where_nothing_was_saved(outputs: dict[str, Any]) -> None:
    assert [output.filename for output in succeeded(await told(success(outputs)))] == ["t.png"]


async def test_outputs_come_in_the_order_of_the_graph_each_once() -> None:
    graph = {"1": PICTURE, "2": SAVE, "3": SAVE}
    outputs = {
        "3": {"images": [file("b.png"), file("b.png")]},
        "2": {"images": [file("a.png")], "gifs": [file("a.png")]},
    }

    ended = succeeded(await told(success(outputs, graph=graph)))

    assert [(each.node_id, each.index, each.filename) for each in ended] == [
        ("2", 0, "a.png"),
        ("3", 1, "b.png"),
    ]


async def test_a_branch_that_was_blocked_is_a_notice_not_a_failure() -> None:
    graph = {"1": PICTURE, "2": SAVE, "3": {**SAVE, "_meta": {"title": "Second"}}}
    entry = success({"2": {"images": [file("a.png")]}}, graph=graph)

    (end,) = await told(entry, request=given(graph))

    assert isinstance(end, RunSucceeded)
    assert len(end.outputs) == 1
    assert [notice.startswith("Second made nothing") for notice in end.notices] == [True]


async def test_a_run_that_made_nothing_at_all_failed() -> None:
    (end,) = await told(success({"9": {"images": []}}))

    assert isinstance(end, RunFailed)
    assert isinstance(end.error, BadOutputError)


async def test_pictures_sent_over_the_socket_alone_are_kept_until_fetched(farm: Farm) -> None:
    watched = await farm.connected()
    graph = {
        "1": PICTURE,
        "2": {"class_type": "SaveImageWebsocket", "inputs": {"images": ["1", 0]}},
    }

    async with watched.backend.open(new_attempt(), given(graph)) as run:
        await run.submit()
        outputs = succeeded(await finish(run))
        pictures = [await bytes_of(run, output) for output in outputs]

    assert len(outputs) == 4
    assert {output.node_id for output in outputs} == {"2"}
    for picture in pictures:
        with Pillow.open(io.BytesIO(picture)) as opened:
            assert (opened.format, opened.size) == ("PNG", (64, 48))


async def test_pictures_sent_while_nobody_listened_are_lost_and_said_to_be(farm: Farm) -> None:
    before, after = await farm.connected(), await farm.connected()
    attempt = new_attempt()
    graph = {
        "1": PICTURE,
        "2": {"class_type": "SaveImageWebsocket", "inputs": {"images": ["1", 0]}},
    }
    await run_through(before, attempt=attempt, request=given(graph))

    async with after.backend.open(attempt, given(graph)) as run:
        (end,) = await finish(run)

    assert isinstance(end, RunFailed)
    assert isinstance(end.error, BadOutputError)
    assert "over its connection alone" in end.error.message


VIDEO: dict[str, Any] = {
    "1": PICTURE,
    "2": {"class_type": "CreateVideo", "inputs": {"images": ["1", 0], "fps": 8.0}},
    "3": {
        "class_type": "SaveVideo",
        "inputs": {
            "video": ["2", 0],
            "filename_prefix": "x",
            "format": "auto",
            "codec": "auto",
            "format.codec": "auto",
        },
    },
    "4": SAVE,
}


async def test_several_files_of_several_nodes_are_found_again_by_name(farm: Farm) -> None:
    watched = await farm.connected()
    attempt = new_attempt()
    ended = succeeded(await run_through(watched, attempt=attempt, request=given(VIDEO)))
    await farm.fault(forget=True)

    async with watched.backend.open(attempt, given(VIDEO)) as run:
        found = succeeded(await finish(run))
        film = await bytes_of(run, found[0])

    assert found == ended
    assert [(each.node_id, each.index) for each in found] == [
        ("3", 0),
        ("4", 1),
        ("4", 2),
        ("4", 3),
        ("4", 4),
    ]
    with av.open(io.BytesIO(film)) as container:
        assert container.streams.video[0].frames == 4


async def test_a_text_becomes_a_file(farm: Farm) -> None:
    watched = await farm.connected()
    graph = {
        "1": PICTURE,
        "2": {"class_type": "PreviewAny", "inputs": {"source": "grüße\nworld"}},
        "3": SAVE,
    }

    async with watched.backend.open(new_attempt(), given(graph)) as run:
        await run.submit()
        outputs = succeeded(await finish(run))
        text = await bytes_of(run, outputs[-1])

    assert (outputs[-1].filename, text.decode()) == ("text.txt", "grüße\nworld")
    assert len(outputs) == 5


async def test_input_pictures_are_uploaded_first(farm: Farm, tmp_path: Path) -> None:
    (tmp_path / "abc.png").write_bytes(png(size=(64, 64)))
    watched = await farm.connected(inputs=lambda name: tmp_path / name)
    request = replace(REQUEST, preset="sd15-image", image="abc.png", denoise=0.5)

    outputs = succeeded(await run_through(watched, request=request))

    assert len(outputs) == 1
    uploaded = farm.home / "input" / "orchestrator_abc.png"
    assert uploaded.read_bytes() == png(size=(64, 64))


async def test_an_input_picture_that_is_gone_is_named(farm: Farm, tmp_path: Path) -> None:
    watched = await farm.connected(inputs=lambda name: tmp_path / name)
    request = replace(REQUEST, preset="sd15-image", image="abc.png", denoise=0.5)

    async with watched.backend.open(new_attempt(), request) as run:
        with pytest.raises(PromptRejectedError, match=r"abc\.png is gone"):
            await run.submit()

    assert (await farm.http.get("/demo/stats")).json()["prompts_received"] == []


async def test_what_is_replaced_to_run_there_is_told(farm: Farm) -> None:
    watched = await farm.connected()

    async with watched.backend.open(new_attempt(), replace(REQUEST, sampler="no_such")) as run:
        accepted = await run.submit()
        await finish(run)

    assert [notice for notice in accepted.notices if "no_such" in notice]


async def test_a_damaged_model_is_named(farm: Farm) -> None:
    watched = await farm.connected()
    await farm.fault(corrupt_checkpoint="demo_sdxl.safetensors")
    request = replace(REQUEST, checkpoint="demo_sdxl.safetensors")

    end = (await run_through(watched, request=request))[-1]

    assert isinstance(end, RunFailed)
    assert isinstance(end.error, CorruptModelError)
    assert end.error.model == "demo_sdxl.safetensors"


async def test_a_full_disk_there_is_told_from_ours(farm: Farm) -> None:
    watched = await farm.connected()
    await farm.fault(disk_full=True)

    end = (await run_through(watched))[-1]

    assert isinstance(end, RunFailed)
    assert isinstance(end.error, DiskFullError)


def _queue(attempt: Attempt, place: str) -> dict[str, Any]:
    return {**NOWHERE, f"queue_{place}": [[1, str(attempt.id), {"9": SAVE}, {}, []]]}


async def test_a_prompt_that_waits_there_has_not_started() -> None:
    attempt = new_attempt()
    looks: list[Any] = [_queue(attempt, "pending")] * 2 + [_queue(attempt, "running"), NOWHERE]
    entry = success({"9": {"images": [file("a.png")]}})
    script = Script(queue=looks, history=[{str(attempt.id): entry}])
    watched = Watched(url="http://gpu-1:8188", transport=script)

    async with watched.backend.open(attempt, REQUEST) as run:
        left = [(type(event), len(looks)) async for event in run.events()]

    assert left == [(RunStarted, 1), (RunSucceeded, 1)]
