"""The gallery over HTTP."""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from app.ids import new_id
from tests.support.fakes import FakeBackend, info
from tests.support.http import Api, api, problem

GPU = {"backend": "gpu-1"}


def automatic() -> FakeBackend:
    """A backend that finishes everything at once."""
    return FakeBackend(info(), automatic=True)


async def pictures(app: Api, *prompts: str) -> list[dict[str, Any]]:
    """A finished picture for each prompt."""
    return [await app.picture(prompt, **GPU) for prompt in prompts]


async def listed(app: Api, **query: Any) -> list[str]:
    """The ids of the images of a list."""
    return [
        each["id"] for each in (await app.http.get("/api/images", params=query)).json()["images"]
    ]


async def test_a_picture_of_the_demo_engine_says_what_it_is(home: Path) -> None:
    async with api(home) as app:
        image = await app.picture("a red fox in the snow")
        alone = (await app.http.get(f"/api/images/{image['id']}")).json()

    assert alone == image
    assert (image["width"], image["height"], image["seed"]) == (64, 64, 7)
    assert (image["backend"], image["isDemo"], image["missing"]) == ("demo", True, False)
    assert image["prompt"] == "a red fox in the snow"
    assert image["url"] == f"/api/images/{image['id']}/file"
    assert image["downloadName"].endswith("_a-red-fox-in-the-snow_7.png")


async def test_the_file_is_byte_for_byte_the_one_on_disk_with_its_metadata(home: Path) -> None:
    async with api(home) as app:
        image = await app.picture()
        answer = await app.http.get(image["url"])
        on_disk = (app.services.settings.outputs_dir / image["file"]).read_bytes()

    assert answer.content == on_disk
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["etag"] == f'"{hashlib.sha256(on_disk).hexdigest()}"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].startswith("inline;")
    with Pillow.open(io.BytesIO(answer.content)) as picture:
        assert "prompt" in picture.info


async def test_a_download_has_a_name_that_says_what_it_is(home: Path) -> None:
    async with api(home, automatic()) as app:
        (image,) = await pictures(app, 'ثعلب "quoted"\n🦊')
        answer = await app.http.get(image["url"], params={"download": "true"})

    disposition = answer.headers["content-disposition"]
    assert disposition.startswith("attachment; filename*=utf-8''")
    assert disposition.isascii()
    assert "\n" not in disposition
    assert disposition.endswith(".png")


async def test_a_part_of_a_file_can_be_asked_for(home: Path) -> None:
    async with api(home, automatic()) as app:
        (image,) = await pictures(app, "a fox")
        whole = (await app.http.get(image["url"])).content
        part = await app.http.get(image["url"], headers={"range": "bytes=10-19"})
        rest = await app.http.get(image["url"], headers={"range": "bytes=-5"})
        outdated = await app.http.get(
            image["url"], headers={"range": "bytes=0-1", "if-range": '"old"'}
        )
        beyond = await app.http.get(image["url"], headers={"range": "bytes=999999-"})

    assert (part.status_code, part.content) == (206, whole[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole)}"
    assert (rest.status_code, rest.content) == (206, whole[-5:])
    assert (outdated.status_code, outdated.content) == (200, whole)
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == f"bytes */{len(whole)}"


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
@pytest.mark.parametrize("which", ["url", "thumbnailUrl"])
async def test_an_unchanged_file_is_304(home: Path, form: str, which: str) -> None:
    async with api(home, automatic()) as app:
        (image,) = await pictures(app, "a fox")
        etag = (await app.http.get(image[which])).headers["etag"]
        same = await app.http.get(image[which], headers={"if-none-match": form.format(etag)})
        other = await app.http.get(image[which], headers={"if-none-match": '"other"'})

    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["etag"] == etag
    assert other.status_code == 200


async def test_a_thumbnail_is_webp_and_comes_back_when_deleted(home: Path) -> None:
    async with api(home, automatic()) as app:
        (image,) = await pictures(app, "a fox")
        first = await app.http.get(image["thumbnailUrl"])
        for file in app.services.settings.thumbnails_dir.rglob("*.webp"):
            file.unlink()
        second = await app.http.get(image["thumbnailUrl"])

    assert first.headers["content-type"] == "image/webp"
    assert "immutable" in first.headers["cache-control"]
    assert second.content == first.content


async def test_a_file_deleted_by_hand_is_said_to_be_missing(home: Path) -> None:
    async with api(home, automatic()) as app:
        (image,) = await pictures(app, "a fox")
        (app.services.settings.outputs_dir / image["file"]).unlink()
        for file in app.services.settings.thumbnails_dir.rglob("*.webp"):
            file.unlink()
        record = (await app.http.get(f"/api/images/{image['id']}")).json()
        file = await app.http.get(image["url"])
        thumbnail = await app.http.get(image["thumbnailUrl"])
        archive = await app.http.post("/api/images/download", json={"ids": [image["id"]]})

    assert record["missing"] is True
    for answer in (file, thumbnail, archive):
        problem(answer, 404)


async def test_images_page_by_cursor_without_gap_or_repeat(home: Path) -> None:
    async with api(home, automatic()) as app:
        ids = [each["id"] for each in await pictures(app, *"abcde")]
        seen: list[str] = []
        cursor: str | None = None
        for number in range(3):
            query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
            answer = (await app.http.get("/api/images", params=query)).json()
            seen += [each["id"] for each in answer["images"]]
            cursor = answer["nextCursor"]
            await pictures(app, f"between {number}")

    assert seen == ids[::-1]
    assert cursor is None


async def test_images_are_filtered_and_counted(home: Path) -> None:
    async with api(home, automatic()) as app:
        fox, cat = await pictures(app, "a red fox 🦊", 'the "old" cat')
        total = (await app.http.get("/api/images", params={"q": "fox"})).json()["total"]
        day = fox["createdAt"][:10]

        assert await listed(app, q="fox") == [fox["id"]]
        assert await listed(app, q="🦊") == [fox["id"]]
        assert await listed(app, q='"old') == [cat["id"]]
        assert await listed(app, jobId=cat["jobId"]) == [cat["id"]]
        assert await listed(app, backend="gpu-9") == []
        assert await listed(app, **{"from": day, "to": day}) == [cat["id"], fox["id"]]
        assert await listed(app, to="2020-01-01") == []
        assert await listed(app, **{"from": "2020-01-01", "to": "9999-12-31"}) != []
    assert total == 1


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "cursor=x", "cursor=-1", "jobId=7", "from=yesterday", "to=2026-13-01"],
)
async def test_a_bad_query_names_its_field(home: Path, query: str) -> None:
    async with api(home, automatic()) as app:
        answer = await app.http.get(f"/api/images?{query}")

    assert problem(answer, 422)["errors"][0]["field"] == query.split("=")[0]


async def test_a_search_that_cannot_be_is_422(home: Path) -> None:
    async with api(home, automatic()) as app:
        long = await app.http.get("/api/images", params={"q": "x" * 501})
        nul = await app.http.get("/api/images", params={"q": "\x00"})

    problem(long, 422)
    problem(nul, 422)


async def test_the_outline_anchors_fit_the_pages(home: Path) -> None:
    async with api(home, automatic()) as app:
        await pictures(app, *"abc")
        outline = (await app.http.get("/api/images/outline")).json()
        filtered = (await app.http.get("/api/images/outline", params={"q": "zzz"})).json()

    assert (outline["total"], outline["step"], outline["anchors"]) == (3, 200, [None])
    assert filtered["total"] == 0
    assert filtered["rev"] != outline["rev"]


async def test_neighbours_in_the_list(home: Path) -> None:
    async with api(home, automatic()) as app:
        old, middle, new = [each["id"] for each in await pictures(app, *"abc")]
        beside = (await app.http.get(f"/api/images/{middle}/neighbours")).json()
        at_end = (await app.http.get(f"/api/images/{new}/neighbours")).json()

    assert beside == {"newer": new, "older": old}
    assert at_end == {"newer": None, "older": middle}


async def test_delete_and_restore_keep_file_and_place(home: Path) -> None:
    async with api(home, automatic()) as app:
        first, second = await pictures(app, "a", "b")
        deleted = await app.http.delete(f"/api/images/{first['id']}")
        again = await app.http.delete(f"/api/images/{first['id']}")
        without = await listed(app)
        file = await app.http.get(first["url"])
        restored = await app.http.post(f"/api/images/{first['id']}/restore")
        back = await listed(app)

    assert (deleted.status_code, again.status_code, file.status_code) == (204, 204, 200)
    assert without == [second["id"]]
    assert restored.json() == first
    assert back == [second["id"], first["id"]]


async def test_many_are_deleted_and_restored_at_once(home: Path) -> None:
    async with api(home, automatic()) as app:
        ids = [each["id"] for each in await pictures(app, *"abc")]
        unknown = str(new_id())
        deleted = await app.http.post("/api/images/delete", json={"ids": [*ids[:2], unknown]})
        again = await app.http.post("/api/images/delete", json={"ids": ids})
        restored = await app.http.post("/api/images/restore", json={"ids": ids[1:]})
        back = await listed(app)

    assert sorted(deleted.json()["ids"]) == sorted(ids[:2])
    assert again.json()["ids"] == [ids[2]]
    assert sorted(restored.json()["ids"]) == sorted(ids[1:])
    assert back == [ids[2], ids[1]]


async def test_a_zip_has_every_file_under_its_own_name(home: Path) -> None:
    async with api(home, automatic()) as app:
        images = await pictures(app, "a fox", "a fox", "ثعلب")
        ids = [each["id"] for each in images]
        answer = await app.http.post("/api/images/download", json={"ids": [*ids, str(new_id())]})
        contents = [(await app.http.get(each["url"])).content for each in images]

    assert answer.headers["content-type"] == "application/zip"
    assert "orchestrator-3-images.zip" in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert [archive.read(name) for name in names] == contents
    assert len(set(names)) == 3
    assert names[1] == names[0].replace(".png", "-2.png")


@pytest.mark.parametrize("path", ["download", "delete", "restore"])
@pytest.mark.parametrize("ids", [[], ["x"], "x", None, [1]])
async def test_a_bad_choice_of_images_is_422(home: Path, path: str, ids: object) -> None:
    async with api(home, automatic()) as app:
        answer = await app.http.post(f"/api/images/{path}", json={"ids": ids})

    assert problem(answer, 422)["errors"][0]["field"].startswith("ids")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/file"),
        ("GET", "/thumbnail"),
        ("GET", "/neighbours"),
        ("DELETE", ""),
        ("POST", "/restore"),
    ],
)
async def test_unknown_images_are_404(home: Path, method: str, path: str) -> None:
    async with api(home, automatic()) as app:
        answer = await app.http.request(method, f"/api/images/{new_id()}{path}")

    assert problem(answer, 404)["code"] == "not_found"


async def test_archive_for_a_form_is_the_same_zip(home: Path) -> None:
    async with api(home) as app:
        picture = await app.picture()
        answer = await app.http.post("/api/images/archive", data={"ids": picture["id"]})
        wrong = await app.http.post("/api/images/archive", data={"ids": "no-id"})

    assert answer.headers["content-type"] == "application/zip"
    assert answer.content.startswith(b"PK")
    assert problem(wrong, 422)["errors"][0]["field"] == "ids"
