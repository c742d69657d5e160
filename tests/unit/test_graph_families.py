"""The family of a model file, told from its name."""

import pytest

from app.graphs.families import LABELS, Kin, kin_of


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("v1-5-pruned-emaonly.safetensors", "sd15"),
        ("v1-5-pruned-emaonly-fp16.safetensors", "sd15"),
        ("sd15.safetensors", "sd15"),
        ("demo_sd15.safetensors", "sd15"),
        ("sd-v1-4.ckpt", "sd15"),
        ("tiny_sd15_random.safetensors", "sd15"),
        ("dreamshaper_8.safetensors", "sd15"),
        ("realisticVisionV60B1_v51VAE.safetensors", "sd15"),
        ("SD1.5/anything.safetensors", "sd15"),
        ("SD 1.5\\anything.safetensors", "sd15"),
        ("sd_xl_base_1.0.safetensors", "sdxl"),
        ("sd_xl_turbo_1.0_fp16.safetensors", "sdxl"),
        ("demo_sdxl.safetensors", "sdxl"),
        ("juggernautXL_v9Rundiffusion.safetensors", "sdxl"),
        ("dreamshaperXL_v21TurboDPMSDE.safetensors", "sdxl"),
        ("ponyDiffusionV6XL.safetensors", "sdxl"),
        ("illustrious/waiNSFW_v140.safetensors", "sdxl"),
        ("noobaiXLNAIXL_vPred10.safetensors", "sdxl"),
        ("Pony/prefectPony.safetensors", "sdxl"),
        ("sd3.5_large.safetensors", "sd35"),
        ("sd3.5_medium_incl_clips_t5xxlfp8scaled.safetensors", "sd35"),
        ("stable-diffusion-3.5-large-turbo.safetensors", "sd35"),
        ("demo_sd35.safetensors", "sd35"),
        ("sd3_medium_incl_clips.safetensors", "sd3"),
        ("flux1-dev-fp8.safetensors", "flux-dev"),
        ("flux1-dev.safetensors", "flux-dev"),
        ("demo_flux1-dev.safetensors", "flux-dev"),
        ("flux1-schnell-fp8.safetensors", "flux-schnell"),
        ("demo_flux1-schnell-fp8.safetensors", "flux-schnell"),
        ("FLUX/flux1-schnell.sft", "flux-schnell"),
        ("flux1-fill-dev.safetensors", "flux-other"),
        ("flux1-dev-kontext_fp8_scaled.safetensors", "flux-other"),
        ("flux2-dev.safetensors", "flux-other"),
        ("svd.safetensors", "svd"),
        ("svd_xt.safetensors", "svd"),
        ("svd_xt_1_1.safetensors", "svd"),
        ("demo_svd.safetensors", "svd"),
        ("v2-1_768-ema-pruned.safetensors", "sd21"),
        ("512-base-ema.ckpt", "sd21"),
        ("stable_cascade_stage_c.safetensors", "cascade"),
        ("wan2.2_ti2v_5B_fp16.safetensors", "other"),
        ("hunyuan3d-dit-v2_fp16.safetensors", "other"),
        ("ltx-video-2b-v0.9.safetensors", "other"),
        ("qwen_image_fp8.safetensors", "other"),
        ("demo-painter.safetensors", None),
        ("my favourite merge.safetensors", None),
        ("model.v1.safetensors", None),
    ],
)
def test_the_name_tells_the_family(name: str, family: str | None) -> None:
    assert kin_of(name).family == family
    assert family is None or family in LABELS


@pytest.mark.parametrize(
    ("name", "kin"),
    [
        ("sd_xl_refiner_1.0.safetensors", Kin(family="sdxl", unfit=True)),
        ("sd-v1-5-inpainting.ckpt", Kin(family="sd15", special=True)),
        ("juggernautXL_lightning.safetensors", Kin(family="sdxl", few_steps=True)),
        ("sdxl_lightning_4step.safetensors", Kin(family="sdxl", few_steps=True)),
        ("flux1-schnell.safetensors", Kin(family="flux-schnell", few_steps=True)),
        ("sd_xl_base_1.0.safetensors", Kin(family="sdxl")),
        ("RealESRGAN_upscaler.safetensors", Kin(family=None, unfit=True)),
    ],
)
def test_the_name_tells_what_the_model_is_for(name: str, kin: Kin) -> None:
    assert kin_of(name) == kin


def test_the_name_of_the_file_counts_more_than_its_folder() -> None:
    assert kin_of("SDXL/v1-5-pruned.safetensors").family == "sd15"
