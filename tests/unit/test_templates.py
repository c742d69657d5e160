"""The official templates: found by words and kinds, read, and what they need."""

import json

import pytest

from app.errors import NotFoundError
from app.templates import ModelFile, Templates


async def test_every_template_of_the_index_can_be_read() -> None:
    templates = Templates()

    listed = await templates.list()

    assert len(listed) > 600
    assert len({each.name for each in listed}) == len(listed)
    first = json.loads(await templates.read(listed[0].name))
    assert first["nodes"]
    assert {each.media for each in listed} >= {"image", "video", "audio", "3d"}


async def test_templates_are_found_by_all_words_wherever_they_stand() -> None:
    found = await Templates().list(words="FLUX krea")

    assert found
    assert all("flux" in _said(each) and "krea" in _said(each) for each in found)
    assert not await Templates().list(words="no-such-word-anywhere")


async def test_category_media_and_tags_narrow_the_list_together() -> None:
    templates = Templates()
    videos = await templates.list(media="video")

    narrowed = await templates.list(category="Video", tags=["image to video"])

    assert narrowed
    assert {each.name for each in narrowed} < {each.name for each in videos}
    assert all("Image to Video" in each.tags for each in narrowed)


async def test_a_template_says_which_classes_and_files_a_backend_needs() -> None:
    needed = await Templates().requirements("image_qwen_image")

    # Of nodes inside subgraphs, too; what only exists while drawing is not asked for.
    assert "KSampler" in needed.classes
    assert not {"MarkdownNote", "Note", "Reroute"} & set(needed.classes)
    assert not any("-" in name and len(name) == 36 for name in needed.classes)
    files = {(each.folder, each.name) for each in needed.models}
    assert ("vae", "qwen_image_vae.safetensors") in files
    assert all(isinstance(each, ModelFile) and each.url for each in needed.models)
    assert needed.size > 1_000_000_000


async def test_paid_templates_are_known_as_such() -> None:
    listed = {each.name: each for each in await Templates().list()}

    assert listed["api_nano_banana_2_1_t2i"].is_paid
    assert not listed["image_qwen_image"].is_paid


@pytest.mark.parametrize("name", ["nothing_like_this", "../__init__", "index", "index.schema", ""])
async def test_only_names_of_the_index_can_be_read(name: str) -> None:
    with pytest.raises(NotFoundError):
        await Templates().read(name)


def _said(template: object) -> str:
    return str(template).casefold()
