"""The node classes that the backends have, also those of backends that are away."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Any, cast

from app.drawing.schema import InputSpec, NodeSchema, Schemas, read_schema
from app.fleet import Fleet
from app.models import Catalog

_PARSED = 8192  # schemas kept: some hundred classes in a few versions each


class KnownNodes:
    """What `/object_info` of every backend says, read once for all that say the same."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._seen: tuple[tuple[str, Catalog], ...] = ()
        self._union = _Union(())
        self._own: dict[str, _Union] = {}
        self.rev = 0
        """Grows whenever the classes may have changed."""

    @property
    def schemas(self) -> Schemas:
        """The classes that any backend has; choices are those of all of them together."""
        self._look()
        return self._union

    def of(self, backend_id: str) -> Schemas:
        """The classes of one backend; none while nothing is known of it."""
        self._look()
        return self._own.get(backend_id) or _Union(())

    def has(self, backend_id: str, class_type: str) -> bool:
        """Whether that backend has the class, as far as is known."""
        self._look()
        own = self._own.get(backend_id)
        return own is not None and class_type in own.names

    def classes(self) -> Sequence[NodeSchema]:
        """All of them, by name."""
        self._look()
        found = (self._union.get(name) for name in sorted(self._union.names))
        return [each for each in found if each is not None]

    def backends_of(self, class_type: str) -> list[str]:
        """The backends that have the class."""
        self._look()
        return [backend_id for backend_id, own in self._own.items() if class_type in own.names]

    def _look(self) -> None:
        """Notice catalogs that were read anew; quick when none was."""
        seen = self._catalogs()
        if len(seen) == len(self._seen) and all(
            now[0] == then[0] and now[1] is then[1]
            for now, then in zip(seen, self._seen, strict=True)
        ):
            return
        self._seen = seen
        self._own = {backend_id: _Union((catalog.specs,)) for backend_id, catalog in seen}
        self._union = _Union(tuple(catalog.specs for _, catalog in seen))
        self.rev += 1

    def _catalogs(self) -> tuple[tuple[str, Catalog], ...]:
        # The demo engine last: where a real server describes the class, that counts.
        infos = sorted(self._fleet.infos(), key=lambda info: info.is_demo)
        found = ((info.id, self._fleet.status(info.id).catalog) for info in infos)
        return tuple((each, catalog) for each, catalog in found if catalog and catalog.specs)


def schema_of(catalog: Catalog, class_type: str) -> NodeSchema | None:
    """A node class as that catalog has it; None where it says nothing of it."""
    spec = catalog.specs.get(class_type)
    return None if spec is None else _parsed(class_type, spec)


class _Union:
    """`Schemas` of several servers: the first describes the class, choices come from all."""

    def __init__(self, specs: Sequence[Mapping[str, str]]) -> None:
        self._specs = specs
        self._merged: dict[str, NodeSchema | None] = {}

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(name for each in self._specs for name in each)

    def get(self, class_type: str, /) -> NodeSchema | None:
        if class_type not in self._merged:
            told = dict.fromkeys(each[class_type] for each in self._specs if class_type in each)
            self._merged[class_type] = _merged([_parsed(class_type, spec) for spec in told])
        return self._merged[class_type]


@lru_cache(maxsize=_PARSED)
def _parsed(class_type: str, spec: str) -> NodeSchema:
    entry: Any = json.loads(spec)
    return read_schema(class_type, cast("dict[str, Any]", entry) if isinstance(entry, dict) else {})


def _merged(schemas: Sequence[NodeSchema]) -> NodeSchema | None:
    if not schemas:
        return None
    first, *others = schemas
    if not others:
        return first
    inputs = [
        _with_choices(
            each, [found for other in others if (found := other.input(each.name)) is not None]
        )
        for each in first.inputs
    ]
    return replace(first, inputs=tuple(inputs))


def _with_choices(spec: InputSpec, others: Sequence[InputSpec]) -> InputSpec:
    """The input, offering also what other servers offer there."""
    if not any(each.choices for each in others):
        return spec
    # Choices may be of any JSON type, also of those that have no hash.
    offered: dict[str, Any] = {}
    children = dict(spec.children)
    for each in (spec, *others):
        for choice in each.choices:
            offered.setdefault(json.dumps(choice, sort_keys=True), choice)
        children = {**each.children, **children}
    return replace(spec, choices=tuple(offered.values()), children=children)
