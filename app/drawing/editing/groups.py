"""Frames around nodes."""

from dataclasses import replace

from app.drawing.diagram import Group
from app.drawing.editing import operations as ops
from app.drawing.editing.sheet import Sheet
from app.errors import InvalidRequestError
from app.said import Said

_MAX_GROUPS = 1_000


def add(sheet: Sheet, op: ops.GroupAdd) -> None:
    """Draw a frame behind the others."""
    if len(sheet.groups) >= _MAX_GROUPS:
        raise InvalidRequestError("ops", Said("There are too many groups."))
    number = max((each.id for each in sheet.groups), default=0) + 1
    group = Group(id=number, title=op.title, box=op.box, color=op.color)
    sheet.set_groups((*sheet.groups, group))


def edit(sheet: Sheet, op: ops.GroupEdit) -> None:
    """Change what is said of a frame."""
    if all(each.id != op.id for each in sheet.groups):
        raise InvalidRequestError("id", Said("The group is not there any more."))
    named = op.model_fields_set - {"op", "id"}
    changes = {name: getattr(op, name) for name in named}
    kept = {name: value for name, value in changes.items() if value is not None or name == "color"}
    sheet.set_groups(replace(each, **kept) if each.id == op.id else each for each in sheet.groups)


def remove(sheet: Sheet, op: ops.GroupRemove) -> None:
    """Take frames away."""
    sheet.set_groups(each for each in sheet.groups if each.id not in op.ids)
