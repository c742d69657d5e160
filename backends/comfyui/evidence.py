"""What is known of a run besides what its server remembers."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.models import BackendInfo, GenerationRequest
from backends.comfyui.answers import Brief, NodeBrief
from backends.comfyui.messages import NodeError
from backends.comfyui.pictures import SocketPictures, sends

_BLOCKED = "ExecutionBlocked"


@dataclass(slots=True, kw_only=True)
class Evidence:
    """Collected while it runs; what decides how its end is read."""

    info: BackendInfo
    request: GenerationRequest
    vram_total_bytes: int | None = None
    brief: Brief = field(default_factory=dict[str, NodeBrief])
    saving: Sequence[str] = ()  # the nodes that should leave a file
    pictures: SocketPictures = field(default_factory=SocketPictures)
    blocked: dict[str, str] = field(default_factory=dict[str, str])  # node → why

    def note_error(self, error: NodeError) -> bool:
        """Take in an error heard; whether it is one that the run goes on after."""
        if error.exception_type != _BLOCKED:
            return False
        self.blocked[error.node_id] = error.message
        return True

    @property
    def senders(self) -> frozenset[str]:
        """The nodes whose pictures come over the socket alone."""
        return frozenset(node_id for node_id, node in self.brief.items() if sends(node))
