"""Sentences for people that can still be translated: English text that remembers its template."""

from collections.abc import Sequence
from functools import reduce
from typing import Any, cast


class Said(str):
    """A sentence made of a template and values; it is its English text everywhere.

    `Said("Needs {file}; {backend} does not have it.", file=…, backend=…)` reads like any string,
    and whoever shows it to a user looks the template up in that user's language.
    """

    __slots__ = ("params", "template")
    template: str
    params: dict[str, Any]

    def __new__(cls, template: str, /, **params: Any) -> "Said":
        """Fill the template in."""
        said = super().__new__(cls, template.format(**params) if params else template)
        said.template = template
        said.params = params
        return said

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the sentence with its template."""
        return (_again, (self.template, self.params))


def listed(parts: Sequence[str]) -> str:
    """The parts, at least one, with commas between; each can still be translated."""

    def joined(first: str, second: str) -> str:
        return Said("{first}, {second}", first=first, second=second)

    return reduce(joined, parts)


def _again(template: str, params: dict[str, Any]) -> Said:
    return Said(template, **params)


def dump_said(text: str) -> str | dict[str, Any]:
    """The sentence as JSON that `load_said` reads back."""
    if not isinstance(text, Said):
        return text
    params = {name: _plain(value) for name, value in text.params.items()}
    return {"template": text.template, "params": params}


def load_said(value: str | dict[str, Any]) -> str:
    """What `dump_said` wrote."""
    if isinstance(value, str):
        return value
    params = {name: _plain_back(each) for name, each in value["params"].items()}
    return Said(value["template"], **params)


def _plain(value: Any) -> Any:
    if isinstance(value, Said):
        return dump_said(value)
    return value if isinstance(value, int | float | str) else str(value)


def _plain_back(value: Any) -> Any:
    return load_said(cast("dict[str, Any]", value)) if isinstance(value, dict) else value
