"""What was mended while a file was read: counted, so that ten thousand faults are one sentence."""

from collections import Counter
from enum import StrEnum

from app.drawing.findings import Finding, Severity
from app.said import Said


class Repair(StrEnum):
    """A kind of fault; also the code of its finding."""

    BAD_NODE = "bad_node"
    BAD_ID = "bad_id"
    BAD_PLACE = "bad_place"
    BAD_LINK = "bad_link"
    BAD_GROUP = "bad_group"
    BAD_SUBGRAPH = "bad_subgraph"
    CYCLIC_SUBGRAPH = "cyclic_subgraph"
    BAD_PARAMETER = "bad_parameter"


class Repairs:
    """Counts what was mended."""

    def __init__(self) -> None:
        self._counts: Counter[Repair] = Counter()

    def add(self, repair: Repair, count: int = 1) -> None:
        """Something was mended."""
        self._counts[repair] += count

    def findings(self) -> tuple[Finding, ...]:
        """A warning for each kind."""
        return tuple(
            Finding(
                severity=Severity.WARNING,
                code=repair.value,
                message=_sentence(repair, count=self._counts[repair]),
            )
            for repair in Repair
            if self._counts[repair]
        )


def _sentence(repair: Repair, *, count: int) -> str:
    match repair:
        case Repair.BAD_NODE:
            return Said("Left out, because they are no nodes: {count}.", count=count)
        case Repair.BAD_ID:
            return Said("Nodes that had no number of their own and got one: {count}.", count=count)
        case Repair.BAD_PLACE:
            return Said(
                "Nodes with a place or size that is no number, put elsewhere: {count}.",
                count=count,
            )
        case Repair.BAD_LINK:
            return Said("Connections that lead nowhere and were left out: {count}.", count=count)
        case Repair.BAD_GROUP:
            return Said("Groups that cannot be read and were left out: {count}.", count=count)
        case Repair.BAD_SUBGRAPH:
            return Said("Subgraphs that cannot be read and were left out: {count}.", count=count)
        case Repair.CYCLIC_SUBGRAPH:
            return Said(
                "Subgraphs inside themselves, which now lead nowhere: {count}.", count=count
            )
        case Repair.BAD_PARAMETER:
            return Said(
                "Fields of the form that cannot be read and were left out: {count}.", count=count
            )
