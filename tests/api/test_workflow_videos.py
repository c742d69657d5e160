"""Videos and sounds to start from: given, looked at, put into saved workflows, and run."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image as Pillow

from tests.api.test_workflows import run, taken
from tests.support.http import Api, api, problem
from tests.support.media import SIZE, sound, video
from tests.support.pictures import png
from tests.support.running import until

GRAPH: dict[str, Any] = {
    "1": {"class_type": "LoadVideo", "inputs": {"file": "clip.mp4"}},
    "2": {"class_type": "GetVideoComponents", "inputs": {"video": ["1", 0]}},
    "3": {"class_type": "ImageInvert", "inputs": {"image": ["2", 0]}},
    "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 0], "filename_prefix": "x"}},
    "5": {"class_type": "LoadAudio", "inputs": {"audio": "voice.flac"}},
    "6": {"class_type": "SaveAudio", "inputs": {"audio": ["5", 0], "filename_prefix": "y"}},
}
FRAMES = 16  # of the video that tests make


@pytest.fixture
async def app(home: Path) -> AsyncIterator[Api]:
    """The app with the demo engine, whose nodes are known."""
    async with api(home) as running:
        known = running.services.known_nodes
        await until(running.services, lambda: known.schemas.get("LoadVideo") is not None)
        yield running


async def give(app: Api, data: bytes, *, name: str = "x.mp4") -> httpx.Response:
    """Send a file as a form does."""
    return await app.http.post("/api/inputs", files={"file": (name, data)})


async def given(app: Api, data: bytes) -> str:
    """The name of a file that was sent."""
    answer = await give(app, data)
    assert answer.status_code == 201, answer.text
    return answer.json()["name"]


MEDIA = [
    ("mp4", "video/mp4", lambda: video()),
    ("webm", "video/webm", lambda: video(suffix=".webm", codec="libvpx-vp9")),
    ("mov", "video/quicktime", lambda: video(suffix=".mov")),
    ("mkv", "video/x-matroska", lambda: video(suffix=".mkv")),
    ("flac", "audio/flac", lambda: sound(seconds=1.5)),
]


async def test_a_video_is_given_whatever_it_is_called_and_read_back_in_parts(app: Api) -> None:
    for suffix, mime, make in MEDIA:
        answer = (await give(app, make(), name="no-name")).json()
        part = await app.http.get(answer["url"], headers={"Range": "bytes=4-11"})

        assert answer["name"].endswith(f".{suffix}")
        assert (answer["mime"], answer["kind"]) == (mime, mime.partition("/")[0])
        assert answer["durationSeconds"] == pytest.approx(2 if "video" in mime else 1.5, abs=0.2)
        assert (part.status_code, part.content) == (206, make()[4:12])
        assert part.headers["content-type"] == mime
        if answer["kind"] == "video":
            assert (answer["width"], answer["height"]) == SIZE
            first = await app.http.get(answer["thumbnailUrl"])
            assert Pillow.open(io.BytesIO(first.content)).size == SIZE
        else:
            assert answer["thumbnailUrl"] is None
            problem(await app.http.get(f"{answer['url']}/thumbnail"), 404)


async def test_what_only_looks_like_a_video_is_refused(app: Api) -> None:
    playlist = b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"
    broken = [
        (video()[:9000], "damaged"),
        (video(options={"movflags": "faststart"})[:20_000], "damaged"),
        (video()[:40] + b"\0" * 500, "damaged"),
        (sound(seconds=1)[:300], "damaged"),
        (playlist, "not a picture, a video or a sound"),
        (b"\0\0\0\x20ftypavif" + b"\0" * 90, "not a picture"),
        (b"glTF\x02\0\0\0\xff\0\0\0", "damaged"),
    ]
    for data, told in broken:
        (error,) = problem(await give(app, data), 422)["errors"]
        assert error["field"] == "file"
        assert told in error["message"]


async def test_a_workflow_runs_with_the_video_and_the_sound_of_the_request(app: Api) -> None:
    workflow_id = await taken(app, name="Invert", graph=GRAPH)
    full = (await app.http.get(f"/api/workflows/{workflow_id}")).json()

    job_id = await run(
        app,
        workflow_id,
        video=await given(app, video()),
        audio=await given(app, sound(seconds=1.5)),
    )

    listed = await app.http.get("/api/images", params={"jobId": str(job_id)})
    kinds = [each["kind"] for each in listed.json()["images"]]
    (heard,) = (each for each in listed.json()["images"] if each["kind"] == "audio")
    assert {each["name"]: each["type"] for each in full["parameters"]}.items() >= {
        ("video", "video"),
        ("audio", "audio"),
    }
    assert kinds.count("image") == FRAMES
    assert heard["durationSeconds"] == pytest.approx(1.5, abs=0.1)


async def test_a_file_that_nobody_has_is_refused_by_its_parameter(app: Api) -> None:
    empty = {**GRAPH, "1": {"class_type": "LoadVideo", "inputs": {"file": ""}}}
    workflow_id = await taken(app, graph=empty)
    video_there = await given(app, video())
    refused = [
        ({"video": f"{'0' * 64}.mp4"}, "video", "no input file"),
        ({"video": "nowhere.mp4"}, "video", "No known backend has the file nowhere.mp4"),
        ({"video": await given(app, png())}, "video", "video is wanted"),
        ({"video": video_there, "audio": video_there}, "audio", "sound is wanted"),
        ({"video": 3}, "video", "text"),
        ({"video": "", "audio": "voice.flac"}, "video", "needs a file"),
    ]
    for parameters, name, told in refused:
        body = {"workflow_id": workflow_id, "parameters": parameters, "backend_id": "demo"}
        (error,) = problem(await app.http.post("/api/job", json=body), 422)["errors"]
        assert error["field"] == f"parameters.{name}"
        assert told in error["message"]


async def test_a_video_of_the_gallery_is_taken_by_its_id(app: Api) -> None:
    graph = {
        "1": GRAPH["1"],
        "2": {
            "class_type": "SaveVideo",
            "inputs": {
                "video": ["1", 0],
                "filename_prefix": "x",
                "format": "mp4",
                "format.codec": "h264",
            },
        },
    }
    workflow_id = await taken(app, graph=graph)
    job_id = await run(app, workflow_id, video=await given(app, video()))
    listed = await app.http.get("/api/images", params={"jobId": str(job_id)})
    (made,) = listed.json()["images"]

    copy = await app.http.post("/api/inputs", json={"imageId": made["id"]})

    assert (copy.status_code, copy.json()["kind"]) == (201, "video")
    original = await app.http.get(made["url"])
    assert (await app.http.get(copy.json()["url"])).content == original.content
