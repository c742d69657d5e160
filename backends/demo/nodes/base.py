"""What every node gets and gives: its context, its result, and what travels along links."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from PIL import Image

from backends.demo.files import PngText, Workspace
from backends.demo.wire import JsonDict

LATENT_SCALE = 8
GREY = (127, 121, 115)  # what a VAE makes of an empty latent
RESAMPLING = {
    "nearest-exact": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "area": Image.Resampling.BOX,
    "bicubic": Image.Resampling.BICUBIC,
    "bislerp": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

Images = list[Image.Image]  # a batch: all of one size, RGB
Masks = list[Image.Image]  # a batch: mode L, 255 is masked


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeResult:
    """What a node hands on, and what it shows."""

    outputs: tuple[Any, ...] = ()
    ui: JsonDict | None = None


class NodeContext(Protocol):
    """What a running node may use."""

    files: Workspace
    png_text: PngText
    step_delay_s: float
    preview_side_px: int

    async def load_checkpoint(self, name: str) -> None: ...

    async def pause(self, seconds: float) -> None: ...

    async def advance(
        self, step: int, *, steps: int, preview: Callable[[], Image.Image] | None
    ) -> None:
        """Tells about a step of sampling, with a picture when somebody wants it."""
        ...

    async def report(self, value: int, *, total: int, picture: Image.Image | None) -> None:
        """Tells about any other progress; the picture is sent whole, as PNG."""
        ...


NodeRunner = Callable[[NodeContext, JsonDict], Awaitable[NodeResult]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Latent:
    """A batch of pictures to be; `pictures` is empty until something was encoded or sampled."""

    width: int  # of the picture, not of the latent
    height: int
    batch_size: int
    channels: int = 4
    pictures: tuple[Image.Image, ...] = field(default=(), repr=False)
    noise_mask: Image.Image | None = field(default=None, repr=False)  # 255 is to be sampled

    @property
    def shape(self) -> list[int]:
        """As a tensor would show it."""
        side = LATENT_SCALE
        return [self.batch_size, self.channels, self.height // side, self.width // side]

    def seen(self, index: int) -> Image.Image:
        """The picture at that place of the batch, grey where there is none."""
        if self.pictures:
            return self.pictures[index % len(self.pictures)]
        return Image.new("RGB", (self.width, self.height), GREY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditioning:
    """What a sampler is asked for."""

    text: str = ""
    init_image: Image.Image | None = field(default=None, repr=False)  # video starts from it
    motion: int = 0  # motion bucket of a video


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """Frames with their speed."""

    frames: Images = field(repr=False)
    fps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Audio:
    """Silence of a length."""

    duration_s: float
    sample_rate: int
    channels: int
