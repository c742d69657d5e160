"""The models this engine pretends to have: their families, sizes, and how they bend a picture."""

from dataclasses import dataclass, replace
from enum import StrEnum

from backends.demo.painting.noise import stable_seed
from backends.demo.painting.palette import Tint
from backends.demo.wire import JsonDict

GIB = 1024**3


class Family(StrEnum):
    """What a model was made from."""

    SD15 = "sd15"
    SDXL = "sdxl"
    SD35 = "sd35"
    FLUX = "flux"
    SVD = "svd"


_MARKS = (  # the first mark that the name holds decides
    ("flux", Family.FLUX),
    ("sd3", Family.SD35),
    ("svd", Family.SVD),
    ("xl", Family.SDXL),
)
_SIZES = {
    Family.SD15: 2 * GIB,
    Family.SDXL: 6 * GIB,
    Family.SD35: 11 * GIB,
    Family.FLUX: 16 * GIB,
    Family.SVD: 4 * GIB,
}
_ARCHITECTURES = {
    Family.SD15: "stable-diffusion-v1",
    Family.SDXL: "stable-diffusion-xl-v1-base",
    Family.SD35: "stable-diffusion-v3.5-large",
    Family.FLUX: "flux-1",
    Family.SVD: "stable-video-diffusion-img2vid-v1",
}
# Turn and chroma, so that the same words look a little different with each family.
_LOOKS = {
    Family.SD15: Tint(),
    Family.SDXL: Tint(turn=7.0, chroma=1.1),
    Family.SD35: Tint(turn=-8.0, chroma=0.94),
    Family.FLUX: Tint(turn=13.0, chroma=1.16),
    Family.SVD: Tint(),
}
_LORA_HUES = {"ember": 45.0, "ink": 262.0, "neon": 335.0}
_WIDE = (Family.SD35, Family.FLUX)  # their latents have 16 channels


def family_of(name: str) -> Family:
    """The family that the name of a model file tells of; SD 1.5 when it tells nothing."""
    lowered = name.rpartition("/")[2].lower()
    return next((family for mark, family in _MARKS if mark in lowered), Family.SD15)


def size_bytes(name: str) -> int:
    """The memory a loaded model would take."""
    return _SIZES[family_of(name)]


def metadata_of(name: str, *, folder: str) -> JsonDict:
    """What the header of the model's file would tell, all of it text."""
    architecture = _ARCHITECTURES[family_of(name)]
    if folder == "loras":
        architecture += "/lora"
    title = name.rpartition("/")[2].rpartition(".")[0]
    return {"modelspec.architecture": architecture, "modelspec.title": f"{title} (demo)"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A loaded model and what was put on it."""

    name: str
    loras: tuple[tuple[str, float], ...] = ()  # name and weight

    @property
    def family(self) -> Family:
        return family_of(self.name)

    @property
    def channels(self) -> int:
        return 16 if self.family in _WIDE else 4

    def with_lora(self, name: str, *, weight: float) -> "Model":
        return replace(self, loras=(*self.loras, (name, weight)))

    def tints(self) -> tuple[Tint, ...]:
        """How it bends the colours of what it paints."""
        look = _LOOKS[self.family]
        if "storybook" in self.name:
            look = Tint(turn=24.0, chroma=0.8)
        loras = [Tint(hue=_lora_hue(name), weight=weight) for name, weight in self.loras]
        return (look, *(tint for tint in loras if tint.weight))


@dataclass(frozen=True, slots=True, kw_only=True)
class Vae:
    """Turns latents into pictures; `channels` is what a latent must have for it."""

    name: str
    channels: int


def vae_of(checkpoint: str) -> Vae:
    """The VAE that comes with a checkpoint."""
    return Vae(name=checkpoint, channels=Model(name=checkpoint).channels)


def named_vae(name: str) -> Vae:
    """A VAE from a file of its own."""
    if name == "pixel_space":
        return Vae(name=name, channels=3)
    wide = name.rpartition("/")[2].lower().removeprefix("demo_").startswith("ae")
    return Vae(name=name, channels=16 if wide or family_of(name) in _WIDE else 4)


def upscale_factor(name: str) -> int:
    """How much larger an upscale model makes a picture."""
    return 2 if "2x" in name.lower() or "x2" in name.lower() else 4


def _lora_hue(name: str) -> float:
    """Degrees; by the name where it tells, else anything that stays the same."""
    for mark, hue in _LORA_HUES.items():
        if mark in name.lower():
            return hue
    return float(stable_seed("lora", name) % 360)
