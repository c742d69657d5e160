"""What the pickers of the form hold out, and what they keep although it is not there now."""

from typing import Any

from app.graphs.preset import Preset
from app.models import DEMO, GenerationRequest, Lora
from app.presets import Presets
from components.generation_form.choices import Choices
from components.generation_form.fields import Field, chosen_from, offer
from components.generation_form.layout import Layout
from components.generation_form.values import FormValues, own_defaults
from components.i18n import tr


class Offers:
    """Fills the pickers of a form; what is chosen in them stays."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def places(self, choices: Choices, values: FormValues, preset: Preset) -> None:
        """What can be made, and where this can be, as it stands now."""
        request = GenerationRequest(
            target=values.where,
            preset=preset.id,
            prompt="",
            sampler=values.sampler or "euler",
            scheduler=values.scheduler or "normal",
            checkpoint=values.checkpoint,
            vae=values.vae,
            loras=tuple(Lora(name=str(each["name"])) for each in values.loras),
        )
        if preset.version is not None:
            request = _saved_request(values, preset)
            about = preset.description
        else:
            about = tr(preset.description) if preset.description else ""
        self._layout.aim.offer(choices.makes(), choices.places(request, preset), about=about)

    def files(self, choices: Choices, values: FormValues, preset: Preset) -> None:
        """Samplers and model files of where it is to be made."""
        where = DEMO if values.backend == DEMO else values.where
        usual = own_defaults(preset)
        lists = {"sampler": choices.samplers(where), "scheduler": choices.schedulers(where)}
        for name, reported in lists.items():
            kept = filter(None, [usual[name], getattr(values, name)])
            offer(self._field(name), list(dict.fromkeys([*reported, *kept])))
        automatic = {} if preset.paid else {None: tr("Automatic")}
        checkpoints = {**automatic, **choices.checkpoints(where, preset)}
        offer(self._field("checkpoint"), _with(checkpoints, values.checkpoint))
        vaes = {None: tr("Of the checkpoint"), **choices.files(where, "vae")}
        offer(self._field("vae"), _with(vaes, values.vae))
        self._layout.loras.offer(choices.files(where, "loras"))

    def include(self, name: str, value: str) -> None:
        """Offer a value that can only be checked once all fields are filled."""
        field = self._field(name)
        known = chosen_from(field)
        if value not in known:
            offer(field, {**{each: str(each) for each in known}, value: value})

    def _field(self, name: str) -> Field:
        return self._layout.parts[name]


def _saved_request(values: FormValues, preset: Preset) -> GenerationRequest:
    """What decides where a saved workflow can run: the files that its options name."""
    own = {
        option.name: value
        for option in preset.options
        if option.field is None and (value := values.options.get(option.name)) is not None
    }
    return GenerationRequest(
        target=values.where,
        preset=preset.id,
        prompt="",
        checkpoint=values.options.get("checkpoint") or None,
        vae=values.options.get("vae") or None,
        options=own,
    )


def starting_from_picture(now: Preset, presets: Presets) -> Preset:
    """The preset that is most like the one chosen, and takes a picture."""
    ours = [each for each in presets.all() if each.version is None and not each.paid]
    able = [each for each in ours if "image" in each.fields]
    plain = [each for each in able if not each.needs_mask] or able
    like = (each for each in plain if each.family == now.family)
    usual = (each for each in plain if each.family in ("sdxl", "sd15"))
    return next(like, None) or next(usual, None) or plain[0]


def _with(options: dict[Any, str], chosen: str | None) -> dict[Any, str]:
    """The options, and what is chosen, because a picture was made with it or it is away now."""
    if chosen is None or chosen in options:
        return options
    return {**options, chosen: f"{chosen} — {tr('not there now')}"}
