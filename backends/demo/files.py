"""The engine's three folders, and how pictures get into them."""

import hashlib
import json
import os
import random
import re
import shutil
import string
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL.PngImagePlugin import PngInfo

from backends.demo.wire import Graph, JsonDict

FOLDERS = ("output", "input", "temp")


class OutsideFolderError(Exception):
    """A path leads out of the folder it belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PngText:
    """What a saved picture carries about its own making."""

    graph: Graph
    extra_pnginfo: JsonDict

    def texts(self) -> dict[str, str]:
        """Each part as JSON, by its name."""
        parts = {"prompt": self.graph, **self.extra_pnginfo}
        return {key: json.dumps(value) for key, value in parts.items()}

    def chunks(self) -> PngInfo:
        info = PngInfo()
        for key, text in self.texts().items():
            info.add_text(key, text)
        return info


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A run of numbered file names that were free when it was made."""

    folder: Path
    subfolder: str
    kind: str
    stem: str
    first: int

    def keep(self, index: int, *, ending: str, write: Callable[[Path], object]) -> JsonDict:
        """Writes the file with that index and returns its name as history shows it.

        `ending` is what follows the number, mostly `_.png`. The file appears under its final
        name only when it is whole.
        """
        stem = self.stem.replace("%batch_num%", str(index))
        name = f"{stem}_{self.first + index:05}{ending}"
        part = self.folder / f".{name}.part"
        try:
            write(part)
            part.replace(self.folder / name)
        finally:
            part.unlink(missing_ok=True)
        return {"filename": name, "subfolder": self.subfolder, "type": self.kind}


class Workspace:
    """Files of one engine. Every method blocks; call them in a thread."""

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        letters = random.choices(string.ascii_lowercase, k=5)
        self._temp_suffix = "_temp_" + "".join(letters)

    def prepare(self) -> None:
        """Makes the folders, empties temp, and removes what a killed engine left half written."""
        shutil.rmtree(self.home / "temp", ignore_errors=True)
        for name in FOLDERS:
            (self.home / name).mkdir(parents=True, exist_ok=True)
        for half in (self.home / "output").rglob(".*.part"):
            half.unlink(missing_ok=True)

    def folder(self, kind: str) -> Path | None:
        """The folder of an output type, None when there is no such type."""
        return self.home / kind if kind in FOLDERS else None

    def input_files(self) -> list[str]:
        return sorted(path.name for path in (self.home / "input").glob("*") if path.is_file())

    def named(self, name: str) -> Path | None:
        """The existing file that a loader is given: in the input folder unless annotated."""
        bare, kind = without_annotation(name)
        folder = self.home / (kind or "input")
        path = Path(os.path.normpath(folder / bare))
        return path if path.is_relative_to(folder) and os.path.isfile(path) else None

    def input_file(self, name: str) -> Path:
        """As `named`. Raises FileNotFoundError: it was there when the prompt was checked."""
        found = self.named(name)
        if found is None:
            raise FileNotFoundError(f"[Errno 2] No such file or directory: '{name}'")
        return found

    def place(self, prefix: str, *, kind: str, size: tuple[int, int]) -> "Place":
        """Where numbered files with that prefix go. Raises OutsideFolderError."""
        if kind == "temp":
            prefix += self._temp_suffix
        root = self.home / kind
        expanded = _expand(prefix, size=size)
        subfolder, stem = os.path.split(os.path.normpath(expanded))
        target = Path(os.path.normpath(root / subfolder))
        if not target.is_relative_to(root):
            raise OutsideFolderError(
                "**** ERROR: Saving image outside the output folder is not allowed."
                f"\n full_output_folder: {target}\n         output_dir: {root}"
            )
        target.mkdir(parents=True, exist_ok=True)
        return Place(
            folder=target,
            subfolder=subfolder,
            kind=kind,
            stem=stem,
            first=_next_counter(target, stem),
        )

    def find(self, *, filename: str, subfolder: str, folder: Path) -> Path | None:
        """An existing file, None when there is none. Raises OutsideFolderError."""
        place = Path(os.path.normpath(folder / subfolder))
        if not place.is_relative_to(folder):
            raise OutsideFolderError(subfolder)
        path = place / os.path.basename(filename)
        return path if os.path.isfile(path) else None

    def store(
        self, content: bytes, *, filename: str, subfolder: str, folder: Path, overwrite: bool
    ) -> tuple[str, Path]:
        """Keeps an upload and returns the name it got: taken names get a number.

        Raises OutsideFolderError; OSError when the name has a folder that does not exist.
        """
        place = Path(os.path.normpath(folder / os.path.normpath(subfolder)))
        path = Path(os.path.normpath(place / filename))
        if not path.is_relative_to(folder) or not place.is_relative_to(folder):
            raise OutsideFolderError(filename)
        place.mkdir(parents=True, exist_ok=True)
        stem, extension = os.path.splitext(filename)
        digest = hashlib.sha256(content).digest()
        number = 1
        while not overwrite and path.exists():
            if hashlib.sha256(path.read_bytes()).digest() == digest:
                return filename, path
            filename = f"{stem} ({number}){extension}"
            path = place / filename
            number += 1
        part = path.with_name(f".{uuid.uuid4().hex}.part")
        part.write_bytes(content)
        part.replace(path)
        return filename, path


def without_annotation(filename: str) -> tuple[str, str | None]:
    """`name [input]` names the folder it is in."""
    for kind in FOLDERS:
        if filename.endswith(f"[{kind}]"):
            return filename.removesuffix(f"[{kind}]").rstrip(), kind
    return filename, None


def _expand(prefix: str, *, size: tuple[int, int]) -> str:
    now = time.localtime()
    tokens = {
        "width": str(size[0]),
        "height": str(size[1]),
        "year": str(now.tm_year),
        "month": f"{now.tm_mon:02}",
        "day": f"{now.tm_mday:02}",
        "hour": f"{now.tm_hour:02}",
        "minute": f"{now.tm_min:02}",
        "second": f"{now.tm_sec:02}",
    }
    for token, value in tokens.items():
        prefix = prefix.replace(f"%{token}%", value)
    return prefix


def _next_counter(folder: Path, stem: str) -> int:
    pattern = re.compile(re.escape(stem) + r"_(\d+)[_.].*", re.IGNORECASE)
    found = (pattern.fullmatch(name) for name in os.listdir(folder))
    return max((int(match[1]) for match in found if match), default=0) + 1
