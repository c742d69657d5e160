"""What the diagnostics page says about the set-up: settings in force, paths, what runs where."""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, cast

from pydantic import BaseModel, Field, SecretStr

from app.config import PREFIX, Settings
from app.health import Quarantine
from app.logs import Secrets
from app.models import BackendInfo, Catalog
from app.said import Said
from app.samples import disk_of
from app.submission import Wire
from app.views import Say

MAX_ROWS = 4000
_HIDDEN = "•••"


class SettingView(Wire):
    """One setting in force."""

    key: str
    value: str
    source: Literal["default", "environment", "file"]
    is_secret: bool = False


class PathView(Wire):
    """A folder or file that the app uses, and whether it can."""

    name: str
    path: str
    exists: bool
    is_writable: bool
    free_bytes: int | None
    total_bytes: int | None
    fix: str


class MatrixRow(Wire):
    """A model or node class, and the backends (by their place in `backends`) that have it."""

    kind: str  # the folder of a model, or "nodes"
    name: str
    on: list[int]
    quarantined: list[int] = Field(default_factory=list[int])


class Matrix(Wire):
    """What runs where, by the last catalog of each backend, also of those that are away."""

    backends: list[str]
    names: list[str]
    node_counts: list[int | None]
    """How many node classes each has; null: nobody has looked yet."""
    rows: list[MatrixRow]
    is_complete: bool = True


def settings_in_force(settings: Settings, *, secrets: Secrets) -> list[SettingView]:
    """Every setting; secrets only say whether they are set."""
    return [
        SettingView(
            key=".".join(path),
            value=_shown(value, secrets),
            source=_source(path, is_set=is_set),
            is_secret=isinstance(value, SecretStr) or "SecretStr" in annotation,
        )
        for path, value, is_set, annotation in _leaves(settings, ())
    ]


def _leaves(
    model: BaseModel, above: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], object, bool, str]]:
    for name, field in type(model).model_fields.items():
        value: object = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, (*above, name))
        else:
            # A section that is given in part counts as given whole, so the value must tell.
            is_set = value != field.get_default(call_default_factory=True)
            yield (*above, name), value, is_set, str(field.annotation)


def _shown(value: object, secrets: Secrets) -> str:
    match value:
        case None | () | "":
            return "–"
        case SecretStr():
            return _HIDDEN
        case tuple():
            parts = cast("Sequence[object]", value)
            return ", ".join(_shown(each, secrets) for each in parts)
        case dict():
            pairs = cast("Mapping[object, object]", value)
            return ", ".join(f"{key} {_shown(each, secrets)}" for key, each in pairs.items())
        case BaseModel():
            return secrets.hide(str(getattr(value, "id", "…")))
        case _:
            return secrets.hide(str(value))


def _source(path: Sequence[str], *, is_set: bool) -> Literal["default", "environment", "file"]:
    variables = {name.upper() for name in os.environ}
    if (
        f"{PREFIX}{'__'.join(path)}".upper() in variables
        or f"{PREFIX}{path[0]}".upper() in variables
    ):
        return "environment"
    return "file" if is_set else "default"


def check_paths(settings: Settings, *, say: Say) -> list[PathView]:
    """Every place the app keeps things in; touches the disk, so call it in a thread."""
    fix = say(Said("Make it writable, or choose another folder."))
    places = {
        "home": settings.home,
        "database": settings.database,
        "outputs": settings.outputs_dir,
        "thumbnails": settings.thumbnails_dir,
        "inputs": settings.inputs_dir,
        "wildcards": settings.wildcards_dir,
        "logs": settings.logs_dir,
    }
    return [_checked(name, path, fix) for name, path in places.items()]


def _checked(name: str, path: Path, fix: str) -> PathView:
    disk = disk_of(path)
    exists = path.exists()
    is_writable = _is_writable(path)
    return PathView(
        name=name,
        path=str(path),
        exists=exists,
        is_writable=is_writable,
        free_bytes=disk.free_bytes if disk else None,
        total_bytes=disk.total_bytes if disk else None,
        fix="" if is_writable else fix,
    )


def _is_writable(path: Path) -> bool:
    """Found by trying: permissions say little on network disks. Of what is missing: its parent."""
    folder = path if path.is_dir() else path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return not path.is_file() or os.access(path, os.W_OK)
    except OSError:
        return False


def matrix_of(
    fleet: Sequence[tuple[BackendInfo, Catalog | None]], *, quarantines: Sequence[Quarantine]
) -> Matrix:
    """Models × backends, and the node classes that only some ComfyUI servers have."""
    catalogs = [catalog for _, catalog in fleet]
    ids = [info.id for info, _ in fleet]
    having: dict[tuple[str, str], list[int]] = {}
    for index, catalog in enumerate(catalogs):
        for folder, name in _models(catalog):
            having.setdefault((folder, name), []).append(index)
    for name, indexes in _uneven_nodes(fleet).items():
        having["nodes", name] = indexes
    aside: dict[str, list[int]] = {}
    for each in quarantines:
        if each.backend_id in ids:
            aside.setdefault(each.subject, []).append(ids.index(each.backend_id))
    rows = [
        MatrixRow(kind=kind, name=name, on=on, quarantined=aside.get(name, []))
        for (kind, name), on in sorted(having.items(), key=_order)
    ]
    return Matrix(
        backends=ids,
        names=[info.name for info, _ in fleet],
        node_counts=[len(catalog.node_classes) if catalog else None for catalog in catalogs],
        rows=rows[:MAX_ROWS],
        is_complete=len(rows) <= MAX_ROWS,
    )


def _models(catalog: Catalog | None) -> Iterator[tuple[str, str]]:
    if catalog is not None:
        for folder, names in catalog.models.items():
            yield from ((folder, name) for name in names)


def _uneven_nodes(fleet: Sequence[tuple[BackendInfo, Catalog | None]]) -> dict[str, list[int]]:
    """Node classes that some have and some have not: what all have, nobody needs to look up."""
    known = [(index, catalog) for index, (_, catalog) in enumerate(fleet) if catalog is not None]
    servers = [(index, catalog) for index, catalog in known if catalog.node_classes]
    having: dict[str, list[int]] = {}
    for index, catalog in servers:
        for name in catalog.node_classes:
            having.setdefault(name, []).append(index)
    return {name: indexes for name, indexes in having.items() if len(indexes) < len(servers)}


def _order(item: tuple[tuple[str, str], list[int]]) -> tuple[int, str, str]:
    (kind, name), _ = item
    first = ("checkpoints", "diffusion_models", "unet", "loras", "vae", "controlnet")
    rank = first.index(kind) if kind in first else len(first) + (kind == "nodes")
    return rank, kind, name.lower()
