"""What all backends together can do, and each of them, also those that are away."""

import json
from pathlib import Path
from typing import Any

from app.models import Catalog
from backends.comfyui.catalog import parse_catalog
from tests.support.fakes import FakeBackend, info
from tests.support.running import running, until


def a_catalog(**classes: dict[str, Any]) -> Catalog:
    """As it is read from a server with these classes."""
    return parse_catalog(json.dumps(classes).encode())


def loader(*names: str, **more: Any) -> dict[str, Any]:
    """A class that chooses one of the files."""
    return {"input": {"required": {"name": [list(names)]}}, "display_name": "Loader", **more}


def choices(schema: Any) -> tuple[Any, ...]:
    """What the loader offers."""
    return schema.inputs[0].choices


def test_servers_that_say_the_same_share_one_text() -> None:
    one, other = a_catalog(A=loader("a")), a_catalog(A=loader("a"), B=loader())

    assert one.specs["A"] is other.specs["A"]
    assert not one.tells_the_same(other)
    assert one.tells_the_same(a_catalog(A=loader("a")))


def test_the_inputs_keep_the_order_that_an_old_server_only_says_by_writing_it() -> None:
    entry = {"input": {"required": {"z": ["INT"], "a": ["INT"], "m": ["INT"]}}}

    assert list(json.loads(a_catalog(A=entry).specs["A"])["input"]["required"]) == ["z", "a", "m"]


async def test_the_first_server_describes_a_class_and_all_of_them_offer_their_files(
    home: Path,
) -> None:
    one, two = FakeBackend(info("gpu-1")), FakeBackend(info("gpu-2"), online=False)
    one.becomes(catalog=a_catalog(Load=loader("a", "b"), Only1=loader()))
    two.becomes(catalog=a_catalog(Load=loader("b", "c", display_name="Old"), Only2=loader("x")))
    async with running(home, one, two) as services:
        known = services.known_nodes
        await until(services, lambda: known.schemas.get("Only2") is not None)
        found = known.schemas.get("Load")
        assert found is not None
        assert (found.name, choices(found)) == ("Loader", ("a", "b", "c"))
        assert choices(known.of("gpu-2").get("Load")) == ("b", "c")
        assert known.of("gpu-1").get("Only2") is None
        assert known.of("nobody").get("Load") is None
        assert [each.class_type for each in known.classes()] == ["Load", "Only1", "Only2"]
        assert known.backends_of("Load") == ["gpu-1", "gpu-2"]
        assert known.backends_of("Only2") == ["gpu-2"]

        before = known.rev
        assert known.schemas.get("Load") is found
        one.becomes(catalog=a_catalog(Load=loader("d")))
        assert choices(known.schemas.get("Load")) == ("d", "b", "c")
        assert known.rev > before
