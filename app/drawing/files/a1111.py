"""Pictures of the A1111 web UI and its kin: their settings made into a graph of ComfyUI.

They carry no graph but a text: the prompt, "Negative prompt: …", then "Steps: 20, Sampler: …".
What ComfyUI does otherwise, or not at all, is said in the findings.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from app.drawing.findings import Finding, Severity
from app.drawing.schema import Schemas
from app.graphs.choosing import find
from app.graphs.nodes import Graph
from app.graphs.samplers import nearest
from app.said import Said

_MAX_TEXT = 200_000
_NEGATIVE = "Negative prompt:"
_STEPS = re.compile(r"(?:^|\n)[ \t]*Steps: ?\d+")
_SETTING = re.compile(r'\s*([A-Za-z][\w /.-]{0,60}):\s*("(?:[^"\\]|\\.)*"|[^,]*)(?:,|$)')
_EXTRA = re.compile(r"<(lora|lyco|hypernet):([^:<>]{1,300})(?::([^:<>]{0,20}))?[^<>]{0,100}>")
_ONLY_THERE = re.compile(r"\bBREAK\b|\bAND\b|\[[^\[\]\n]{1,60}:[^\[\]\n]{0,60}:[\d. ]{1,10}\]")
_SIZE = re.compile(r"(\d{1,5}) ?x ?(\d{1,5})")
_TAKEN = frozenset(
    (
        "Steps", "Sampler", "Schedule type", "CFG scale", "Seed", "Size", "Model", "VAE",
        "Clip skip", "Denoising strength", "Hires upscale", "Hires steps", "Hires upscaler",
        "Hires resize", "TI hashes",
    )
)  # fmt: skip
_NO_MATTER = frozenset(
    ("Model hash", "VAE hash", "Lora hashes", "Version", "Hashes", "Hires CFG Scale", "RNG")
)
_SAMPLERS = (
    "euler", "euler_ancestral", "heun", "dpm_2", "dpm_2_ancestral", "lms", "dpm_fast",
    "dpm_adaptive", "dpmpp_2s_ancestral", "dpmpp_sde", "dpmpp_2m", "dpmpp_2m_sde",
    "dpmpp_3m_sde", "ddpm", "lcm", "ddim", "uni_pc", "uni_pc_bh2",
)  # fmt: skip
_SCHEDULERS = (
    "simple", "sgm_uniform", "karras", "exponential", "ddim_uniform", "beta", "normal",
    "linear_quadratic", "kl_optimal",
)  # fmt: skip
_ENDINGS = (".safetensors", ".ckpt", ".pt", ".pth", ".sft", ".gguf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What such a text says."""

    prompt: str
    negative: str
    named: Mapping[str, str]
    loras: tuple[tuple[str, float], ...] = ()
    others: tuple[str, ...] = ()  # of the prompt, which ComfyUI has no node for


def parse(text: str) -> Settings | None:
    """The settings in a text; None if it is none of these."""
    text = text[:_MAX_TEXT].replace("\r\n", "\n").strip()
    steps = list(_STEPS.finditer(text))
    if not steps:
        return None
    words, tail = text[: steps[-1].start()], text[steps[-1].start() :].strip()
    prompt, _, negative = words.partition(_NEGATIVE)
    named = {key.strip(): value.strip().strip('"') for key, value in _SETTING.findall(tail)}
    loras: list[tuple[str, float]] = []
    others: list[str] = []
    for kind, name, weight in _EXTRA.findall(prompt):
        if kind == "lora":
            loras.append((name.strip(), _number(weight, default=1.0)))
        else:
            others.append(f"{kind}:{name}")
    others += dict.fromkeys(_ONLY_THERE.findall(words))
    inside = [part.partition(":")[0].strip() for part in named.get("TI hashes", "").split(",")]
    return Settings(
        prompt=_embedded(_EXTRA.sub("", prompt).strip(), inside),
        negative=_embedded(_EXTRA.sub("", negative).strip(), inside),
        named=named,
        loras=tuple(loras),
        others=tuple(others),
    )


def to_graph(settings: Settings, *, schemas: Schemas) -> tuple[Graph, tuple[Finding, ...]]:
    """The graph that makes such a picture, and what is different from there."""
    making = _Making(settings, schemas=schemas)
    making.models()
    making.prompts()
    making.first_pass()
    if "Hires upscale" in settings.named or "Hires resize" in settings.named:
        making.second_pass()
    elif "Denoising strength" in settings.named:
        making.say(
            "no_start_image",
            Said("This picture was made from another one, which is not in the file."),
            fix=Said("Put Load Image and VAE Encode in the place of the empty latent image."),
        )
    making.end()
    making.report()
    return making.graph, tuple(making.findings)


class _Making:
    """Builds the graph, step by step."""

    def __init__(self, settings: Settings, *, schemas: Schemas) -> None:
        self.graph: Graph = {}
        self.findings: list[Finding] = []
        self._told = settings.named
        self._settings = settings
        self._schemas = schemas
        self._size = (512, 512)

    def say(self, code: str, message: str, *, fix: str = "") -> None:
        """Note what is different from there."""
        self.findings.append(Finding(severity=Severity.INFO, code=code, message=message, fix=fix))

    def models(self) -> None:
        """The checkpoint, LoRAs and VAE."""
        name = self._told.get("Model", "")
        checkpoint = self._file("CheckpointLoaderSimple", "ckpt_name", name)
        loader = self._add("CheckpointLoaderSimple", ckpt_name=checkpoint)
        self._model: list[Any] = [loader, 0]
        self._clip: list[Any] = [loader, 1]
        self._vae: list[Any] = [loader, 2]
        for lora, weight in self._settings.loras:
            node = self._add(
                "LoraLoader",
                model=self._model,
                clip=self._clip,
                lora_name=self._file("LoraLoader", "lora_name", lora),
                strength_model=weight,
                strength_clip=weight,
            )
            self._model, self._clip = [node, 0], [node, 1]
        vae = self._told.get("VAE", "")
        if vae and vae not in ("None", "Automatic"):
            self._vae = [
                self._add("VAELoader", vae_name=self._file("VAELoader", "vae_name", vae)),
                0,
            ]
        skip = int(_number(self._told.get("Clip skip", ""), default=1))
        if 1 < skip <= 24:
            node = self._add("CLIPSetLastLayer", clip=self._clip, stop_at_clip_layer=-skip)
            self._clip = [node, 0]

    def prompts(self) -> None:
        """Both prompts."""
        texts = (("Prompt", self._settings.prompt), ("Negative prompt", self._settings.negative))
        self._conditioning = [
            [self._add("CLIPTextEncode", title=title, clip=self._clip, text=text), 0]
            for title, text in texts
        ]

    def first_pass(self) -> None:
        """The picture at its first size."""
        match = _SIZE.fullmatch(self._told.get("Size", ""))
        if match:
            self._size = (_side(match[1]), _side(match[2]))
        width, height = self._size
        latent = self._add("EmptyLatentImage", width=width, height=height, batch_size=1)
        self._sampler, self._scheduler = self._names()
        self._latent: list[Any] = [latent, 0]
        self._sample(steps=self._count("Steps", default=20), denoise=1.0)

    def second_pass(self) -> None:
        """The picture enlarged and sampled again."""
        width, height = self._target()
        upscaler = self._told.get("Hires upscaler", "Latent")
        if upscaler.startswith("Latent"):
            node = self._add(
                "LatentUpscale",
                samples=self._latent,
                upscale_method="nearest-exact",
                width=width,
                height=height,
                crop="disabled",
            )
            self._latent = [node, 0]
        else:
            self._enlarge(upscaler, width=width, height=height)
        steps = self._count("Hires steps", default=0) or self._count("Steps", default=20)
        denoise = _number(self._told.get("Denoising strength", ""), default=0.7)
        self._sample(steps=steps, denoise=min(max(denoise, 0.0), 1.0))

    def end(self) -> None:
        """The picture saved."""
        image = self._add("VAEDecode", samples=self._latent, vae=self._vae)
        self._add("SaveImage", images=[image, 0], filename_prefix="ComfyUI")

    def report(self) -> None:
        """What was in the text and is not in the graph."""
        left = [key for key in self._told if key not in _TAKEN | _NO_MATTER]
        if left:
            names = ", ".join(left[:30])
            self.say(
                "not_taken_over", Said("These settings were not taken over: {names}.", names=names)
            )
        if self._settings.others:
            words = ", ".join(self._settings.others[:30])
            self.say(
                "prompt_words",
                Said("ComfyUI reads this in the prompt as plain words: {words}.", words=words),
            )

    def _enlarge(self, upscaler: str, *, width: int, height: int) -> None:
        image = [self._add("VAEDecode", samples=self._latent, vae=self._vae), 0]
        file = self._file("UpscaleModelLoader", "model_name", upscaler, otherwise="")
        if file:
            loader = self._add("UpscaleModelLoader", model_name=file)
            node = self._add("ImageUpscaleWithModel", upscale_model=[loader, 0], image=image)
            image = [node, 0]
        elif upscaler not in ("Lanczos", "Nearest", "None"):
            self.say(
                "upscaler",
                Said("No backend has the upscaler {name}; plain enlarging is used.", name=upscaler),
            )
        node = self._add(
            "ImageScale",
            image=image,
            upscale_method="lanczos",
            width=width,
            height=height,
            crop="disabled",
        )
        self._latent = [self._add("VAEEncode", pixels=[node, 0], vae=self._vae), 0]

    def _sample(self, *, steps: int, denoise: float) -> None:
        seed = int(_number(self._told.get("Seed", ""), default=0)) % 2**64
        if self._told.get("Seed", "").isdecimal():
            seed = int(self._told["Seed"][:30]) % 2**64
        node = self._add(
            "KSampler",
            model=self._model,
            positive=self._conditioning[0],
            negative=self._conditioning[1],
            latent_image=self._latent,
            seed=seed,
            steps=steps,
            cfg=min(max(_number(self._told.get("CFG scale", ""), default=7.0), 0.0), 100.0),
            sampler_name=self._sampler,
            scheduler=self._scheduler,
            denoise=denoise,
        )
        self._latent = [node, 0]

    def _names(self) -> tuple[str, str]:
        wanted = self._told.get("Sampler", "Euler")
        schedule = self._told.get("Schedule type", "normal")
        found = nearest(
            wanted,
            scheduler=schedule,
            samplers=self._choices("KSampler", "sampler_name") or _SAMPLERS,
            schedulers=self._choices("KSampler", "scheduler") or _SCHEDULERS,
        )
        self.say(
            "sampler",
            Said(
                "{sampler} is {here} with the scheduler {scheduler} in ComfyUI.",
                sampler=wanted,
                here=found[0],
                scheduler=found[1],
            ),
        )
        return found

    def _target(self) -> tuple[int, int]:
        match = _SIZE.fullmatch(self._told.get("Hires resize", ""))
        if match and int(match[1]) and int(match[2]):
            return _side(match[1]), _side(match[2])
        factor = min(max(_number(self._told.get("Hires upscale", ""), default=2.0), 1.0), 8.0)
        width, height = self._size
        return _side(width * factor), _side(height * factor)

    def _count(self, key: str, *, default: int) -> int:
        return min(max(int(_number(self._told.get(key, ""), default=default)), 0), 10_000)

    def _file(
        self, class_type: str, name: str, wanted: str, *, otherwise: str | None = None
    ) -> str:
        """The file of that name that backends have; else what it would be called."""
        offered = self._choices(class_type, name)
        tries = [wanted, *(f"{wanted}{ending}" for ending in _ENDINGS)] if wanted else []
        for each in tries:
            if (file := find(each, offered=offered)) is not None:
                return file
        if otherwise is not None:
            return otherwise
        plain = PurePosixPath(wanted.replace("\\", "/")).name or "model"
        return plain if plain.endswith(_ENDINGS) else f"{plain}.safetensors"

    def _choices(self, class_type: str, name: str) -> Sequence[str]:
        schema = self._schemas.get(class_type)
        spec = schema.input(name) if schema else None
        return [each for each in spec.choices if isinstance(each, str)] if spec else []

    def _add(self, class_type: str, *, title: str = "", **inputs: Any) -> str:
        node_id = str(len(self.graph) + 1)
        self.graph[node_id] = {
            "class_type": class_type,
            "inputs": inputs,
            "_meta": {"title": title},
        }
        return node_id


def _number(text: str, *, default: float) -> float:
    match = re.match(r"-?\d{1,15}(\.\d{1,10})?", text.strip())
    return float(match[0]) if match else default


def _side(value: str | float) -> int:
    """A width or height as latent pictures have it."""
    return min(max(round(float(value) / 8) * 8, 16), 16_384)


def _embedded(text: str, names: Sequence[str]) -> str:
    """The prompt with embeddings as ComfyUI wants them named."""
    for name in names[:50]:
        if name:
            text = re.sub(rf"(?<![\w:]){re.escape(name)}(?!\w)", _prefixed, text)
    return text


def _prefixed(match: re.Match[str]) -> str:
    return f"embedding:{match[0]}"
