"""The generation form: what it offers, which fields it shows, and what it sends."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nicegui.testing import User
from nicegui.testing.user_interaction import UserInteraction
from pydantic import AnyHttpUrl, SecretStr

from app.config import FluxSettings
from app.graphs.preset import Preset
from app.models import AUTO, DEMO, TEXT_TO_IMAGE, Catalog
from app.services import Services
from components.generation_form.choices import Choices
from components.generation_form.pictures import PictureField
from components.generation_form.values import FormValues, fitted, own_defaults, place_of, sizes_of
from data.presets import load_presets
from tests.support.fakes import CATALOG, FakeBackend, info
from tests.support.pictures import png
from tests.support.running import running, submit, until_job
from tests.support.visitor import browsing, click, fill, jobs_of, messages, part, until, until_jobs

_NOWHERE = "http://127.0.0.1:9"


def everything() -> Catalog:
    """A machine that can run every preset."""
    presets = load_presets().all()
    graphs = [variant.graph for preset in presets for variant in preset.variants]
    classes = {node["class_type"] for graph in graphs for node in graph.values()}
    return Catalog(
        node_classes=frozenset(classes | {"LoraLoader", "VAELoader"}),
        models={
            "checkpoints": ("model-a.safetensors", "sdxl_base.safetensors", "v1-5-pruned.ckpt"),
            "loras": ("styles/ink.safetensors", "detail.safetensors"),
            "vae": ("soft.safetensors",),
            "upscale_models": ("4x.pth",),
        },
        samplers=("euler", "dpmpp_2m"),
        schedulers=("normal", "karras"),
    )


@pytest.fixture
def backend() -> FakeBackend:
    """A machine that has everything; its prompts wait until a test ends them."""
    made = FakeBackend(info())
    made.becomes(catalog=everything())
    return made


@pytest.fixture
async def services(home: Path, backend: FakeBackend) -> AsyncIterator[Services]:
    """The running core."""
    async with running(home, backend) as core:
        yield core


def preset(name: str) -> Preset:
    """One of the bundled ones."""
    found = load_presets().get(name)
    assert found
    return found


def is_shown(user: User, testid: str) -> bool:
    """Whether the element and all around it are on the page."""
    element = part(user, testid)
    while element is not None:
        if not element.visible:
            return False
        element = element.parent_slot.parent if element.parent_slot else None
    return True


def picture(user: User, name: str) -> PictureField:
    """The field of the input picture or of the mask."""
    assert user.client
    fields = (each for each in user.client.elements.values() if isinstance(each, PictureField))
    return next(each for each in fields if each._props["name"] == name)


def state_of(user: User, make: str) -> str:
    """What the picker says of a preset."""
    return part(user, "backend-select").options[make].split("\n")[1]


async def give(services: Services, user: User, name: str, *, size: tuple[int, int]) -> str:
    """Upload a picture and put it into the field, as the browser does."""
    given = await services.inputs.add(png(seed=len(name), size=size))
    args = {"name": given.name, "width": given.width, "height": given.height}
    UserInteraction(user, {picture(user, name)}, None).trigger("change", args)
    return given.name


async def test_each_preset_says_where_it_can_run_or_what_is_missing(
    services: Services, backend: FakeBackend
) -> None:
    async with browsing(services) as user:
        assert state_of(user, "sdxl") == "GPU-1"
        assert state_of(user, "flux") == "Switched off: shows only what it would cost"

        backend.becomes(online=False, last_error="It was switched off.")
        await until(lambda: state_of(user, "sdxl") == "Only GPU-1 can, and is offline")
        backend.becomes(online=True, catalog=CATALOG)
        await until(lambda: "no backend has it" in state_of(user, "upscale"))


async def test_a_preset_brings_its_values_and_keeps_what_was_changed(services: Services) -> None:
    async with browsing(services) as user:
        fill(user, backend_select="sdxl")
        assert part(user, "width-input").value == 1024
        assert part(user, "sampler-select").value == "dpmpp_2m"
        fill(user, steps_input=12, prompt_input="a red fox")

        fill(user, backend_select="sd15")
        assert (part(user, "width-input").value, part(user, "steps-input").value) == (512, 25)
        await user.open("/")
        assert part(user, "backend-select").value == "sd15"
        fill(user, backend_select="sdxl")
        assert (part(user, "width-input").value, part(user, "steps-input").value) == (1024, 12)
        assert part(user, "prompt-input").value == "a red fox"


async def test_only_the_fields_that_the_preset_takes_are_shown(services: Services) -> None:
    async with browsing(services) as user:
        assert is_shown(user, "prompt-input")
        assert not picture(user, "image").visible

        fill(user, backend_select="svd")
        hidden = ("prompt-input", "negative-prompt-input", "lora-add", "denoise-input")
        assert not any(is_shown(user, name) for name in hidden)
        assert picture(user, "image").visible
        assert not picture(user, "mask").visible
        assert part(user, "option-frames-input").value == 14
        assert is_shown(user, "option-motion-bucket-id-slider")

        fill(user, backend_select="upscale", count_input=4)
        assert not is_shown(user, "seed-input")
        await user.should_see("Generate picture")


async def test_everything_of_the_form_goes_into_the_job(services: Services) -> None:
    async with browsing(services) as user:
        fill(user, backend_select="sdxl-inpaint", where_select="gpu-1", fallback_select="ask")
        image = await give(services, user, "image", size=(1600, 1000))
        mask = await give(services, user, "mask", size=(160, 100))
        fill(user, prompt_input="a red fox", denoise_input=0.7, hold_toggle=True)
        fill(user, checkpoint_select="sdxl_base.safetensors", vae_select="soft.safetensors")
        fill(user, lora_add="styles/ink.safetensors")
        fill(user, lora_0_weight=0.45, option_grow_mask_input=9)
        click(user, "generate-button")
        (job,) = await until_jobs(services, lambda jobs: len(jobs) == 1)

    params = job.params
    assert (job.workflow_id, job.backend, job.fallback) == ("sdxl-inpaint", "gpu-1", "ask")
    assert (params.image, params.mask, params.denoise) == (image, mask, 0.7)
    assert (params.width, params.height) == (1280, 832)
    assert (params.checkpoint, params.vae) == ("sdxl_base.safetensors", "soft.safetensors")
    assert [(each.name, each.weight) for each in params.loras] == [("styles/ink.safetensors", 0.45)]
    assert params.options == {"grow_mask": 9}


async def test_loras_are_removed_and_never_taken_twice(services: Services) -> None:
    async with browsing(services) as user:
        fill(user, backend_select="sdxl")
        for name in ("detail.safetensors", "styles/ink.safetensors", "detail.safetensors"):
            fill(user, lora_add=name)
        click(user, "lora-0-remove")
        fill(user, prompt_input="a red fox", hold_toggle=True)
        click(user, "generate-button")
        (job,) = await until_jobs(services, lambda jobs: len(jobs) == 1)

    assert [each.name for each in job.params.loras] == ["styles/ink.safetensors"]


async def test_a_missing_picture_and_a_wrong_option_are_said_beside_their_fields(
    services: Services,
) -> None:
    async with browsing(services) as user:
        fill(user, backend_select="svd")
        click(user, "generate-button")
        await until(lambda: picture(user, "image")._props["mistake"])
        await give(services, user, "image", size=(64, 64))
        assert picture(user, "image")._props["mistake"] == ""

        fill(user, option_fps_input=900)
        click(user, "generate-button")
        await until(lambda: part(user, "error-option-fps").text)

    assert await jobs_of(services) == []


async def test_use_settings_brings_everything_back(
    services: Services, backend: FakeBackend
) -> None:
    given = await services.inputs.add(png(size=(64, 64)))
    params = {
        "seed": 7,
        "image": given.name,
        "denoise": 0.35,
        "loras": [{"name": "detail.safetensors", "weight": -0.5}],
    }
    job = await submit(services, "a red fox", workflowId="sdxl-image", params=params)
    (await backend.next_prompt()).succeed()
    await until_job(services, job.id)
    view = await services.jobs.detail(job.id)
    assert view.result

    async with browsing(services, f"/?use={view.result.images[0].id}") as user:
        said = messages(user)
        await until(lambda: said)

        assert part(user, "backend-select").value == "sdxl-image"
        assert part(user, "denoise-input").value == 0.35
        assert part(user, "lora-0-weight").value == -0.5
        assert picture(user, "image").value == given.name
        assert part(user, "seed-input").value == "7"


async def test_a_picture_of_the_gallery_becomes_the_input_of_a_preset_that_takes_one(
    services: Services, backend: FakeBackend
) -> None:
    job = await submit(services, "a red fox")
    (await backend.next_prompt()).succeed()
    await until_job(services, job.id)
    view = await services.jobs.detail(job.id)
    assert view.result

    async with browsing(services, f"/?use={view.result.images[0].id}&part=image") as user:
        said = messages(user)
        await until(lambda: said)

        assert said == [("done", "The picture is what the next one starts from")]
        name = picture(user, "image").value
        assert name
        assert (await services.inputs.get(name)).width == 64
        assert "image" in preset(part(user, "backend-select").value).fields


async def test_the_prompt_is_previewed_with_its_alternatives(services: Services) -> None:
    folder = services.settings.wildcards_dir
    folder.mkdir(parents=True)
    (folder / "weather.txt").write_text("snow\n", encoding="utf-8")
    async with browsing(services) as user:
        fill(user, prompt_input="a {red|blue} fox in the __weather__")
        await user.should_see("a red fox in the snow", retries=60)
        await user.should_see("a blue fox in the snow")

        fill(user, prompt_input="a {red|blue fox")
        await until(lambda: part(user, "error-prompt").text)
        assert "not closed" in part(user, "error-prompt").text

        fill(user, prompt_input="a fox in the __wea")
        await user.should_see("__weather__", retries=60)
        click(user, "wildcard-weather")
        assert part(user, "prompt-input").value == "a fox in the __weather__"


async def test_seeds_of_several_pictures_follow_the_strategy(services: Services) -> None:
    async with browsing(services) as user:
        assert not is_shown(user, "seed-strategy-select")
        fill(user, prompt_input="a red fox", count_input=3, hold_toggle=True, seed_input="100")
        UserInteraction(user, {part(user, "seed-input")}, None).trigger("update:value", "100")
        assert is_shown(user, "seed-strategy-select")
        fill(user, seed_strategy_select="fibonacci")
        click(user, "generate-button")
        jobs = await until_jobs(services, lambda jobs: len(jobs) == 3)

    assert sorted(job.params.seed for job in jobs) == [100, 101, 102]


async def test_what_costs_money_is_only_shown_while_it_is_switched_off(services: Services) -> None:
    async with browsing(services) as user:
        fill(user, backend_select="flux", prompt_input="a red fox", count_input=2)
        await user.should_see("$0.06 × 2 = $0.12")
        click(user, "generate-button")
        await user.should_see("Dry run: nothing was sent, nothing was paid")
        click(user, "dry-run-close")

    assert await jobs_of(services) == []


@pytest.mark.parametrize(("answer", "made"), [("payment-agree", 1), ("payment-keep", 0)])
async def test_money_is_only_spent_by_who_agrees_to_the_price(
    home: Path, backend: FakeBackend, answer: str, made: int
) -> None:
    flux = FluxSettings(api_key=SecretStr("k" * 20), url=AnyHttpUrl(_NOWHERE))
    async with running(home, backend, allow_generation=True, flux=flux) as services:
        async with browsing(services) as user:
            fill(user, backend_select="flux", prompt_input="a red fox", hold_toggle=True)
            await user.should_see("$5.00 left today")
            click(user, "generate-button")
            await user.should_see("Generate for $0.06?")
            click(user, answer)
            button = part(user, "generate-button")
            await until(lambda: button.props.get("aria-busy") == "false")
        jobs = await jobs_of(services)

    assert len(jobs) == made
    assert [job.workflow_id for job in jobs] == ["flux"] * made


async def test_fitting_checkpoints_come_first_and_others_say_what_they_are(
    services: Services,
) -> None:
    choices = Choices.of(services)

    offered = choices.checkpoints("gpu-1", preset("sdxl"))

    assert list(offered.values()) == [
        "sdxl_base.safetensors",
        "model-a.safetensors — unknown family",
        "v1-5-pruned.ckpt — SD 1.5",
    ]
    anything = choices.checkpoints(AUTO, preset(TEXT_TO_IMAGE))
    assert all(label == name for name, label in anything.items())
    assert list(choices.checkpoints(AUTO, preset("upscale"))) == ["4x.pth"]


@pytest.mark.parametrize(
    ("saved", "make", "where"),
    [
        ({"backend": "gpu-1", "steps": 9}, TEXT_TO_IMAGE, "gpu-1"),
        ({"backend": AUTO, "steps": 9}, TEXT_TO_IMAGE, AUTO),
        ({"backend": DEMO, "steps": 9}, DEMO, ""),
        ({"backend": "sdxl", "where": DEMO, "steps": 9, "gone": 1}, "sdxl", DEMO),
    ],
)
def test_a_form_saved_by_an_earlier_version_is_understood(
    saved: dict[str, Any], make: str, where: str
) -> None:
    values = FormValues.restored(saved)

    assert (values.backend, values.where, values.steps) == (make, where, 9)


def test_sizes_suit_the_preset() -> None:
    assert sizes_of(preset(TEXT_TO_IMAGE))["16:9"] == (1024, 576)
    assert sizes_of(preset("sdxl"))["1:1"] == (1024, 1024)
    assert fitted(10_000, 10, pixels=512 * 512) == (16_192, 64)
    assert all(side % 8 == 0 for size in sizes_of(preset("sd35")).values() for side in size)


def test_what_a_preset_does_not_take_is_not_sent() -> None:
    values = FormValues(backend="upscale", where=AUTO, prompt="old", seed="5", seed_locked=True)
    values = replace(values, **own_defaults(preset("upscale")), image="a.png", mask="b.png")

    sent = values.to_submission(preset("upscale"))

    assert (sent.prompt, sent.params.seed, sent.params.mask, sent.params.width) == ("",) + (
        None,
    ) * 3
    assert sent.params.image == "a.png"
    assert place_of("params.options.minCfg") == "option-min_cfg"
