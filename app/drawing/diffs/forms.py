"""What is different between the forms of two versions of a workflow, in words."""

from collections.abc import Iterator, Sequence

from app.drawing.diagram import Parameter
from app.said import Said

_LIMITS = ("type", "min", "max", "step", "choices")
_WORDS = ("label", "help", "section")


def form_changes(old: Sequence[Parameter], new: Sequence[Parameter]) -> Iterator[str]:
    """The differences, for people."""
    before = {each.name: each for each in old}
    after = {each.name: each for each in new}
    for name, each in before.items():
        if name not in after:
            yield Said("{label} is no field of the form any more.", label=each.label)
    for name, each in after.items():
        was = before.get(name)
        if was is None:
            yield Said("{label} is a field of the form now.", label=each.label)
        elif was != each:
            yield from _changes(was, each)
    both = [name for name in after if name in before]
    if both != [name for name in before if name in after]:
        yield Said("The fields of the form are in another order.")


def _changes(old: Parameter, new: Parameter) -> Iterator[str]:
    if (old.node, old.input) != (new.node, new.input):
        yield Said("{label} sets another widget.", label=new.label)
    if any(getattr(old, each) != getattr(new, each) for each in _LIMITS):
        yield Said("{label} takes other values.", label=new.label)
    if any(getattr(old, each) != getattr(new, each) for each in _WORDS):
        yield Said("{label} reads differently in the form.", label=new.label)
