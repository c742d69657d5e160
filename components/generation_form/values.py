"""What the form holds, how it becomes a submission, and what is said of mistakes."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from math import sqrt
from typing import Any, get_args

from pydantic import ValidationError
from pydantic.alias_generators import to_snake
from pydantic.fields import FieldInfo

from app.graphs.preset import GIVEN_FILES, Preset
from app.graphs.running import split_id
from app.models import AUTO, DEMO, TEXT_TO_IMAGE, SeedStrategy
from app.submission import Params, Submission
from app.views import ImageView
from components.generation_form.options import usual_value
from components.i18n import number, tr, trn

SIZES: Mapping[str, tuple[int, int]] = {
    "1:1": (768, 768),
    "4:3": (896, 672),
    "3:2": (960, 640),
    "16:9": (1024, 576),
    "2:3": (640, 960),
    "9:16": (576, 1024),
}
"""Width and height of each shape, in pixels, for a model at home at `BASE_PIXELS`."""
BASE_PIXELS = 768 * 768
OWN = (
    "width", "height", "steps", "cfg", "sampler", "scheduler", "denoise", "checkpoint", "vae",
    "loras", "options",
)  # fmt: skip
"""What belongs to the preset: each has its own of these."""
_MODEL_FILES = ("checkpoint", "vae", "loras")
_PLAIN = ("width", "height", "steps", "cfg", "sampler", "scheduler", "denoise")
_NUMBER_TYPES = ("int_type", "int_parsing", "int_from_float", "float_type", "float_parsing")
_TEXTS = {"prompt": "prompt", "negative_prompt": "negativePrompt"}
_KEPT = 30  # presets whose values are remembered


@dataclass(slots=True, kw_only=True)
class FormValues:
    """The fields as the user left them; numbers may be missing or wrong until submitted."""

    backend: str = DEMO  # what to make: DEMO or the id of a preset
    where: str = ""  # DEMO, AUTO or a backend; empty: the usual place
    fallback: str = ""  # empty: as the settings say
    prompt: str = ""
    negative_prompt: str = ""
    image: str | None = None  # names of app.inputs
    mask: str | None = None
    width: float | None = 768
    height: float | None = 768
    steps: float | None = 20
    cfg: float | None = 6.0
    sampler: str = "euler"
    scheduler: str = "normal"
    denoise: float | None = 1.0
    checkpoint: str | None = None
    vae: str | None = None
    loras: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    seed: str = ""  # as typed
    seed_locked: bool = False
    count: float | None = 1
    seed_strategy: str = SeedStrategy.RANDOM.value
    priority: int = 0
    hold: bool = False
    kept: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """`OWN` of the presets that are not chosen now, as the user left them."""

    @classmethod
    def restored(cls, saved: object) -> "FormValues":
        """What was saved before, as far as it still makes sense."""
        if not isinstance(saved, Mapping):
            return cls()
        names = {each.name for each in fields(cls)}
        values = cls(**{str(key): value for key, value in saved.items() if key in names})
        if "where" not in saved and values.backend != DEMO:
            # Saved when the picker named backends: what to make was always the same.
            values.where, values.backend = values.backend, TEXT_TO_IMAGE
        return values

    def to_save(self) -> dict[str, Any]:
        """The same as plain data."""
        return asdict(self)

    def change_preset(self, key: str, preset: Preset) -> None:
        """Make something else: with what was left in its fields before, else its defaults.

        What was typed as a prompt is the prompt of whatever comes next.
        """
        self.prompt = str(self.options.get("prompt", self.prompt))
        self.negative_prompt = str(self.options.get("negative_prompt", self.negative_prompt))
        self.kept[self.backend] = {name: getattr(self, name) for name in OWN}
        for oldest in list(self.kept)[:-_KEPT]:
            del self.kept[oldest]
        self.backend = key
        typed = {"prompt": self.prompt, "negative_prompt": self.negative_prompt}
        own = {**own_defaults(preset), **self.kept.pop(key, {})}
        if preset.version is not None:
            known = {option.name for option in preset.options}
            texts = {name: text for name, text in typed.items() if text and name in known}
            own["options"] = {**own["options"], **texts}
        for name, value in own.items():
            setattr(self, name, value)

    def to_submission(self, preset: Preset, *, confirmed: bool = False) -> Submission:
        """What Generate sends.

        Raises:
            ValidationError: naming each field that is wrong, see `mistakes`.
        """
        if preset.version is not None:
            return self._to_saved(preset)
        return self._to_bundled(preset, confirmed=confirmed)

    def _to_bundled(self, preset: Preset, *, confirmed: bool) -> Submission:
        takes = fields_of(self.backend, preset)
        seed = self.seed.replace(" ", "") if self.seed_locked else ""
        # What is left empty is a mistake here, while the API takes the preset's value for it.
        params: dict[str, Any] = {
            name: _typed(getattr(self, name)) for name in _PLAIN if name in takes
        }
        for name in (*_MODEL_FILES, "image", "mask"):
            if name in takes:
                params[name] = getattr(self, name) or None
        if params.get("loras") is None:
            params.pop("loras", None)
        if preset.options:
            params["options"] = {
                option.name: _typed(self.options.get(option.name, option.default))
                for option in preset.options
            }
        has_seed = "seed" in takes
        aim: dict[str, Any] = {"backend": self.backend}
        if self.backend != DEMO:
            aim = {"backend": AUTO if preset.paid else self.where, "workflowId": preset.id}
        return Submission.model_validate(
            {
                **aim,
                "prompt": self.prompt if "prompt" in takes else "",
                "negativePrompt": self.negative_prompt if "negative_prompt" in takes else "",
                "params": {**params, "seed": (seed or None) if has_seed else None},
                "priority": self.priority,
                "count": self.count if has_seed else 1,
                "seedStrategy": self.seed_strategy,
                "fallback": self.fallback or None,
                "hold": self.hold,
                "confirmed": confirmed,
            }
        )

    def _to_saved(self, preset: Preset) -> Submission:
        """What Generate sends for a saved workflow: all it takes are its options."""
        params: dict[str, Any] = {"seed": self._locked_seed()}
        own: dict[str, Any] = {}
        texts: dict[str, Any] = {}
        for option in preset.options:
            value = self.options.get(option.name, usual_value(option))
            if (option.type in GIVEN_FILES and not value) or option.field == "seed":
                continue
            if option.field in _TEXTS:
                texts[_TEXTS[option.field]] = _typed(value)
            elif option.field is not None:
                params[option.field] = _typed(value)
            else:
                own[option.name] = _typed(value)
        return Submission.model_validate(
            {
                "backend": self.where,
                "workflowId": preset.id,
                **texts,
                "params": {**params, "options": own},
                "priority": self.priority,
                "count": self.count if draws_seed(preset) else 1,
                "seedStrategy": self.seed_strategy,
                "fallback": self.fallback or None,
                "hold": self.hold,
            }
        )

    def _locked_seed(self) -> str | None:
        return (self.seed.replace(" ", "") if self.seed_locked else "") or None

    def take(self, image: ImageView, *, part: str, preset: Preset | None = None) -> None:
        """Take over what made the picture: `all` of it, only its `prompt` or only its `seed`.

        `preset` is the one it was made with, if there still is one of that name.
        """
        if part == "all" and preset is not None:
            self._take_place(image, preset)
        if part in ("all", "prompt"):
            self.prompt = image.prompt
            self.negative_prompt = image.negative_prompt
        if part in ("all", "seed") and image.seed is not None:
            self.seed, self.seed_locked = str(image.seed), True
        params: Any = image.params
        if part == "all" and params is not None and preset is not None:
            for name in (*_PLAIN, "checkpoint", "vae"):
                setattr(self, name, getattr(params, name))
            self.loras = [each.model_dump() for each in params.loras]
            self.options = dict(params.options)
            if preset.version is not None:
                self._take_options(image, preset)
            self.image, self.mask = params.image or self.image, params.mask or self.mask

    def _take_options(self, image: ImageView, preset: Preset) -> None:
        for option in preset.options:
            if option.field in _TEXTS:
                self.options[option.name] = getattr(image, option.field)
            elif option.field is not None and image.params is not None:
                self.options[option.name] = getattr(image.params, option.field)

    def _take_place(self, image: ImageView, preset: Preset) -> None:
        if image.is_demo and preset.id == TEXT_TO_IMAGE:
            key = DEMO
        else:
            key = make_of(preset)
            if image.is_demo:
                self.where = DEMO
            elif self.where == DEMO or self.backend == DEMO:
                self.where = AUTO
        if key != self.backend:
            self.change_preset(key, preset)


def fields_of(backend: str, preset: Preset) -> tuple[str, ...]:
    """The fields the form shows: all the preset takes, but Demo has no model files to choose."""
    if preset.version is not None:
        return ("seed",) if draws_seed(preset) else ()
    if backend == DEMO:
        return tuple(name for name in preset.fields if name not in _MODEL_FILES)
    return preset.fields


def draws_seed(preset: Preset) -> bool:
    """Whether a saved workflow draws another picture for another seed."""
    return any("seed" in variant.bindings for variant in preset.variants)


def make_of(preset: Preset) -> str:
    """The entry of the picker that a preset is: a saved workflow stays the same one when a new
    version of it is saved."""
    return preset.id if preset.version is None else split_id(preset.id)[0]


def own_defaults(preset: Preset) -> dict[str, Any]:
    """What the fields of a preset hold before anybody has touched them."""
    plain = FormValues()
    options = {each.name: usual_value(each) for each in preset.options}
    own = {name: preset.defaults.get(name, getattr(plain, name)) for name in OWN}
    return {**own, "loras": [], "options": options}


def sizes_of(preset: Preset) -> dict[str, tuple[int, int]]:
    """Width and height of each shape at the number of pixels the preset is at home at."""
    pixels = preset.defaults.get("width", 768) * preset.defaults.get("height", 768)
    if pixels == BASE_PIXELS:
        return dict(SIZES)
    return {name: fitted(wide, high, pixels=pixels) for name, (wide, high) in SIZES.items()}


def fitted(width: int, height: int, *, pixels: int) -> tuple[int, int]:
    """Sides of that shape with about so many pixels, as models like them: multiples of 64."""
    scale = sqrt(pixels / (width * height))
    return max(64, round(width * scale / 64) * 64), max(64, round(height * scale / 64) * 64)


def place_of(field_name: str) -> str:
    """The field of the form that a field of the submission (`params.options.minCfg`) is."""
    *before, last = field_name.split(".")
    return f"option-{to_snake(last)}" if "options" in before else to_snake(last)


def mistakes(error: ValidationError) -> dict[str, str]:
    """What to say beside each field, by the name of the field in the form."""
    found: dict[str, str] = {}
    for item in error.errors():
        location = [str(part) for part in item["loc"]]
        name = "loras" if "loras" in location else place_of(".".join(location) or "prompt")
        kind, context = _beyond(name, item["input"]) or (item["type"], item.get("ctx", {}))
        found.setdefault(name, _sentence(kind, context, item["msg"]))
    return found


def _beyond(name: str, value: object) -> tuple[str, dict[str, Any]] | None:
    """The limit of a parameter that a number is beyond; worth saying before anything else."""
    parameter = Params.model_fields.get(name)
    if parameter is None or not isinstance(value, int | float):
        return None
    for limit in _limits(parameter):
        low, high = getattr(limit, "ge", None), getattr(limit, "le", None)
        if low is not None and value < low:
            return "greater_than_equal", {"ge": low}
        if high is not None and value > high:
            return "less_than_equal", {"le": high}
    return None


def _limits(parameter: FieldInfo) -> Iterator[Any]:
    """What the value must keep within, also where it may be left out."""
    yield from parameter.metadata
    for kind in get_args(parameter.annotation):
        for each in getattr(kind, "__metadata__", ()):
            yield from each.metadata if isinstance(each, FieldInfo) else (each,)


def _typed(value: Any) -> Any:
    return "" if value is None else value


def _sentence(kind: str, context: Mapping[str, Any], message: str) -> str:
    if kind in _NUMBER_TYPES:
        return tr("Enter a whole number.") if "int" in kind else tr("Enter a number.")
    match kind:
        case "greater_than_equal":
            return tr("Use {limit} or more.", limit=number(context["ge"]))
        case "less_than_equal":
            return tr("Use {limit} or less.", limit=number(context["le"]))
        case "multiple_of":
            return tr("Use a multiple of {n}.", n=context["multiple_of"])
        case "string_too_long":
            most = int(context["max_length"])
            return trn("Use {n} character or less.", "Use {n} characters or less.", most)
        case "value_error":
            return tr(message.removeprefix("Value error, "))
        case _:
            return tr("Choose one.")
