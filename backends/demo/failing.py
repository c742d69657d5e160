"""The failures of nodes that tests can ask for, in the words a real server has for them."""

import errno
import os

from backends.demo.faults import Fault, FaultBox
from backends.demo.wire import JsonDict

SAMPLERS = ("KSampler",)
NO_MEMORY = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8.00 GiB "
    "of which 0 bytes is free."
)
NO_MEMORY_TIPS = (
    "This error means you ran out of memory on your GPU.\n\nTIPS: If the workflow worked before "
    "you might have accidentally set the batch_size to a large number."
)
CORRUPT = (
    "Error while deserializing header: HeaderTooLarge\n\nFile path: {path}\n\nThe safetensors "
    "file is corrupt or invalid. Make sure this is actually a safetensors file and not a ckpt or "
    "pt or other filetype."
)


class DemandedFailureError(Exception):
    """A node was told to fail; shown with the type name `kind`."""

    def __init__(self, message: str, *, kind: str, tips: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.tips = tips


def fail_node(faults: FaultBox, *, class_type: str, inputs: JsonDict) -> None:
    """Raises what a node that is about to run was told to fail with; may end the process."""
    if faults.take_if(Fault.DIE_AT_NODE, class_type):
        os._exit(1)
    if class_type in SAMPLERS and faults.take_if(Fault.OUT_OF_MEMORY, True):
        raise _out_of_memory()
    for value in inputs.values():
        if isinstance(value, str) and faults.take_if(Fault.CORRUPT_CHECKPOINT, value):
            text = CORRUPT.format(path=f"/models/{value}")
            raise DemandedFailureError(text, kind="safetensors_rust.SafetensorError")
    if class_type.startswith("Save") and class_type != "SaveImageWebsocket":
        _fail_saving(faults)
    failure = faults.take_failure(class_type)
    if failure is not None:
        raise DemandedFailureError(failure, kind="RuntimeError")


def fail_at_step(faults: FaultBox, *, step: int) -> None:
    """The same for a step of sampling."""
    if faults.take_if(Fault.DIE_AT_STEP, step):
        os._exit(1)
    if faults.take_if(Fault.OUT_OF_MEMORY, step):
        raise _out_of_memory()


def _out_of_memory() -> DemandedFailureError:
    return DemandedFailureError(NO_MEMORY, kind="torch.OutOfMemoryError", tips=NO_MEMORY_TIPS)


def _fail_saving(faults: FaultBox) -> None:
    for fault, number in ((Fault.DISK_FULL, errno.ENOSPC), (Fault.READ_ONLY_OUTPUT, errno.EROFS)):
        if faults.take(fault):
            raise OSError(number, os.strerror(number))
