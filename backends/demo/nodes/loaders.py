"""Loading models: names become things with a family."""

from backends.demo.models import Family, Model, family_of, named_vae, upscale_factor, vae_of
from backends.demo.nodes.base import NodeContext, NodeResult
from backends.demo.wire import JsonDict


async def load_checkpoint(context: NodeContext, inputs: JsonDict) -> NodeResult:
    """Model, text encoder and VAE; a video checkpoint has no text encoder."""
    name: str = inputs["ckpt_name"]
    await context.load_checkpoint(name)
    clip = None if family_of(name) is Family.SVD else f"clip of {name}"
    return NodeResult(outputs=(Model(name=name), clip, vae_of(name)))


async def load_video_checkpoint(context: NodeContext, inputs: JsonDict) -> NodeResult:
    """Model, image encoder and VAE; only a video checkpoint has an image encoder."""
    name: str = inputs["ckpt_name"]
    await context.load_checkpoint(name)
    vision = f"clip vision of {name}" if family_of(name) is Family.SVD else None
    return NodeResult(outputs=(Model(name=name), vision, vae_of(name)))


async def load_diffusion_model(context: NodeContext, inputs: JsonDict) -> NodeResult:
    name: str = inputs["unet_name"]
    await context.load_checkpoint(name)
    return NodeResult(outputs=(Model(name=name),))


async def load_text_encoders(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    names = [value for name, value in inputs.items() if name.startswith("clip_name")]
    return NodeResult(outputs=(f"clip of {', '.join(names)}",))


async def load_vae(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    return NodeResult(outputs=(named_vae(inputs["vae_name"]),))


async def load_lora(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    model: Model = inputs["model"]
    patched = model.with_lora(inputs["lora_name"], weight=inputs["strength_model"])
    return NodeResult(outputs=(patched, inputs.get("clip")))


async def load_upscale_model(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    return NodeResult(outputs=(upscale_factor(inputs["model_name"]),))


async def keep_model(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    """Stands in for patches of the model that change nothing one could paint."""
    return NodeResult(outputs=(inputs["model"],))


async def keep_clip(_context: NodeContext, inputs: JsonDict) -> NodeResult:
    return NodeResult(outputs=(inputs["clip"],))
