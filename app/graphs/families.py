"""Which family of models a file belongs to, told from its name and folder."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from app.said import Said


@dataclass(frozen=True, slots=True, kw_only=True)
class Kin:
    """What the name of a model file tells."""

    family: str | None  # a key of LABELS; None: cannot be told
    special: bool = False  # made for something else than pictures from a prompt
    few_steps: bool = False  # turbo, lightning, …: other steps and cfg than usual
    unfit: bool = False  # no model that makes pictures by itself


LABELS: Mapping[str, str] = {
    "sd15": "SD 1.5",
    "sd21": "SD 2",
    "sdxl": "SDXL",
    "sd3": "SD 3",
    "sd35": "SD 3.5",
    "flux-dev": "FLUX dev",
    "flux-schnell": "FLUX schnell",
    "flux-other": "FLUX",
    "svd": "Stable Video Diffusion",
    "cascade": "Stable Cascade",
    "other": Said("another family"),
}
"""What people call the families."""

# The first line that fits decides; a name is small letters with words split by single spaces.
_OTHERS = (
    r"\bwan ?[2v]|\bwan\b|hunyuan|\bltx|mochi|cosmos|cogvideo|animatediff|qwen|chroma|hidream|"
    r"pixart|\baura ?flow|lumina|kolors|omnigen|stable audio|\bace step|playground|z image|"
    r"kandinsky|deepfloyd|stable zero|zero123|\bsonic\b"
)
_KNOWN_SDXL = (
    r"xl|pony|illustrious|noob ?ai|animagine|juggernaut x|\bssd 1b|segmind vega|\bnova ?anime"
)
_KNOWN_SD15 = (
    r"sd ?v?1[. ]?[45]|\bv1[. ][45]|\b1[. ]5\b|stable diffusion v?1|\bdreamshaper\b|"
    r"realistic ?vision|deliberate|anything ?v|abyssorange|counterfeit|\brev ?animated|"
    r"chillout ?mix|meina(mix|hentai|pastel)|epicrealism\b|majicmix|absolutereality|"
    r"cyberrealistic v|photon v|openjourney|\bf222\b|analog diffusion"
)
_RULES: tuple[tuple[str, str], ...] = (
    (r"\bsvd|stable video|img2vid|image to video", "svd"),
    (_OTHERS, "other"),
    (r"cascade|wuerstchen|stage [abc]\b", "cascade"),
    (r"schnell", "flux-schnell"),
    (r"flux.*(kontext|fill|canny|depth|redux)|flux ?\.?2\b|klein", "flux-other"),
    (r"flux", "flux-dev"),
    (r"sd ?3[. ]?5|stable diffusion 3[. ]5", "sd35"),
    (r"\bsd ?3\b|stable diffusion 3\b", "sd3"),
    (r"\bsd ?2\b|\bsd ?2[. ][01]|v2[ -]1|\b768 v ema|512 base ema|stable diffusion 2", "sd21"),
    (_KNOWN_SDXL, "sdxl"),
    (_KNOWN_SD15, "sd15"),
)
_SPECIAL = re.compile(
    r"inpaint|instruct|pix2pix|unclip|\bip2p|\bdepth\b|\bcanny\b|\bfill\b|kontext|redux"
)
_UNFIT = re.compile(r"refiner|upscal|controlnet|\bvae\b|\blora\b|text encoder|clip vision")
_FEW_STEPS = re.compile(r"turbo|lightning|hyper ?sd|\bhyper\b|\blcm\b|schnell|dmd2?\b|\d ?steps?\b")


@lru_cache(maxsize=4096)
def kin_of(name: str) -> Kin:
    """What the name of a file tells, folders included; the file's own name counts first."""
    *folders, file = re.split(r"[\\/]+", name)
    own = words_of(file)
    whole = words_of(" ".join([*folders, file]))
    return Kin(
        family=_family(own) or _family(whole),
        special=_SPECIAL.search(whole) is not None,
        few_steps=_FEW_STEPS.search(whole) is not None,
        unfit=_UNFIT.search(own) is not None,
    )


def words_of(name: str) -> str:
    """A name in small letters, without its suffix, its words split by single spaces."""
    # Word boundaries of regular expressions are blind to underscores, which names use for spaces.
    return re.sub(r"[\s_\-+()\[\]/\\]+", " ", _without_suffix(name).lower())


def _family(words: str) -> str | None:
    return next((family for rule, family in _RULES if re.search(rule, words)), None)


def _without_suffix(file: str) -> str:
    return re.sub(r"\.(safetensors|ckpt|pth?|bin|gguf|sft)$", "", file, flags=re.IGNORECASE)
