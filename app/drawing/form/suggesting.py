"""Which widgets of a workflow people will want in its form, and what to call them."""

from collections.abc import Iterator, Mapping

from app.drawing.classes import PRIMITIVE_VALUE
from app.drawing.diagram import Diagram, Parameter
from app.drawing.form.exposing import Widgets, free_name, made
from app.drawing.schema import InputSpec, NodeSchema, Schemas
from app.drawing.tracing import Place
from app.graphs.nodes import FOLDERS

_At = tuple[str, str]  # the path of a node and the name of its widget

_ORDER = (
    "prompt",
    "negative_prompt",
    "image",
    "video",
    "audio",
    "checkpoint",
    "lora",
    "lora_strength",
    "width",
    "height",
    "steps",
    "cfg",
    "guidance",
    "sampler",
    "scheduler",
    "denoise",
    "seed",
)
_BY_WIDGET: Mapping[str, str] = {
    "steps": "steps",
    "cfg": "cfg",
    "guidance": "guidance",
    "sampler_name": "sampler",
    "scheduler": "scheduler",
    "denoise": "denoise",
}
_SEEDS = ("seed", "noise_seed")
_TEXTS = ("text", "prompt", "positive_prompt", "caption", "tags", "text_g", "clip_l", "string")
_NEGATIVES = ("negative_prompt", "negative", "text_negative")
_OF_MODELS = {"checkpoints": "checkpoint", "diffusion_models": "checkpoint", "loras": "lora"}
_SEVERAL = frozenset({"image", "video", "audio", "lora", "lora_strength", "seed"})
_POSITIVE, _NEGATIVE = "positive", "negative"
_ROLES = {
    "positive": _POSITIVE,
    "conditioning": _POSITIVE,
    "cond1": _POSITIVE,
    "negative": _NEGATIVE,
}
_NO_TEXT = frozenset({"ConditioningZeroOut"})
_CONDITIONING = "CONDITIONING"
_MOST = 40
_MAX_STEPS = 5000


def suggest(diagram: Diagram, *, schemas: Schemas) -> tuple[Parameter, ...]:
    """The usual fields as far as the workflow has them, in the usual order."""
    return _Suggesting(diagram, schemas=schemas).parameters()


class _Suggesting:
    def __init__(self, diagram: Diagram, *, schemas: Schemas) -> None:
        self.widgets = Widgets(diagram, schemas=schemas)
        self.tracing = self.widgets.tracing
        self.schemas = schemas
        self.places = [
            (place, schema)
            for place in self._from_the_end()
            if (schema := schemas.get(place.node.class_type)) is not None
        ]
        self.found: dict[str, list[_At]] = {}

    def parameters(self) -> tuple[Parameter, ...]:
        self._prompts()
        self._usual()
        taken: set[str] = set()
        seen: set[_At] = set()
        suggested: list[Parameter] = []
        for name in _ORDER:
            for at in self.found.get(name, ())[: None if name in _SEVERAL else 1]:
                made_one = None if at in seen else self._made(name, at, taken=taken)
                if made_one is not None:
                    seen.add(at)
                    taken.add(made_one.name)
                    suggested.append(made_one)
        return tuple(suggested[:_MOST])

    def _made(self, name: str, at: _At, *, taken: set[str]) -> Parameter | None:
        path, input_name = at
        widget = self.widgets.at(path, input_name)
        if widget is None:
            return None
        title = self.widgets.title(self.tracing.places[path])
        own = free_name(name, taken=taken)
        return made(widget, name=own, path=path, title=title, input=input_name)

    def _from_the_end(self) -> Iterator[Place]:
        """The nodes that results depend on, those nearest to a result first."""
        waiting = [
            place
            for place in self.tracing.running()
            if (schema := self.schemas.get(place.node.class_type)) is not None and schema.is_output
        ]
        seen = {place.path for place in waiting}
        for place in waiting:
            yield place
            for slot in range(len(place.node.inputs)):
                origin = self.tracing.origin(place, slot)
                if origin is None or origin.ending != "output" or origin.path in seen:
                    continue
                seen.add(origin.path)
                waiting.append(self.tracing.places[origin.path])

    def _add(self, name: str, at: _At | None) -> None:
        held = self.found.setdefault(name, [])
        if at is not None and at not in held:
            held.append(at)

    def _prompts(self) -> None:
        for place, schema in self.places:
            if any(output.type == _CONDITIONING for output in schema.outputs):
                continue
            for spec in schema.inputs:
                role = _ROLES.get(spec.name) if spec.type == _CONDITIONING else None
                if role is not None:
                    name = "prompt" if role == _POSITIVE else "negative_prompt"
                    self._add(name, self._text_behind(place, spec.name, role=role))
        for place, _ in self.places:
            specs = self.widgets.of(place)
            if not self.found.get("prompt"):
                self._add("prompt", self._text_of(place, specs, names=_TEXTS))
            if not self.found.get("negative_prompt"):
                self._add("negative_prompt", self._text_of(place, specs, names=_NEGATIVES))

    def _text_behind(self, place: Place, name: str, *, role: str) -> _At | None:
        """The text that a conditioning was made from."""
        waiting = [(place, name)]
        seen: set[tuple[str, str]] = set()
        while waiting and len(seen) < _MAX_STEPS:
            place, name = waiting.pop()
            origin = self.tracing.origin_of(place, name)
            if origin is None or origin.ending != "output" or (place.path, name) in seen:
                continue
            seen.add((place.path, name))
            source = self.tracing.places[origin.path]
            schema = self.schemas.get(source.node.class_type)
            if schema is None or schema.class_type in _NO_TEXT:
                continue
            names = _TEXTS if role == _POSITIVE else (*_NEGATIVES, *_TEXTS)
            text = self._text_of(source, self.widgets.of(source), names=names)
            if text is not None:
                return text
            waiting += [(source, each) for each in _conditionings(schema, role=role)]
        return None

    def _text_of(
        self, place: Place, specs: tuple[InputSpec, ...], *, names: tuple[str, ...]
    ) -> _At | None:
        for name in names:
            for spec in specs:
                # "prompt.text" of a dynamic choice, too
                if spec.name.rpartition(".")[2] == name and spec.widget == "multiline":
                    at = self._where_set(place, spec.name)
                    return at or self._text_upstream(place, spec.name)
        return None

    def _text_upstream(self, place: Place, name: str) -> _At | None:
        """The likeliest of the texts that another text is put together from."""
        best: tuple[int, _At] | None = None
        waiting, seen = [(place, name)], {(place.path, name)}
        for place, name in waiting:
            at = self._where_set(place, name)
            if at is not None and self.widgets.at(*at) is not None:
                rank = self._rank(at)
                best = min(best or (rank, at), (rank, at), key=lambda each: each[0])
            origin = self.tracing.origin_of(place, name)
            if origin is None or origin.ending != "output":
                continue
            source = self.tracing.places[origin.path]
            for socket in source.node.inputs:
                key = (source.path, socket.name)
                if "STRING" in socket.type and key not in seen and len(seen) < _MAX_STEPS:
                    seen.add(key)
                    waiting.append((source, socket.name))
        return best[1] if best is not None else None

    def _rank(self, at: _At) -> int:
        """Lower is likelier to be what people write each time."""
        widget = self.widgets.at(*at)
        place = self.tracing.places[at[0]]
        if widget is None or widget.spec.widget not in ("text", "multiline"):
            return 9
        title = self.widgets.title(place).lower()
        if "system" in title or "trigger" in title:
            return 5
        text = 0 if widget.spec.widget == "multiline" else 2
        return text if place.subgraph is not None or "prompt" in title else text + 1

    def _usual(self) -> None:
        for place, schema in self.places:
            specs = self.widgets.of(place)
            names = {spec.name for spec in specs}
            makes_latents = any(output.type == "LATENT" for output in schema.outputs)
            for spec in specs:
                if spec.name in ("width", "height"):
                    if makes_latents and {"width", "height"} <= names:
                        self._add(spec.name, self._where_set(place, spec.name))
                elif (name := self._usual_name(place, spec)) is not None:
                    self._add(name, self._where_set(place, spec.name))

    def _usual_name(self, place: Place, spec: InputSpec) -> str | None:
        if spec.widget in ("image", "video", "audio"):
            return spec.widget
        if spec.name in _SEEDS and spec.widget == "int":
            # A sampler that adds no noise has a seed that does nothing.
            return None if place.node.values.get("add_noise") == "disable" else "seed"
        folders = FOLDERS.get((place.node.class_type, spec.name))
        if folders is not None:
            return _OF_MODELS.get(folders[0])
        if spec.name in ("strength_model", "strength") and self._loads_lora(place):
            return "lora_strength"
        return _BY_WIDGET.get(spec.name)

    def _loads_lora(self, place: Place) -> bool:
        return (place.node.class_type, "lora_name") in FOLDERS

    def _where_set(self, place: Place, name: str) -> _At | None:
        """Where people set the value of a widget: there, or at what is linked to it."""
        for _ in range(_MAX_STEPS):
            origin = self.tracing.origin_of(place, name)
            if origin is None or origin.ending == "lost":
                return (place.path, name)
            if origin.ending == "entry":
                return origin.via[-1]
            if origin.ending == "primitive":
                return (origin.path, PRIMITIVE_VALUE)
            if origin.ending != "output":
                return None
            place = self.tracing.places[origin.path]
            specs = self.widgets.of(place)
            # A node that is nothing but its value, such as the primitives of servers.
            if len(specs) != 1 or specs[0].name != PRIMITIVE_VALUE:
                return None
            name = PRIMITIVE_VALUE
        return None


def _conditionings(schema: NodeSchema, *, role: str) -> list[str]:
    """The inputs to look behind, the likeliest last."""
    names = [spec.name for spec in schema.inputs if spec.type == _CONDITIONING]
    if {_POSITIVE, _NEGATIVE} <= set(names):
        return [role]
    return names[::-1]
