"""Pictures that exist nowhere but on the socket: nodes that send instead of saving."""

from collections.abc import Mapping

from app.runs import Output
from backends.comfyui.answers import NodeBrief

_MAX_BYTES = 256 * 2**20
_SUFFIXES = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}
_KEY = "socket"


def sends(node: NodeBrief | None) -> bool:
    """Whether what the node makes comes over the socket alone (SaveImageWebsocket and its kin)."""
    return node is not None and "websocket" in node.class_type.lower()


class SocketPictures:
    """Those of one run, in memory until they are fetched; lost with the process."""

    def __init__(self) -> None:
        self._pictures: list[tuple[str, str, bytes]] = []
        self._bytes = 0

    def keep(self, node_id: str, *, mime: str, data: bytes) -> None:
        """Keep one, unless there are too many already."""
        if self._bytes + len(data) <= _MAX_BYTES:
            self._bytes += len(data)
            self._pictures.append((node_id, mime, data))

    def outputs(self, *, first_index: int) -> list[Output]:
        """The pictures as outputs of the run."""
        return [
            Output(
                node_id=node_id,
                index=first_index + number,
                filename=f"socket_{number + 1:05}{_SUFFIXES.get(mime, '.png')}",
                locator={_KEY: number},
            )
            for number, (node_id, mime, _) in enumerate(self._pictures)
        ]

    def nodes(self) -> frozenset[str]:
        """The nodes that sent some."""
        return frozenset(node_id for node_id, _, _ in self._pictures)

    def find(self, locator: Mapping[str, object]) -> bytes | None:
        """The bytes of an output, None if it is not here."""
        number = locator.get(_KEY)
        if isinstance(number, int) and number < len(self._pictures):
            return self._pictures[number][2]
        return None

    @staticmethod
    def are_meant(locator: Mapping[str, object]) -> bool:
        """Whether the output came over a socket."""
        return _KEY in locator
