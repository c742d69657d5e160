"""Every error of ours, one tree.

    OrchestratorError
    ├── InvalidRequestError        the caller's input; names the field
    │   └── UnknownBackendError
    ├── NotFoundError              no such job or image
    ├── ConflictError              exists, but not in a state that allows it
    │   └── StaleWriteError        somebody else wrote the job first
    ├── UnauthorizedError          no token, or a wrong one
    ├── TooManyRequestsError       slower; says when
    ├── StorageError               our own disk: full, read-only, gone
    └── BackendError               a backend: see the classes below
        ├── BackendUnreachableError    did not answer; nothing is known
        │   └── NotSentError           certainly never got the prompt
        │       └── BusyError          has too much to do; says when it takes more
        ├── PromptRejectedError        refuses the graph; never retried
        ├── MissingCapabilityError     lacks a node class or a model
        ├── OutOfMemoryError           its GPU is too small for this
        ├── NodeFailedError            a node raised
        ├── BadOutputError             what came out cannot be read
        ├── CorruptModelError          a model file there cannot be read
        ├── DiskFullError              its own disk is full
        ├── BackendDiedError           it went away in the middle and forgot the job
        ├── TimedOutError              ran longer than the job allows
        ├── ModeratedError             refused for what it shows
        ├── CloudKeyError              the cloud does not accept our key
        ├── NoCreditError              the cloud account is empty
        ├── BudgetExceededError        would cost more than is allowed; nothing was sent
        ├── UncertainChargeError       may have been paid for; never sent again by itself
        └── LostError                  forgot a prompt it had accepted

`code` is stable and goes over the wire; `retryable` says whether the same job may be tried again
unchanged; the message says what happened, to which thing; `fix` says what to do.
"""

from typing import ClassVar
from uuid import UUID


class OrchestratorError(Exception):
    """Root of our errors."""

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


class InvalidRequestError(OrchestratorError):
    """A field of the caller's input is wrong; nothing was created."""

    code = "invalid"

    def __init__(self, field: str, message: str, *, fix: str = "") -> None:
        super().__init__(message, fix=fix)
        self.field = field


class UnknownBackendError(InvalidRequestError):
    """The `backend` named is neither a preset nor a configured backend."""

    code = "unknown_backend"


class NotFoundError(OrchestratorError):
    """There is nothing with that id."""

    code = "not_found"


class ConflictError(OrchestratorError):
    """The thing is there, but its state does not allow this."""

    code = "conflict"


class StaleWriteError(ConflictError):
    """Another writer was faster; read again."""

    code = "stale"


class UnauthorizedError(OrchestratorError):
    """Whoever asks has not shown who they are."""

    code = "unauthorized"


class TooManyRequestsError(OrchestratorError):
    """Asked too often; `retry_after_s` says when there is room again."""

    code = "too_many_requests"

    def __init__(self, message: str, *, fix: str = "", retry_after_s: int) -> None:
        super().__init__(message, fix=fix)
        self.retry_after_s = retry_after_s


class AlreadySubmittedError(ConflictError):
    """A submission with this key is there already: these are its jobs."""

    code = "already_submitted"

    def __init__(self, message: str, *, fingerprint: str, job_ids: tuple[UUID, ...]) -> None:
        super().__init__(message)
        self.fingerprint = fingerprint
        self.job_ids = job_ids


class StorageError(OrchestratorError):
    """Our own files or database could not be written or read."""

    code = "storage"


class BackendError(OrchestratorError):
    """Something a backend did, or did not do."""

    code = "backend"
    node_id: str | None = None
    """The node of the graph it is about."""


class BackendUnreachableError(BackendError):
    """The backend did not answer in time; what it did with our request is unknown."""

    code = "unreachable"
    retryable = True
    late: bool = False
    """It was reached, but its answer took too long."""


class NotSentError(BackendUnreachableError):
    """The connection was refused before a byte was sent: the prompt is certainly not there."""

    code = "not_sent"


class BusyError(NotSentError):
    """The backend has too many tasks of ours: it took no more, and says when it may again."""

    def __init__(self, message: str, *, fix: str = "", wait_s: float) -> None:
        super().__init__(message, fix=fix)
        self.wait_s = wait_s


class PromptRejectedError(BackendError):
    """The backend says the graph is wrong."""

    code = "rejected"


class MissingCapabilityError(BackendError):
    """The backend lacks a node class, model or sampler that the job needs."""

    code = "missing_capability"


class OutOfMemoryError(BackendError):
    """The backend's GPU or RAM is too small for this picture."""

    code = "out_of_memory"
    retryable = True


class NodeFailedError(BackendError):
    """A node of the graph raised while it ran."""

    code = "node_failed"
    retryable = True


class BadOutputError(BackendError):
    """The run ended well but its output cannot be fetched or read."""

    code = "bad_output"
    retryable = True


class CorruptModelError(BackendError):
    """A model file on the backend cannot be read; every job with it would fail there."""

    code = "corrupt_model"
    retryable = True

    def __init__(self, message: str, *, fix: str = "", model: str | None = None) -> None:
        super().__init__(message, fix=fix)
        self.model = model


class DiskFullError(BackendError):
    """The backend's own disk is full."""

    code = "backend_disk_full"
    retryable = True


class BackendDiedError(BackendError):
    """The backend went away while it ran the job, and came back without it."""

    code = "backend_died"
    retryable = True


class TimedOutError(BackendError):
    """The run took longer than the job allows; it was stopped."""

    code = "timeout"


class ModeratedError(BackendError):
    """The cloud refuses the prompt or the picture for what it shows."""

    code = "moderated"


class CloudKeyError(BackendError):
    """The cloud does not accept the API key."""

    code = "bad_key"


class NoCreditError(BackendError):
    """The cloud account has no credits left."""

    code = "no_credit"


class BudgetExceededError(BackendError):
    """A paid call would go over a budget; nothing was sent."""

    code = "budget"


class UncertainChargeError(BackendError):
    """The order may have reached the cloud, but its answer never reached us."""

    code = "uncertain_charge"


class LostError(BackendError):
    """The backend lost the job more often than chance explains."""

    code = "poison"
