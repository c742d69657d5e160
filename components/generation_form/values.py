"""What the form holds, how it becomes a submission, and what is said of mistakes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from pydantic import ValidationError

from app.models import DEMO
from app.submission import Params, Submission
from app.views import ImageView
from components.i18n import number, tr, trn

SIZES: Mapping[str, tuple[int, int]] = {
    "1:1": (768, 768),
    "4:3": (896, 672),
    "3:2": (960, 640),
    "16:9": (1024, 576),
    "2:3": (640, 960),
    "9:16": (576, 1024),
}
"""Width and height of each preset, in pixels."""

_NUMBER_TYPES = ("int_type", "int_parsing", "int_from_float", "float_type", "float_parsing")


@dataclass(slots=True, kw_only=True)
class FormValues:
    """The fields as the user left them; numbers may be missing or wrong until submitted."""

    backend: str = DEMO
    prompt: str = ""
    negative_prompt: str = ""
    width: float | None = 768
    height: float | None = 768
    steps: float | None = 20
    cfg: float | None = 6.0
    sampler: str = "euler"
    scheduler: str = "normal"
    checkpoint: str | None = None
    seed: str = ""  # as typed
    seed_locked: bool = False
    count: float | None = 1
    priority: int = 0
    hold: bool = False

    @classmethod
    def restored(cls, saved: object) -> "FormValues":
        """What was saved before, as far as it still makes sense."""
        if not isinstance(saved, Mapping):
            return cls()
        names = {field.name for field in fields(cls)}
        return cls(**{str(key): value for key, value in saved.items() if key in names})

    def to_save(self) -> dict[str, Any]:
        """The same as plain data."""
        return asdict(self)

    def to_submission(self) -> Submission:
        """What Generate sends.

        Raises:
            ValidationError: naming each field that is wrong, see `mistakes`.
        """
        seed = self.seed.replace(" ", "") if self.seed_locked else ""
        params = {
            "width": self.width,
            "height": self.height,
            "steps": self.steps,
            "cfg": self.cfg,
            "sampler": self.sampler,
            "scheduler": self.scheduler,
            "seed": seed or None,
            "checkpoint": None if self.backend == DEMO else self.checkpoint,
        }
        return Submission.model_validate(
            {
                "prompt": self.prompt,
                "negativePrompt": self.negative_prompt,
                "backend": self.backend,
                "params": params,
                "priority": self.priority,
                "count": self.count,
                "hold": self.hold,
            }
        )

    def take(self, image: ImageView, *, part: str) -> None:
        """Take over what made the picture: `all` of it, only its `prompt` or only its `seed`."""
        if part in ("all", "prompt"):
            self.prompt = image.prompt
            self.negative_prompt = image.negative_prompt
        if part in ("all", "seed") and image.seed is not None:
            self.seed, self.seed_locked = str(image.seed), True
        params: Params | Any = image.params
        if part == "all" and params is not None:
            self.width, self.height = params.width, params.height
            self.steps, self.cfg = params.steps, params.cfg
            self.sampler, self.scheduler = params.sampler, params.scheduler
            self.checkpoint = params.checkpoint


def mistakes(error: ValidationError) -> dict[str, str]:
    """What to say beside each field, by the name of the field in `FormValues`."""
    found: dict[str, str] = {}
    for item in error.errors():
        name = str(item["loc"][-1]) if item["loc"] else "prompt"
        name = {"negativePrompt": "negative_prompt"}.get(name, name)
        kind, context = _beyond(name, item["input"]) or (item["type"], item.get("ctx", {}))
        found.setdefault(name, _sentence(kind, context, item["msg"]))
    return found


def _beyond(name: str, value: object) -> tuple[str, dict[str, Any]] | None:
    """The limit of a parameter that a number is beyond; worth saying before anything else."""
    parameter = Params.model_fields.get(name)
    if parameter is None or not isinstance(value, int | float):
        return None
    for limit in parameter.metadata:
        low, high = getattr(limit, "ge", None), getattr(limit, "le", None)
        if low is not None and value < low:
            return "greater_than_equal", {"ge": low}
        if high is not None and value > high:
            return "less_than_equal", {"le": high}
    return None


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
