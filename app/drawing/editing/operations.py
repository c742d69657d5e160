"""What people do to a drawn workflow, as the browser sends it: one small model per deed.

They say what was done, not whether it fits: that is what `app.drawing.editing.applying` looks at.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from app.drawing.diagram import ParameterType
from app.drawing.untrusted import tidied
from app.errors import InvalidRequestError
from app.said import Said

MAX_IDS = 10_000
MAX_OPERATIONS = 1_000
_FAR = 1e7  # pixels: further out nothing can be found again

Name = Annotated[str, Field(max_length=1_000)]
Id = Annotated[str, Field(max_length=100, pattern=r"^-?[0-9]+$")]
Ids = Annotated[list[Id], Field(min_length=1, max_length=MAX_IDS)]
Coordinate = Annotated[float, Field(ge=-_FAR, le=_FAR, allow_inf_nan=False)]
Length = Annotated[float, Field(ge=0, le=_FAR, allow_inf_nan=False)]
Index = Annotated[int, Field(ge=0, le=10_000)]
Point = tuple[Coordinate, Coordinate]
Size = tuple[Length, Length]
Frame = tuple[Coordinate, Coordinate, Length, Length]
Color = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{3,8}$")]
Title = Annotated[str, Field(max_length=500)]
Output = tuple[Id, Index]
Input = tuple[Id, Name]


class _Operation(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class NewLink(_Operation):
    """What a new node is linked with at once: an output before it, or an input behind it."""

    source: Output | None = Field(default=None, alias="from")
    target: Input | None = Field(default=None, alias="to")


class Add(_Operation):
    """Put a node of a class somewhere."""

    op: Literal["add"]
    class_type: Name = Field(alias="class", min_length=1)
    pos: Point
    values: dict[Name, Any] = {}
    link: NewLink | None = None


class Remove(_Operation):
    """Take nodes away, with their links."""

    op: Literal["remove"]
    ids: Ids


class Move(_Operation):
    """Put nodes elsewhere."""

    op: Literal["move"]
    places: Annotated[dict[Id, Point], Field(min_length=1, max_length=MAX_IDS)]


class Resize(_Operation):
    """Make a node larger or smaller."""

    op: Literal["resize"]
    id: Id
    size: Size


class Value(_Operation):
    """Set a widget."""

    op: Literal["value"]
    id: Id
    name: Name
    value: Any


class Retitle(_Operation):
    """Call a node something else; without a title it is called as its class."""

    op: Literal["title"]
    id: Id
    title: Title | None = None


class SetMode(_Operation):
    """Mute nodes, bypass them, or let them take part again."""

    op: Literal["mode"]
    ids: Ids
    mode: Literal["active", "muted", "bypassed"]


class Collapse(_Operation):
    """Show only the heads of nodes, or all of them."""

    op: Literal["collapse"]
    ids: Ids
    collapsed: bool


class SetColor(_Operation):
    """Colour the heads of nodes; None: as they are by themselves."""

    op: Literal["color"]
    ids: Ids
    color: Color | None = None


class Connect(_Operation):
    """Feed an input, whatever fed it before."""

    op: Literal["connect"]
    source: Output = Field(alias="from")
    target: Input = Field(alias="to")


class Disconnect(_Operation):
    """Take links away."""

    op: Literal["disconnect"]
    links: Annotated[list[int], Field(min_length=1, max_length=10 * MAX_IDS)]


class GroupAdd(_Operation):
    """Draw a frame."""

    op: Literal["group.add"]
    title: Title
    box: Frame
    color: Color | None = None


class GroupEdit(_Operation):
    """Change a frame; what is left out stays."""

    op: Literal["group.edit"]
    id: int
    title: Title | None = None
    box: Frame | None = None
    color: Color | None = None


class GroupRemove(_Operation):
    """Take frames away; the nodes in them stay."""

    op: Literal["group.remove"]
    ids: Annotated[list[int], Field(min_length=1, max_length=MAX_IDS)]


class Paste(_Operation):
    """Put copies of what was copied somewhere, perhaps from another workflow."""

    op: Literal["paste"]
    fragment: dict[str, Any]
    pos: Point


class Arrange(_Operation):
    """Lay nodes out; without ids all of them."""

    op: Literal["arrange"]
    ids: Ids | None = None


Edge = Literal["left", "right", "top", "bottom", "center", "middle", "distribute_x", "distribute_y"]


class Align(_Operation):
    """Line nodes up, or put the same room between them."""

    op: Literal["align"]
    ids: Ids
    edge: Edge


class Expose(_Operation):
    """Make a widget a field of the form."""

    op: Literal["expose"]
    id: Id
    name: Name


class Unexpose(_Operation):
    """Take a field off the form."""

    op: Literal["unexpose"]
    name: Name


class ParameterChanges(_Operation):
    """What is to change about a field of the form; what is left out stays."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")] | None = None
    type: ParameterType | None = None
    label: Annotated[str, Field(max_length=200)] | None = None
    help: Annotated[str, Field(max_length=2_000)] | None = None
    min: Annotated[float, Field(allow_inf_nan=False)] | None = None
    max: Annotated[float, Field(allow_inf_nan=False)] | None = None
    step: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    choices: Annotated[list[Name], Field(max_length=2_000)] | None = None
    section: Annotated[str, Field(max_length=100)] | None = None


class ParameterEdit(_Operation):
    """Change a field of the form."""

    op: Literal["param.edit"]
    name: Name
    changes: ParameterChanges


class ParameterOrder(_Operation):
    """Put the fields of the form in order; those not named come behind."""

    op: Literal["param.order"]
    names: Annotated[list[Name], Field(max_length=MAX_IDS)]


class SubgraphMake(_Operation):
    """Put nodes into a subgraph; one node stands for them."""

    op: Literal["subgraph.make"]
    ids: Ids
    name: Title


class SubgraphUnpack(_Operation):
    """Put copies of what is inside in the place of the node that stands for it."""

    op: Literal["subgraph.unpack"]
    id: Id


class SubgraphRename(_Operation):
    """Call a subgraph something else, wherever it is used."""

    op: Literal["subgraph.rename"]
    id: Id
    name: Annotated[Title, Field(min_length=1)]


class SubgraphDrop(_Operation):
    """Take an input or output off the subgraph that is open."""

    op: Literal["subgraph.drop"]
    side: Literal["input", "output"]
    name: Name


Operation = (
    Add
    | Remove
    | Move
    | Resize
    | Value
    | Retitle
    | SetMode
    | Collapse
    | SetColor
    | Connect
    | Disconnect
    | GroupAdd
    | GroupEdit
    | GroupRemove
    | Paste
    | Arrange
    | Align
    | Expose
    | Unexpose
    | ParameterEdit
    | ParameterOrder
    | SubgraphMake
    | SubgraphUnpack
    | SubgraphRename
    | SubgraphDrop
)

_OPERATIONS: TypeAdapter[list[Operation]] = TypeAdapter(
    Annotated[
        list[Annotated[Operation, Field(discriminator="op")]], Field(max_length=MAX_OPERATIONS)
    ]
)


def read_operations(data: Any) -> Sequence[Operation]:
    """The operations that a browser sent.

    Raises:
        InvalidRequestError: they have another shape, or are too many.
    """
    try:
        return _OPERATIONS.validate_python(tidied(data))
    except ValidationError as exc:
        error = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(each) for each in error["loc"])
        raise InvalidRequestError(
            where or "ops",
            Said(
                "This change is not understood: {where}: {problem}",
                where=where,
                problem=error["msg"],
            ),
        ) from exc
