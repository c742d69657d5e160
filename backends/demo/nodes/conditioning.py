"""What samplers are asked for: words, and a first frame for videos."""

from dataclasses import replace

from PIL import Image, ImageOps

from backends.demo.nodes.base import Conditioning, Images, Latent, NodeContext, NodeResult
from backends.demo.wire import JsonDict

NO_ENCODER = (
    "ERROR: clip input is invalid: None\n\nIf the clip is from a checkpoint loader node your "
    "checkpoint does not contain a valid clip or text encoder model."
)


async def encode_text(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    return _encoded(inputs, "text")


async def encode_two_texts(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    return _encoded(inputs, "text_g", "text_l")


async def encode_flux_texts(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    return _encoded(inputs, "t5xxl", "clip_l")


async def encode_three_texts(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    return _encoded(inputs, "clip_g", "clip_l", "t5xxl")


def _encoded(inputs: JsonDict, *names: str) -> NodeResult:
    """The texts without repetitions. Raises RuntimeError when there is no text encoder."""
    if inputs["clip"] is None:
        raise RuntimeError(NO_ENCODER)
    texts = dict.fromkeys(inputs[name] for name in names)
    return NodeResult(outputs=(Conditioning(text=", ".join(text for text in texts if text)),))


async def combine(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    first: Conditioning = inputs["conditioning_1"]
    second: Conditioning = inputs["conditioning_2"]
    text = ", ".join(each.text for each in (first, second) if each.text)
    return NodeResult(outputs=(replace(first, text=text),))


async def zero_out(_context: NodeContext, _inputs: JsonDict) -> NodeResult:
    return NodeResult(outputs=(Conditioning(),))


async def keep_conditioning(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    return NodeResult(outputs=(inputs["conditioning"],))


async def image_to_video(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    """Asks for frames that start from a picture. Raises AttributeError without an encoder."""
    if inputs["clip_vision"] is None:
        raise AttributeError("'NoneType' object has no attribute 'encode_image'")
    images: Images = inputs["init_image"]
    size: tuple[int, int] = inputs["width"], inputs["height"]
    first = ImageOps.fit(images[0], size, method=Image.Resampling.BICUBIC)
    positive = Conditioning(init_image=first, motion=inputs["motion_bucket_id"])
    latent = Latent(width=size[0], height=size[1], batch_size=inputs["video_frames"])
    return NodeResult(outputs=(positive, Conditioning(), latent))
