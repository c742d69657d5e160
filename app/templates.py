"""The official workflow templates of ComfyUI, from the package that brings them along.

Their titles and descriptions are theirs; nothing here goes over the network.
"""

import asyncio
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, cast

from app.drawing.diagram import VIRTUAL
from app.errors import NotFoundError
from app.said import Said

_PACKAGE = "comfyui_workflow_templates_json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """What the index says of a template."""

    name: str
    title: str
    description: str
    category: str
    media: str  # of its category: "image", "video", "audio", "3d", "llm"
    tags: tuple[str, ...] = ()
    models: tuple[str, ...] = ()  # families, for people: "Flux.2", "Qwen-Image"
    size: int = 0  # of its model files together, in bytes; 0: unknown or none
    min_version: str = ""  # of ComfyUI
    date: str = ""
    is_paid: bool = False  # its nodes call paid services

    def matches(self, words: str) -> bool:
        """Whether each of the words is somewhere in what is said of it."""
        text = " ".join(
            (self.name, self.title, self.description, self.category, *self.tags, *self.models)
        ).casefold()
        return all(word in text for word in words.casefold().split())


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ModelFile:
    """A file that a template wants."""

    folder: str  # below `models`
    name: str
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What a backend needs to run a template."""

    classes: tuple[str, ...]
    models: tuple[ModelFile, ...]
    min_version: str = ""
    size: int = 0


class Templates:
    """Reads them when they are asked for; the package never changes while we run."""

    async def list(
        self,
        *,
        words: str = "",
        category: str | None = None,
        media: str | None = None,
        tags: Collection[str] = (),
    ) -> tuple[Template, ...]:
        """The templates that match all that is given, in the order of the index."""
        wanted = frozenset(tag.casefold() for tag in tags)
        return tuple(
            each
            for each in (await asyncio.to_thread(_index)).values()
            if each.matches(words)
            and category in (None, each.category)
            and media in (None, each.media)
            and wanted <= {tag.casefold() for tag in each.tags}
        )

    async def get(self, name: str) -> Template:
        """What the index says of a template.

        Raises:
            NotFoundError: there is none of that name.
        """
        found = (await asyncio.to_thread(_index)).get(name)
        if found is None:
            raise NotFoundError(
                Said("There is no template {name}.", name=name),
                fix=Said("Choose one of the list."),
            )
        return found

    async def read(self, name: str) -> bytes:
        """The file of a template.

        Raises:
            NotFoundError: there is none of that name.
        """
        # Only names of the index: whoever asks cannot reach other files.
        template = await self.get(name)
        return await asyncio.to_thread(_file(f"{template.name}.json").read_bytes)

    async def requirements(self, name: str) -> Requirements:
        """What a backend needs for it.

        Raises:
            NotFoundError: there is none of that name.
        """
        template = await self.get(name)
        classes, models = await asyncio.to_thread(_needs, template.name)
        return Requirements(
            classes=classes, models=models, min_version=template.min_version, size=template.size
        )


@cache
def _index() -> Mapping[str, Template]:
    found: dict[str, Template] = {}
    for category in _dicts(json.loads(_file("index.json").read_bytes())):
        for entry in _dicts(category.get("templates")):
            template = _template(entry, category=category)
            if template.name not in found and _file(f"{template.name}.json").is_file():
                found[template.name] = template
    return found


def _template(entry: Mapping[str, Any], *, category: Mapping[str, Any]) -> Template:
    size = entry.get("size")
    tags = _words(entry.get("tags"))
    return Template(
        name=str(entry.get("name") or ""),
        title=str(entry.get("title") or entry.get("name") or ""),
        description=str(entry.get("description") or ""),
        category=str(category.get("title") or ""),
        media=str(category.get("type") or ""),
        tags=tags,
        models=_words(entry.get("models")),
        size=int(size) if isinstance(size, int | float) else 0,
        min_version=str(entry.get("minComfyUIVersion") or ""),
        date=str(entry.get("date") or ""),
        is_paid="API" in tags,
    )


@cache
def _needs(name: str) -> tuple[tuple[str, ...], tuple[ModelFile, ...]]:
    document = json.loads(_file(f"{name}.json").read_bytes())
    subgraphs = _dicts(_dict(document.get("definitions")).get("subgraphs"))
    drawn = VIRTUAL | {str(each.get("id")) for each in subgraphs}
    classes: set[str] = set()
    models: dict[tuple[str, str], ModelFile] = {}
    for node in _nodes(document):
        class_type = str(node.get("type"))
        if class_type in drawn:
            continue
        classes.add(class_type)
        for file in _dicts(_dict(node.get("properties")).get("models")):
            model = ModelFile(
                folder=str(file.get("directory") or ""),
                name=str(file.get("name") or ""),
                url=str(file.get("url") or ""),
            )
            models.setdefault((model.folder, model.name), model)
    return tuple(sorted(classes)), tuple(sorted(models.values()))


def _nodes(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from _dicts(document.get("nodes"))
    for subgraph in _dicts(_dict(document.get("definitions")).get("subgraphs")):
        yield from _dicts(subgraph.get("nodes"))


def _file(name: str) -> Traversable:
    return resources.files(_PACKAGE) / "templates" / name


def _dict(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        return []
    return [each for each in cast("list[Any]", value) if isinstance(each, dict)]


def _words(value: Any) -> tuple[str, ...]:
    return tuple(str(each) for each in cast("list[Any]", value)) if isinstance(value, list) else ()
