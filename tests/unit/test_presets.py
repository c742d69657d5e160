"""What a backend can run, and the graph of a request for it."""

from dataclasses import replace
from typing import Any

import pytest

from app.errors import InvalidRequestError, MissingCapabilityError
from app.graphs.nodes import is_link, required_classes
from app.models import Catalog, GenerationRequest, Lora
from app.presets import BuiltGraph, Presets, SavedAs, uploaded_name
from app.said import Said
from data.presets import load_presets

PRESETS = load_presets()
PICTURE = "a" * 64 + ".png"
MASK = "b" * 64 + ".png"
ENCODERS = ("clip_g.safetensors", "clip_l.safetensors", "t5xxl_fp16.safetensors")


def catalog(*checkpoints: str, without: tuple[str, ...] = (), **folders: Any) -> Catalog:
    """A server with every node class the presets need."""
    classes = {
        name
        for preset in PRESETS.all()
        for variant in preset.variants
        for name in required_classes(variant.graph)
    }
    return Catalog(
        node_classes=frozenset({*classes, "LoraLoader", "VAELoader"} - set(without)),
        models={"checkpoints": checkpoints, **folders},
        samplers=("euler", "euler_ancestral", "dpmpp_2m"),
        schedulers=("normal", "karras", "simple", "sgm_uniform"),
    )


def request(preset: str = "text-to-image", **changes: Any) -> GenerationRequest:
    """A request of a preset."""
    return GenerationRequest(**{"target": "auto", "prompt": "a fox", "preset": preset, **changes})


def build(asked: GenerationRequest, on: Catalog) -> BuiltGraph:
    """Its graph, for an attempt."""
    return PRESETS.build(asked, prefix="attempt-7", catalog=on)


def node(built: BuiltGraph, class_type: str) -> dict[str, Any]:
    """The inputs of the only node of a class."""
    found = [each["inputs"] for each in built.graph.values() if each["class_type"] == class_type]
    assert len(found) == 1
    return found[0]


SD15 = catalog("v1-5-pruned.safetensors")


def test_every_value_of_the_request_reaches_its_node() -> None:
    asked = request(
        negative_prompt="rain",
        width=640,
        height=384,
        steps=7,
        cfg=4.5,
        sampler="dpmpp_2m",
        scheduler="karras",
        seed=2**64 - 1,
        checkpoint="b.safetensors",
    )

    built = build(asked, catalog("a.safetensors", "b.safetensors"))

    sampler = node(built, "KSampler")
    assert (sampler["seed"], sampler["steps"], sampler["cfg"]) == (2**64 - 1, 7, 4.5)
    assert (sampler["sampler_name"], sampler["scheduler"]) == ("dpmpp_2m", "karras")
    assert node(built, "CheckpointLoaderSimple") == {"ckpt_name": "b.safetensors"}
    assert node(built, "EmptyLatentImage") == {"width": 640, "height": 384, "batch_size": 1}
    assert built.graph[sampler["positive"][0]]["inputs"]["text"] == "a fox"
    assert built.graph[sampler["negative"][0]]["inputs"]["text"] == "rain"
    assert node(built, "SaveImage")["filename_prefix"] == "attempt-7"
    assert built.saves == (SavedAs(node_id="9", prefix="attempt-7", suffixes=(".png",)),)
    assert (built.notices, built.inputs) == ((), ())


@pytest.mark.parametrize(
    ("preset", "checkpoints", "used"),
    [
        ("text-to-image", ("unknown.ckpt", "sdxl.ckpt"), "unknown.ckpt"),
        (
            "text-to-image",
            ("svd_xt.ckpt", "sd_xl_refiner.ckpt", "flux1-dev.ckpt"),
            "flux1-dev.ckpt",
        ),
        ("text-to-image", ("sd15-inpainting.ckpt", "sdxl_turbo.ckpt", "sd15.ckpt"), "sd15.ckpt"),
        ("text-to-image", ("sd15-inpainting.ckpt", "sdxl_turbo.ckpt"), "sdxl_turbo.ckpt"),
        ("sd15", ("sd_xl_base.ckpt", "v1-5.ckpt"), "v1-5.ckpt"),
        ("sdxl", ("sd_xl_refiner_1.0.ckpt", "sdxl_lightning.ckpt", "pony.ckpt"), "pony.ckpt"),
        ("sdxl", ("demo_sd15.safetensors", "demo_sdxl.safetensors"), "demo_sdxl.safetensors"),
        ("sdxl", ("SDXL/mine.ckpt", "other.ckpt"), "SDXL/mine.ckpt"),
        ("sd35", ("sd3_medium.ckpt", "sd3.5_large.ckpt"), "sd3.5_large.ckpt"),
        (
            "flux-schnell",
            ("flux1-dev-fp8.ckpt", "flux1-schnell-fp8.ckpt"),
            "flux1-schnell-fp8.ckpt",
        ),
        ("flux-dev", ("flux1-schnell-fp8.ckpt", "flux1-dev-fp8.ckpt"), "flux1-dev-fp8.ckpt"),
        ("svd", ("v1-5.ckpt", "svd_xt.ckpt"), "svd_xt.ckpt"),
    ],
)
def test_the_best_checkpoint_of_its_family_is_used(
    preset: str, checkpoints: tuple[str, ...], used: str
) -> None:
    fit = PRESETS.fit(request(preset), catalog(*checkpoints))

    assert fit.ok
    assert fit.model_key == used
    assert not any("Nothing tells" in notice for notice in fit.notices)


def test_a_checkpoint_of_unknown_family_is_used_last_and_with_a_notice() -> None:
    fit = PRESETS.fit(request("sdxl"), catalog("v1-5.ckpt", "mystery.ckpt"))

    assert fit.ok
    assert fit.model_key == "mystery.ckpt"
    assert any("Nothing tells that mystery.ckpt is a model for SDXL" in n for n in fit.notices)


def test_a_checkpoint_of_another_family_is_not_used() -> None:
    fit = PRESETS.fit(request("sdxl"), catalog("v1-5.ckpt", "svd.ckpt"))

    assert fit.missing == ("a checkpoint of family SDXL",)
    assert isinstance(fit.missing[0], Said)


def test_an_explicit_checkpoint_of_another_family_is_used_with_a_notice() -> None:
    fit = PRESETS.fit(request("sdxl", checkpoint="v1-5.ckpt"), catalog("v1-5.ckpt", "sdxl.ckpt"))

    assert fit.model_key == "v1-5.ckpt"
    assert any("looks like a model of SD 1.5" in notice for notice in fit.notices)


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        ("a.safetensors", "a.safetensors"),
        ("sdxl/a.safetensors", "sdxl\\a.safetensors"),
        ("a.safetensors", "some/folder/a.safetensors"),
        ("old/A.safetensors", "new/a.safetensors"),
    ],
)
def test_a_file_is_found_in_another_folder_and_by_another_slash(wanted: str, there: str) -> None:
    fit = PRESETS.fit(request(checkpoint=wanted), catalog("x.safetensors", there))

    assert fit.ok
    assert fit.model_key == there


def test_a_missing_checkpoint_is_named_with_the_one_that_was_meant() -> None:
    fit = PRESETS.fit(request(checkpoint="sd_xl_base_1.0.ckpt"), catalog("sdxl_base_1.0.ckpt"))

    assert fit.missing == ("sd_xl_base_1.0.ckpt (there is sdxl_base_1.0.ckpt)",)


def test_what_is_missing_is_raised_with_what_is_there() -> None:
    asked = request(checkpoint="nope.ckpt", vae="no.vae", loras=(Lora(name="no-lora"),))

    with pytest.raises(MissingCapabilityError, match=r"nope\.ckpt, no\.vae, no-lora") as caught:
        build(asked, catalog("first.ckpt", "second.ckpt"))

    assert "first.ckpt, second.ckpt" in caught.value.fix


def test_a_backend_without_checkpoints_lacks_one() -> None:
    with pytest.raises(MissingCapabilityError, match="lacks a checkpoint") as caught:
        build(request(), catalog())

    assert "models/checkpoints" in caught.value.fix


def test_a_missing_node_class_is_named() -> None:
    fit = PRESETS.fit(request("sd35"), catalog("sd3.5.ckpt", without=("ModelSamplingSD3",)))

    assert fit.missing == ("node class ModelSamplingSD3",)


def test_a_preset_that_is_gone_cannot_be_run() -> None:
    assert PRESETS.fit(request("long-gone"), SD15).missing == ("the preset long-gone",)


def test_loras_are_chained_between_the_loader_and_those_who_use_it() -> None:
    loras = (Lora(name="one", weight=0.5), Lora(name="folder/two", weight=-1.0, clip_weight=0.25))

    built = build(request("sd15", loras=loras), catalog("sd15.ckpt", loras=("one", "folder/two")))

    first, second = built.graph["lora1"]["inputs"], built.graph["lora2"]["inputs"]
    assert (first["model"], first["clip"]) == (["4", 0], ["4", 1])
    assert (second["model"], second["clip"]) == (["lora1", 0], ["lora1", 1])
    assert (first["lora_name"], first["strength_model"], first["strength_clip"]) == (
        "one",
        0.5,
        0.5,
    )
    assert (second["strength_model"], second["strength_clip"]) == (-1.0, 0.25)
    assert node(built, "KSampler")["model"] == ["lora2", 0]
    assert [built.graph[key]["inputs"]["clip"] for key in ("6", "7")] == [["lora2", 1]] * 2
    assert node(built, "VAEDecode")["vae"] == ["4", 2]


def test_a_vae_takes_the_place_of_the_checkpoints_own() -> None:
    asked = request("sd15-image", vae="mine.vae", image=PICTURE)

    built = build(asked, catalog("sd15.ckpt", vae=("sub/mine.vae",)))

    assert node(built, "VAELoader") == {"vae_name": "sub/mine.vae"}
    assert node(built, "VAEDecode")["vae"] == node(built, "VAEEncode")["vae"] == ["vae", 0]


@pytest.mark.parametrize("preset", [each for each in PRESETS.all() if each.kind == "comfyui"])
def test_every_link_of_every_graph_leads_to_a_node(preset: Any) -> None:
    on = catalog(
        "sd15.ckpt", "sdxl.ckpt", "sd3.5.ckpt", "flux1-dev.ckpt", "flux1-schnell.ckpt", "svd.ckpt",
        loras=("one",), vae=("ae.safetensors",),
    )  # fmt: skip
    loras = (Lora(name="one"),) if "loras" in preset.fields else ()
    pictures = {"image": PICTURE, "mask": MASK} if preset.needs_mask else {"image": PICTURE}

    graph = build(request(preset.id, loras=loras, **pictures, **preset.defaults), on).graph

    links = [v for each in graph.values() for v in each["inputs"].values() if is_link(v)]
    assert {link[0] for link in links} <= graph.keys()
    assert links


def test_text_encoders_of_their_own_are_used_where_all_are_there() -> None:
    with_encoders = catalog("sd3.5.ckpt", text_encoders=ENCODERS)

    alone = build(request("sd35"), catalog("sd3.5.ckpt", text_encoders=ENCODERS[:2]))
    built = build(request("sd35"), with_encoders)

    assert "TripleCLIPLoader" not in required_classes(alone.graph)
    assert node(built, "TripleCLIPLoader") == {
        "clip_name1": "clip_l.safetensors",
        "clip_name2": "clip_g.safetensors",
        "clip_name3": "t5xxl_fp16.safetensors",
    }


PARTS: dict[str, Any] = {
    "diffusion_models": ("flux1-dev.safetensors",),
    "text_encoders": ENCODERS,
    "vae": ("vae-ft-mse.safetensors", "ae.safetensors"),
}


def test_flux_runs_from_its_parts_where_there_is_no_whole_checkpoint() -> None:
    built = build(request("flux-dev", options={"guidance": 2.5}), catalog("v1-5.ckpt", **PARTS))

    assert node(built, "UNETLoader")["unet_name"] == "flux1-dev.safetensors"
    assert node(built, "VAELoader")["vae_name"] == "ae.safetensors"
    assert node(built, "FluxGuidance")["guidance"] == 2.5
    assert node(built, "KSampler")["cfg"] == 1.0
    assert built.model_key == "flux1-dev.safetensors"


def test_parts_that_fit_are_better_than_a_checkpoint_that_nothing_is_known_of() -> None:
    fit = PRESETS.fit(request("flux-dev"), catalog("mystery.ckpt", **PARTS))

    assert fit.model_key == "flux1-dev.safetensors"
    assert not any("mystery" in notice for notice in fit.notices)


def test_folders_of_earlier_versions_are_known() -> None:
    parts = {"unet": PARTS["diffusion_models"], "clip": ENCODERS, "vae": PARTS["vae"]}

    assert PRESETS.fit(request("flux-dev"), catalog(**parts)).model_key == "flux1-dev.safetensors"


def test_an_explicit_model_of_either_folder_decides_the_variant() -> None:
    on = catalog("flux1-dev-fp8.ckpt", **PARTS)

    whole = PRESETS.fit(request("flux-dev", checkpoint="flux1-dev-fp8.ckpt"), on)
    parts = PRESETS.fit(request("flux-dev", checkpoint="flux1-dev.safetensors"), on)

    assert (whole.model_key, parts.model_key) == ("flux1-dev-fp8.ckpt", "flux1-dev.safetensors")


def test_a_video_is_saved_as_mp4_or_else_as_an_animated_picture() -> None:
    asked = request("svd", image=PICTURE, options={"frames": 25, "fps": 8})

    video = build(asked, catalog("svd.ckpt"))
    animation = build(asked, catalog("svd.ckpt", without=("SaveVideo",)))

    assert node(video, "SVD_img2vid_Conditioning")["video_frames"] == 25
    assert node(video, "CreateVideo")["fps"] == 8
    assert video.saves[0].suffixes[0] == ".mp4"
    assert node(animation, "SaveAnimatedWEBP")["fps"] == 8
    assert animation.saves[0].suffixes == (".webp",)
    assert any("animated picture" in notice for notice in animation.notices)


def test_upscaling_without_a_model_is_plain_and_says_so() -> None:
    asked = request("upscale", image=PICTURE, options={"scale": 3.0})

    by_model = build(asked, catalog(upscale_models=("4x.pth",)))
    plain = build(asked, catalog())

    assert node(by_model, "UpscaleModelLoader")["model_name"] == "4x.pth"
    assert by_model.notices == ()
    assert node(plain, "ImageScaleBy")["scale_by"] == 3.0
    assert plain.notices == ("There is no upscale model: the picture is enlarged plainly.",)


def test_an_upscale_model_that_is_not_there_is_missing_and_nothing_is_made_without_it() -> None:
    fit = PRESETS.fit(request("upscale", checkpoint="8x.pth"), catalog(upscale_models=("4x.pth",)))

    assert not fit.ok


def test_input_pictures_are_named_for_the_upload() -> None:
    built = build(request("sd15-inpaint", image=PICTURE, mask=MASK), SD15)

    assert set(built.inputs) == {PICTURE, MASK}
    assert node(built, "LoadImage")["image"] == uploaded_name(PICTURE) == f"orchestrator_{PICTURE}"
    assert node(built, "LoadImageMask")["image"] == uploaded_name(MASK)


def test_outside_of_the_mask_the_picture_stays_as_it_is() -> None:
    built = build(request("sd15-inpaint", image=PICTURE, mask=MASK, width=640, height=320), SD15)

    whole = node(built, "ImageCompositeMasked")
    assert built.graph[whole["destination"][0]]["class_type"] == "ImageScale"
    assert built.graph[whole["source"][0]]["class_type"] == "VAEDecode"
    assert built.graph[whole["mask"][0]]["class_type"] == "ImageToMask"
    scaled = [n["inputs"] for n in built.graph.values() if n["class_type"] == "ImageScale"]
    assert [(each["width"], each["height"]) for each in scaled] == [(640, 320)] * 2


def test_a_picture_that_is_needed_and_not_given_is_a_mistake() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        build(request("sd15-image"), SD15)

    assert caught.value.field == "params.image"


def test_what_is_replaced_is_said() -> None:
    asked = request(sampler="DPM++ 2M Karras", scheduler="beta")

    built = build(asked, SD15)

    sampler = node(built, "KSampler")
    assert (sampler["sampler_name"], sampler["scheduler"]) == ("dpmpp_2m", "karras")
    assert built.notices == (
        "There is no sampler DPM++ 2M Karras: dpmpp_2m is used.",
        "There is no scheduler beta: karras is used.",
    )


def test_a_fit_is_kept_per_catalog_and_what_matters_of_the_request() -> None:
    first = PRESETS.fit(request(), SD15)

    assert PRESETS.fit(request(prompt="another", seed=5, width=64), SD15) is first
    assert PRESETS.fit(request(), replace(SD15)) is not first
    assert PRESETS.fit(request(sampler="heun"), SD15) is not first


def test_the_cloud_is_told_by_its_own_models() -> None:
    cloud = Catalog(node_classes=frozenset(), models={"bfl": ("flux-dev", "flux-pro-1.1")})

    assert PRESETS.fit(request("flux", checkpoint="flux-pro-1.1"), cloud).ok
    assert PRESETS.fit(request("flux"), SD15).missing == ("the FLUX cloud",)
    assert not PRESETS.fit(request("sd15"), cloud).ok


def test_a_model_slot_tells_the_form_where_its_files_are() -> None:
    flux, upscale = PRESETS.get("flux-dev"), PRESETS.get("upscale")

    assert flux is not None
    assert upscale is not None
    assert flux.folders("checkpoint") == ("checkpoints", "diffusion_models")
    assert upscale.folders("checkpoint") == ("upscale_models",)


def test_presets_are_found_by_id_in_the_order_of_the_form() -> None:
    ids = [each.id for each in PRESETS.all()]

    assert ids[0] == "text-to-image"
    assert len(ids) == len(set(ids))
    assert Presets([]).get("sdxl") is None
