"""What is to say about a workflow: for each node what is wrong, doubtful or worth knowing."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much it matters."""

    INFO = "info"
    WARNING = "warning"
    """Not certain, or something that no known backend has."""
    ERROR = "error"
    """A server with every class and model would still refuse the graph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One of them."""

    severity: Severity
    code: str  # for programs: "missing_class", "missing_model", "bad_value", "cycle", …
    message: str  # for people, a `Said`
    fix: str = ""  # likewise
    node_id: str | None = None  # the path of the node; None: the workflow as a whole
    input: str | None = None
    choices: tuple[str | int | float, ...] = ()
    """Near matches, best first: putting one there would mend it. Integers that browsers cannot
    hold are text, as everywhere."""
