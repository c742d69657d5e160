"""Graphs of the kinds that people run, small enough for tests."""

from typing import Any

Graph = dict[str, dict[str, Any]]


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def sampler(model: str = "1", latent: str = "5", **changed: Any) -> dict[str, Any]:
    inputs = {
        "seed": 7,
        "steps": 3,
        "cfg": 5.0,
        "sampler_name": "euler",
        "scheduler": "normal",
        "denoise": 1.0,
        "model": [model, 0],
        "positive": ["3", 0],
        "negative": ["4", 0],
        "latent_image": [latent, 0],
    }
    return node("KSampler", **(inputs | changed))


def saved(images: str = "8") -> dict[str, Any]:
    return node("SaveImage", images=[images, 0], filename_prefix="t")


def from_checkpoint(name: str, *, prompt: str = "a lake", latent: str = "Empty") -> Graph:
    """Text to image."""
    kind = "EmptySD3LatentImage" if latent == "SD3" else "EmptyLatentImage"
    return {
        "1": node("CheckpointLoaderSimple", ckpt_name=name),
        "3": node("CLIPTextEncode", text=prompt, clip=["1", 1]),
        "4": node("CLIPTextEncode", text="", clip=["1", 1]),
        "5": node(kind, width=64, height=64, batch_size=1),
        "6": sampler(),
        "8": node("VAEDecode", samples=["6", 0], vae=["1", 2]),
        "9": saved(),
    }


def repeated(count: int) -> Graph:
    """So many nodes: text to image again and again, and the rest to look at what comes out."""
    graph: Graph = {}
    for copy in range(count // 7):
        for key, each in from_checkpoint("demo_sd15.safetensors", prompt=f"a lake {copy}").items():
            inputs = {
                name: [f"{copy}{value[0]}", value[1]] if isinstance(value, list) else value
                for name, value in each["inputs"].items()
            }
            graph[f"{copy}{key}"] = {**each, "inputs": inputs}
    while len(graph) < count:
        graph[f"9000{len(graph)}"] = node("PreviewImage", images=["08", 0])
    return graph


def with_lora(weight: float, *, lora: str = "styles/demo_neon.safetensors") -> Graph:
    graph = from_checkpoint("demo_sd15.safetensors")
    graph["2"] = node(
        "LoraLoader",
        model=["1", 0],
        clip=["1", 1],
        lora_name=lora,
        strength_model=weight,
        strength_clip=weight,
    )
    graph["3"]["inputs"]["clip"] = graph["4"]["inputs"]["clip"] = ["2", 1]
    graph["6"] = sampler("2")
    return graph


def sd35() -> Graph:
    """With separate text encoders and shifted sampling."""
    graph = from_checkpoint("demo_sd35.safetensors", latent="SD3")
    graph["10"] = node(
        "TripleCLIPLoader",
        clip_name1="demo_clip_l.safetensors",
        clip_name2="demo_clip_g.safetensors",
        clip_name3="demo_t5xxl_fp8.safetensors",
    )
    graph["11"] = node("ModelSamplingSD3", model=["1", 0], shift=3.0)
    graph["12"] = node("ConditioningZeroOut", conditioning=["3", 0])
    graph["3"]["inputs"]["clip"] = ["10", 0]
    graph["6"] = sampler("11", negative=["12", 0])
    return graph


def flux_dev() -> Graph:
    """From a bare diffusion model."""
    return {
        "1": node("UNETLoader", unet_name="demo_flux1-dev.safetensors", weight_dtype="fp8_e4m3fn"),
        "2": node(
            "DualCLIPLoader",
            clip_name1="demo_clip_l.safetensors",
            clip_name2="demo_t5xxl_fp8.safetensors",
            type="flux",
        ),
        "7": node("VAELoader", vae_name="demo_ae.safetensors"),
        "10": node("CLIPTextEncode", text="a lake", clip=["2", 0]),
        "3": node("FluxGuidance", conditioning=["10", 0], guidance=3.5),
        "4": node("ConditioningZeroOut", conditioning=["10", 0]),
        "5": node("EmptySD3LatentImage", width=64, height=64, batch_size=1),
        "6": sampler(cfg=1.0),
        "8": node("VAEDecode", samples=["6", 0], vae=["7", 0]),
        "9": saved(),
    }


def image_to_image(image: str, *, denoise: float) -> Graph:
    graph = from_checkpoint("demo_sdxl.safetensors", prompt="a forest")
    graph["10"] = node("LoadImage", image=image)
    graph["11"] = node(
        "ImageScale",
        image=["10", 0],
        upscale_method="lanczos",
        width=64,
        height=64,
        crop="center",
    )
    graph["5"] = node("VAEEncode", pixels=["11", 0], vae=["1", 2])
    graph["6"] = sampler(denoise=denoise)
    return graph


def inpaint(image: str, *, with_grey: bool) -> Graph:
    """The masked part anew; the mask is the hole in the picture's alpha."""
    graph = from_checkpoint("demo_sd15.safetensors", prompt="a forest")
    graph["10"] = node("LoadImage", image=image)
    if with_grey:
        graph["5"] = node(
            "VAEEncodeForInpaint",
            pixels=["10", 0],
            vae=["1", 2],
            mask=["10", 1],
            grow_mask_by=0,
        )
        return graph
    graph["11"] = node("LoadImageMask", image=image, channel="alpha")
    graph["12"] = node("GrowMask", mask=["11", 0], expand=2, tapered_corners=True)
    graph["13"] = node("VAEEncode", pixels=["10", 0], vae=["1", 2])
    graph["5"] = node("SetLatentNoiseMask", samples=["13", 0], mask=["12", 0])
    return graph


def video(image: str, *, frames: int, checkpoint: str = "demo_svd.safetensors") -> Graph:
    return {
        "1": node("ImageOnlyCheckpointLoader", ckpt_name=checkpoint),
        "2": node("VideoLinearCFGGuidance", model=["1", 0], min_cfg=1.0),
        "10": node("LoadImage", image=image),
        "3": node(
            "SVD_img2vid_Conditioning",
            clip_vision=["1", 1],
            init_image=["10", 0],
            vae=["1", 2],
            width=128,
            height=72,
            video_frames=frames,
            motion_bucket_id=127,
            fps=6,
            augmentation_level=0.0,
        ),
        "6": sampler("2", negative=["3", 1], latent_image=["3", 2]),
        "8": node("VAEDecode", samples=["6", 0], vae=["1", 2]),
        "11": node("CreateVideo", images=["8", 0], fps=6.0),
        "9": node(
            "SaveVideo",
            video=["11", 0],
            filename_prefix="clips/t",
            format="mp4",
            **{"format.codec": "h264"},
        ),
        "12": node(
            "SaveAnimatedWEBP",
            images=["8", 0],
            filename_prefix="t",
            fps=6.0,
            lossless=False,
            quality=80,
            method="default",
        ),
    }


def upscale(image: str, *, model: str) -> Graph:
    return {
        "1": node("LoadImage", image=image),
        "2": node("UpscaleModelLoader", model_name=model),
        "3": node("ImageUpscaleWithModel", upscale_model=["2", 0], image=["1", 0]),
        "4": node("ImageScaleBy", image=["3", 0], upscale_method="lanczos", scale_by=0.5),
        "9": saved("3"),
        "10": node("SaveImage", images=["4", 0], filename_prefix="half"),
    }
