"""What follows from each class of error: one row each, the nearest class of a row counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from app.errors import (
    BackendDiedError,
    BackendError,
    BackendUnreachableError,
    BadOutputError,
    BudgetExceededError,
    BusyError,
    CloudKeyError,
    CorruptModelError,
    DiskFullError,
    LostError,
    MissingCapabilityError,
    ModeratedError,
    NoCreditError,
    NodeFailedError,
    NotSentError,
    OrchestratorError,
    OutOfMemoryError,
    PromptRejectedError,
    TimedOutError,
    UncertainChargeError,
)


class Again(Enum):
    """Where the job is tried again."""

    NEVER = "never"
    ANYWHERE = "anywhere"
    ONCE_MORE_HERE = "once more here"
    """And after that elsewhere, if there is another."""
    ELSEWHERE_FIRST = "elsewhere first"
    """Here too, if there is no other."""
    ELSEWHERE_ONLY = "elsewhere only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What follows from an error."""

    again: Again = Again.NEVER
    counts: bool = True  # as an attempt of the job
    free_first: bool = False  # have the backend free its memory
    backend_fault: bool = False  # too many in a row rest the backend
    quarantine: Literal["model", "workflow"] | None = None
    lost: bool = False  # the backend went down with it


POLICIES: Mapping[type[OrchestratorError], Policy] = {
    OrchestratorError: Policy(),
    BackendError: Policy(),
    BackendUnreachableError: Policy(again=Again.ANYWHERE, backend_fault=True),
    NotSentError: Policy(again=Again.ANYWHERE, counts=False, backend_fault=True),
    BusyError: Policy(again=Again.ANYWHERE, counts=False),
    PromptRejectedError: Policy(),
    MissingCapabilityError: Policy(again=Again.ELSEWHERE_ONLY),
    OutOfMemoryError: Policy(again=Again.ONCE_MORE_HERE, free_first=True),
    NodeFailedError: Policy(again=Again.ELSEWHERE_FIRST, quarantine="workflow"),
    BadOutputError: Policy(again=Again.ELSEWHERE_FIRST, backend_fault=True),
    CorruptModelError: Policy(again=Again.ELSEWHERE_ONLY, quarantine="model"),
    DiskFullError: Policy(again=Again.ELSEWHERE_FIRST, backend_fault=True),
    BackendDiedError: Policy(again=Again.ANYWHERE, counts=False, backend_fault=True, lost=True),
    BudgetExceededError: Policy(),
    TimedOutError: Policy(),
    ModeratedError: Policy(),
    CloudKeyError: Policy(),
    NoCreditError: Policy(),
    UncertainChargeError: Policy(),
    LostError: Policy(),
}


def policy_of(error: OrchestratorError) -> Policy:
    """The row of the nearest class."""
    return next(POLICIES[each] for each in type(error).__mro__ if each in POLICIES)
