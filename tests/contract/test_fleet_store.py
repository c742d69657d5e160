"""The store of the backends added while running, and of what each can do."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from app.fleet import KeptCatalog
from app.models import BackendInfo, Catalog
from data.database import Database
from data.fleet import SqlFleetStore
from data.tables import node_spec
from tests.support.fakes import FakeClock

TOWER = BackendInfo(
    id="tower",
    name="Tower",
    kind="comfyui",
    url="http://10.0.0.5:8188",
    enabled=False,
    capabilities=("sdxl",),
    tags=("fast", "ночь"),
    max_concurrent_jobs=2,
    origin="page",
)


@pytest.fixture
def store(database: Database, clock: FakeClock) -> SqlFleetStore:
    """On a fresh database."""
    return SqlFleetStore(database, clock=clock)


async def test_backends_come_back_as_they_were_saved_oldest_first(
    store: SqlFleetStore, clock: FakeClock
) -> None:
    logged = await store.save(TOWER, event="backend.added")
    clock.advance(1)
    other = replace(TOWER, id="attic", enabled=True)
    await store.save(other, event="backend.added")

    assert await store.backends() == [TOWER, other]
    assert (logged.type, logged.subject) == ("backend.added", "tower")


async def test_an_edited_backend_keeps_its_place(store: SqlFleetStore, clock: FakeClock) -> None:
    await store.save(TOWER, event="backend.added")
    clock.advance(1)
    await store.save(replace(TOWER, id="attic"), event="backend.added")
    clock.advance(1)
    edited = replace(TOWER, name="Tower 2", tags=())
    await store.save(edited, event="backend.edited")

    assert [each.name for each in await store.backends()] == ["Tower 2", "Tower"]


async def test_a_catalog_comes_back_whole_and_goes_with_its_backend(
    store: SqlFleetStore, clock: FakeClock
) -> None:
    catalog = Catalog(
        node_classes=frozenset({"KSampler", "LoadImage"}),
        models={"checkpoints": ("sdxl/base.safetensors",), "loras": ()},
        embeddings=("bad-hands",),
        samplers=("euler", "dpmpp_2m"),
        schedulers=("karras",),
        read_at=clock.now(),
    )
    await store.save(TOWER, event="backend.added")
    await store.keep_catalog(
        "tower", KeptCatalog(url="http://old", catalog=catalog), at=clock.now()
    )
    await store.keep_catalog("tower", KeptCatalog(url=TOWER.url, catalog=catalog), at=clock.now())

    kept = (await store.catalogs())["tower"]
    assert kept.url == TOWER.url
    for name in ("node_classes", "models", "embeddings", "samplers", "schedulers", "read_at"):
        assert getattr(kept.catalog, name) == getattr(catalog, name), name

    await store.remove("tower")
    assert await store.catalogs() == {}
    assert await store.backends() == []


async def test_what_servers_say_of_their_node_classes_is_kept_once_and_forgotten_in_time(
    store: SqlFleetStore, clock: FakeClock, database: Database
) -> None:
    specs = {"KSampler": '{"input":{}}', "LoadImage": '{"output":["IMAGE"]}'}
    catalog = Catalog(node_classes=frozenset(specs), specs=specs)

    async def keep(backend_id: str, catalog: Catalog) -> None:
        kept = KeptCatalog(url=TOWER.url, catalog=catalog)
        await store.keep_catalog(backend_id, kept, at=clock.now())

    async def rows() -> list[str]:
        async with database.read() as connection:
            return sorted((await connection.execute(select(node_spec.c.spec))).scalars())

    await keep("tower", catalog)
    await keep("attic", catalog)
    both = await store.catalogs()
    assert both["tower"].catalog.specs == both["attic"].catalog.specs == specs
    assert both["tower"].catalog.specs["KSampler"] is both["attic"].catalog.specs["KSampler"]
    assert await rows() == sorted(specs.values())

    newer = {**specs, "LoadImage": '{"output":["IMAGE","MASK"]}'}
    await keep("tower", replace(catalog, specs=newer))
    assert await rows() == sorted({*specs.values(), *newer.values()})
    await keep("attic", replace(catalog, specs=newer))
    assert await rows() == sorted(newer.values())
    assert (await store.catalogs())["attic"].catalog.specs == newer
