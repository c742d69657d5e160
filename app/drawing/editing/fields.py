"""The form that a workflow makes: which widgets it shows, and how."""

from dataclasses import replace

from app.drawing.diagram import Parameter
from app.drawing.editing import operations as ops
from app.drawing.editing.sheet import Sheet
from app.drawing.form.parameters import parameter_for
from app.errors import InvalidRequestError
from app.said import Said

_MAX_PARAMETERS = 200
_OPTIONAL = ("min", "max", "step")


def expose(sheet: Sheet, op: ops.Expose) -> None:
    """Put a widget on the form, behind the others; once is enough."""
    node = sheet.node(op.id)
    path, name = sheet.full_path(op.id), op.name
    if node.class_type in sheet.subgraphs and ":" in name:
        inner, _, name = name.rpartition(":")
        path = f"{path}:{inner}"
    if any(each.node == path and each.input == name for each in sheet.parameters):
        return
    if len(sheet.parameters) >= _MAX_PARAMETERS:
        raise InvalidRequestError(
            "ops", Said("A form may have {n} fields at most.", n=_MAX_PARAMETERS)
        )
    made = parameter_for(sheet.done(), path, name, schemas=sheet.schemas)
    sheet.set_parameters((*sheet.parameters, made))


def unexpose(sheet: Sheet, op: ops.Unexpose) -> None:
    """Take a field off the form; its value in the graph stays."""
    sheet.set_parameters(each for each in sheet.parameters if each.name != op.name)


def edit(sheet: Sheet, op: ops.ParameterEdit) -> None:
    """Change what is said of a field."""
    found = next((each for each in sheet.parameters if each.name == op.name), None)
    if found is None:
        raise InvalidRequestError("name", Said("The form has no field {name}.", name=op.name))
    changed = _changed(found, op.changes)
    others = [each.name for each in sheet.parameters if each is not found]
    if changed.name in others:
        raise InvalidRequestError(
            "name",
            Said("The form has a field {name} already.", name=changed.name),
            fix=Said("Choose another name."),
        )
    if changed.min is not None and changed.max is not None and changed.min > changed.max:
        raise InvalidRequestError(
            "min", Said("The least value of {name} is above its greatest.", name=changed.name)
        )
    sheet.set_parameters(changed if each is found else each for each in sheet.parameters)


def _changed(parameter: Parameter, changes: ops.ParameterChanges) -> Parameter:
    named = {name: getattr(changes, name) for name in changes.model_fields_set}
    if "choices" in named:
        named["choices"] = tuple(named["choices"] or ())
    kept = {key: value for key, value in named.items() if value is not None or key in _OPTIONAL}
    return replace(parameter, **kept)


def order(sheet: Sheet, op: ops.ParameterOrder) -> None:
    """Put the fields in order."""
    places = {name: place for place, name in enumerate(op.names)}
    sheet.set_parameters(
        sorted(sheet.parameters, key=lambda each: places.get(each.name, len(places)))
    )
