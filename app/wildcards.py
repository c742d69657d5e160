"""The wildcard files: `__animals/cats__` in a prompt is a line of `animals/cats.txt`."""

from difflib import get_close_matches
from pathlib import Path

from dynamicprompts.wildcards import WildcardManager
from dynamicprompts.wildcards.values import WildcardValues

from app.errors import InvalidRequestError
from app.said import Said


class Wildcards:
    """The wildcard files, read when they are first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._manager: WildcardManager | None = None

    @property
    def names(self) -> list[str]:
        """Every wildcard."""
        return sorted(self._open().get_collection_names())

    def values(self, name: str) -> WildcardValues:
        """The lines of a wildcard, or with `*` in the name of several; some may weigh more.

        Raises:
            InvalidRequestError: there is none of that name, or it is empty.
        """
        # The library refuses a way out of the folder, too, but with a traceback in the log.
        values = self._open().get_values(name) if ".." not in name else None
        if not values:
            near = get_close_matches(name, self.names, n=3, cutoff=0.5)
            raise InvalidRequestError(
                "prompt",
                Said("There is no wildcard '{name}', or it is empty.", name=name),
                fix=Said("Did you mean {names}?", names=", ".join(near))
                if near
                else Said(
                    "Put {file} into the folder {folder}.", file=f"{name}.txt", folder=self._folder
                ),
            )
        return values

    def _open(self) -> WildcardManager:
        if self._manager is None:
            found = self._folder.is_dir()
            self._manager = WildcardManager(self._folder if found else None)
        return self._manager
