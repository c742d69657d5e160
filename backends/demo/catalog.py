"""The node classes this engine offers, described as `/object_info` does."""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from backends.demo.wire import JsonDict


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """One input of a node class."""

    name: str
    type: str | list[str]  # a list holds the choices of a combo
    options: JsonDict
    required: bool
    raw: list[object]  # as in /object_info; validation errors quote it


class Catalog:
    """Looks up node classes; the choices of `LoadImage` follow the input folder."""

    def __init__(
        self,
        *,
        checkpoints: Sequence[str],
        input_files: Callable[[], list[str]],
        extra: Mapping[str, JsonDict],
    ) -> None:
        text = files("backends.demo").joinpath("object_info.json").read_text(encoding="utf-8")
        self._classes: dict[str, JsonDict] = json.loads(text)
        self._classes.update(copy.deepcopy(dict(extra)))
        loader = self._classes["CheckpointLoaderSimple"]
        loader["input"]["required"]["ckpt_name"][0] = list(checkpoints)
        self._input_files = input_files

    def __contains__(self, class_type: object) -> bool:
        return isinstance(class_type, str) and class_type in self._classes

    def describe(self, class_type: str) -> JsonDict:
        """One class as `/object_info` shows it. Raises KeyError when it is unknown."""
        if class_type != "LoadImage":
            return self._classes[class_type]
        described = copy.deepcopy(self._classes[class_type])
        described["input"]["required"]["image"][0] = self._input_files()
        return described

    def describe_all(self) -> JsonDict:
        return {name: self.describe(name) for name in self._classes}

    def is_output(self, class_type: str) -> bool:
        return bool(self._classes[class_type]["output_node"])

    def outputs(self, class_type: str) -> tuple[str, ...]:
        names: list[str] = self._classes[class_type]["output"]
        return tuple(names)

    def inputs(self, class_type: str) -> list[InputSpec]:
        """The inputs a graph may set, required ones first."""
        groups = self.describe(class_type)["input"]
        specs: list[InputSpec] = []
        for group in ("required", "optional"):
            for name, raw in groups.get(group, {}).items():
                options: JsonDict = raw[1] if len(raw) > 1 else {}
                specs.append(
                    InputSpec(
                        name=name,
                        type=raw[0],
                        options=options,
                        required=group == "required",
                        raw=raw if len(raw) > 1 else [raw[0], {}],
                    )
                )
        return specs
