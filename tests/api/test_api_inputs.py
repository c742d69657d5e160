"""Pictures to start from, presets and prompts with alternatives, over HTTP."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.fakes import FakeBackend, info
from tests.support.http import Api, api, problem
from tests.support.pictures import claimed_png, png


@pytest.fixture
async def app(home: Path) -> AsyncGenerator[Api]:
    """The app, with one backend that finishes everything at once."""
    async with api(home, FakeBackend(info(), automatic=True)) as running:
        yield running


async def give(app: Api, data: bytes, *, field: str = "file") -> httpx.Response:
    """Send a picture as a form does."""
    return await app.http.post("/api/inputs", files={field: ("x.png", data, "image/png")})


async def test_a_picture_is_given_once_and_read_back(app: Api) -> None:
    given = await give(app, png(size=(80, 40)))
    again = await give(app, png(size=(80, 40)))

    answer = given.json()
    assert given.status_code == again.status_code == 201
    assert again.json() == answer
    assert (answer["width"], answer["height"]) == (80, 40)
    assert answer["url"] == f"/api/inputs/{answer['name']}"
    picture = await app.http.get(answer["url"])
    assert picture.content == png(size=(80, 40))
    assert picture.headers["content-type"] == "image/png"
    assert "immutable" in picture.headers["cache-control"]
    assert picture.headers["x-content-type-options"] == "nosniff"
    assert (await app.http.get(f"{answer['url']}/info")).json() == answer
    assert await app.services.inputs.read(answer["name"]) == picture.content


async def test_a_picture_may_be_larger_than_other_bodies(app: Api) -> None:
    large = png() + b" " * (11 * 2**20)  # decoders stop at the end of the picture

    assert (await give(app, large)).status_code == 201
    problem(await app.http.post("/api/inputs", content=b" " * (50 * 2**20 + 1)), 413)


async def test_a_picture_of_the_gallery_is_taken_by_its_id(app: Api) -> None:
    image = await app.picture(backend="gpu-1")

    answer = await app.http.post("/api/inputs", json={"imageId": image["id"]})

    assert answer.status_code == 201
    original = await app.http.get(image["url"])
    copy = await app.http.get(answer.json()["url"])
    assert copy.content == original.content


async def test_an_image_that_is_not_there_is_a_404(app: Api) -> None:
    body = {"imageId": "01a1fc41-54ea-777a-94be-1da39cfc7cb7"}

    problem(await app.http.post("/api/inputs", json=body), 404)


async def test_what_is_no_picture_is_refused(app: Api) -> None:
    broken = [b"", b"no picture", png()[:-20], claimed_png(9000, 9000)]

    answers = [problem(await give(app, data), 422) for data in broken]

    assert [each["errors"][0]["field"] for each in answers] == ["file"] * len(broken)


async def test_a_body_of_another_shape_is_refused(app: Api) -> None:
    bodies: list[dict[str, Any]] = [
        {"json": {}},
        {"json": {"imageId": "nonsense"}},
        {"content": b"{"},
        {"content": b""},
        {"files": {"another": ("x.png", b"x")}},
        {"data": {"file": "text"}, "files": {"other": b""}},
    ]

    answers = [await app.http.post("/api/inputs", **body) for body in bodies]

    assert [each.status_code for each in answers] == [422] * len(bodies)


async def test_only_names_of_pictures_lead_to_files(app: Api) -> None:
    names = ["x", "a" * 64 + ".png", "a" * 64 + ".svg", "..%2F..%2Fsession.key", "..%2Fin-use.lock"]

    answers = [await app.http.get(f"/api/inputs/{name}") for name in names]

    assert [each.status_code for each in answers] == [404] * len(names)


async def test_every_preset_tells_its_fields_and_where_it_runs(app: Api) -> None:
    answer = (await app.http.get("/api/presets")).json()

    presets = {each["id"]: each for each in answer["presets"]}
    assert {"text-to-image", "sdxl", "svd", "flux"} <= presets.keys()
    svd = presets["svd"]
    assert svd["needsImage"]
    assert [each["name"] for each in svd["options"]][:2] == ["frames", "fps"]
    (gpu,) = svd["backends"]
    assert (gpu["id"], gpu["runs"]) == ("gpu-1", False)
    assert "node class SVD_img2vid_Conditioning" in gpu["missing"]
    assert presets["flux"]["paid"]
    assert presets["flux"]["backends"] == []


async def test_alternatives_are_previewed_with_the_wildcards_there_are(app: Api) -> None:
    folder = app.services.settings.wildcards_dir
    folder.mkdir()
    (folder / "colors.txt").write_text("red\nblue\n", encoding="utf-8")

    answer = await app.http.post("/api/prompts/preview", json={"prompt": "__colors__ {fox|owl}"})

    assert answer.status_code == 200
    assert answer.json()["wildcards"] == ["colors"]
    assert set(answer.json()["prompts"]) == {"red fox", "blue fox", "red owl", "blue owl"}


async def test_a_mistake_in_a_prompt_is_named(app: Api) -> None:
    bodies = [b'{"prompt": "{a|b"}', b'{"prompt": "__nothing__"}', b'{"prompt": "\\ud800"}']
    headers = {"Content-Type": "application/json"}
    path = "/api/prompts/preview"

    answers = [
        problem(await app.http.post(path, content=body, headers=headers), 422) for body in bodies
    ]

    assert [each["errors"][0]["field"] for each in answers] == ["prompt"] * len(bodies)
