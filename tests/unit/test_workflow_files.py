"""Workflows that people keep on their backends, and the picture that a workflow travels in."""

import io
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from app.drawing.diagram import Diagram, DiagramNode, Level, Link
from app.drawing.files.importing import MAX_BYTES
from app.errors import BackendUnreachableError, InvalidRequestError, NotFoundError
from app.fleet import Fleet
from app.models import BackendInfo
from app.runs import Forwarded
from app.templates import Templates
from app.workflow_files import WorkflowFiles
from data.cards import PngCards
from tests.support.fakes import FakeBackend, info
from tests.support.running import running

DRAWN = {"nodes": [{"id": 1, "type": "Note", "pos": [0, 0], "widgets_values": ["Hi"]}], "links": []}


class Shelf:
    """`app.runs.Proxy` to a server with these files."""

    def __init__(self, **files: bytes) -> None:
        self.files = files
        self.asked: list[tuple[str, str]] = []
        self.status = 200

    @asynccontextmanager
    async def forward(
        self,
        backend: BackendInfo,
        *,
        method: str,
        path: str,
        query: str,
        headers: Sequence[tuple[str, str]],
        body: AsyncIterator[bytes],
    ) -> AsyncGenerator[Forwarded]:
        """What it has there."""
        self.asked.append((path, query))
        data = self.files.get(path)
        status = self.status if data is not None or self.status != 200 else 404

        async def chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(data or b""), 2**20):
                yield (data or b"")[start : start + 2**20]

        yield Forwarded(status=status, headers=[], body=chunks())


@asynccontextmanager
async def files_with(home: Path, shelf: Shelf) -> AsyncGenerator[WorkflowFiles]:
    """The real library, and `gpu-1` with those files."""
    async with running(home, FakeBackend(info("gpu-1"))) as services:
        fleet: Fleet = services.fleet
        yield WorkflowFiles(
            workflows=services.workflows,
            known=services.known_nodes,
            templates=Templates(),
            fleet=fleet,
            proxy=shelf,
            images=None,  # type: ignore[arg-type]  # no picture is asked for
            files=None,  # type: ignore[arg-type]
            cards=PngCards(),
        )


@pytest.mark.parametrize("said", [b"{}", b"<html>", b"[" * 100_000, b"[1, null]"])
async def test_a_backend_that_talks_nonsense_keeps_nothing(home: Path, said: bytes) -> None:
    async with files_with(home, Shelf(userdata=said)) as files:
        assert await files.served("gpu-1") == []


async def test_what_people_keep_on_a_backend_is_listed_and_taken(home: Path) -> None:
    listed = ["b.json", "sub\\Ночь 1.json", "notes.txt", 3, ".index.json"]
    shelf = Shelf(
        **{
            "userdata": json.dumps(listed).encode(),
            "userdata/workflows%2Fsub%2F%D0%9D%D0%BE%D1%87%D1%8C%201.json": json.dumps(
                DRAWN
            ).encode(),
        }
    )
    async with files_with(home, shelf) as files:
        names = await files.served("gpu-1")
        taken = await files.take_served("gpu-1", "sub/Ночь 1.json")

        assert names == [".index.json", "b.json", "sub/Ночь 1.json"]
        assert shelf.asked[0] == ("userdata", "dir=workflows&recurse=true")
        assert (taken.workflow.name, taken.graph) == ("Ночь 1", None)
        with pytest.raises(NotFoundError):
            await files.take_served("gpu-1", "../../secret.json")
        with pytest.raises(NotFoundError):
            await files.served("gpu-2")


async def test_a_backend_that_refuses_or_says_too_much_leaves_the_library_as_it_is(
    home: Path,
) -> None:
    big: dict[str, Any] = {"userdata/workflows%2Fbig.json": b" " * (MAX_BYTES + 1)}
    shelf = Shelf(**big)
    async with files_with(home, shelf) as files:
        assert await files.served("gpu-1") == []
        with pytest.raises(InvalidRequestError, match="50 MB"):
            await files.take_served("gpu-1", "big.json")
        shelf.status = 500
        with pytest.raises(BackendUnreachableError):
            await files.served("gpu-1")


def test_the_card_shows_the_diagram_or_the_last_result_and_carries_the_texts(
    tmp_path: Path,
) -> None:
    nodes = {
        "1": DiagramNode(id="1", class_type="A", color="#ff0000"),
        "2": DiagramNode(id="2", class_type="B", pos=(900.0, 1e7), size=(0.0, 0.0), color="red;"),
    }
    links = {1: Link(id=1, source="1", output=0, target="2", input=0)}
    diagram = Diagram(root=Level(nodes=nodes, links=links))
    picture = tmp_path / "fox.png"
    Pillow.new("RGB", (32, 16), "red").save(picture)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"nothing")
    texts = {"workflow": '{"title": "Ночь"}'}

    for given, size in ((None, (1024, 640)), (picture, (32, 16)), (broken, (1024, 640))):
        made = PngCards().make(diagram, picture=given, texts=texts)
        with Pillow.open(io.BytesIO(made)) as read:
            assert (read.format, read.size, read.info["workflow"]) == (
                "PNG",
                size,
                texts["workflow"],
            )
    assert PngCards().make(Diagram(), picture=None, texts={}).startswith(b"\x89PNG")
