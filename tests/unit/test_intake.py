"""What a submission becomes: where, how, with which values; and what is refused."""

from typing import Any

import pytest

from app.errors import InvalidRequestError, UnknownBackendError
from app.intake import Aim, aim_of, options_of, request_of, submission_of
from app.models import AUTO, DEMO, BackendInfo
from app.submission import Submission
from data.presets import load_presets
from tests.support.fakes import info

PRESETS = load_presets()
FLUX = BackendInfo(id="flux", name="FLUX", kind="bfl", url="https://cloud.invalid")
ENGINE = BackendInfo(id=DEMO, name="Demo", kind="embedded", url="http://127.0.0.1:1")
INFOS = [ENGINE, info("gpu-1"), FLUX]


def aim(backend: str, workflow_id: str | None = None) -> Aim:
    """Where it goes on a fleet of the demo engine, one server and the cloud."""
    return aim_of(backend, workflow_id, presets=PRESETS, infos=INFOS)


def asked(preset: str, **changes: Any) -> Submission:
    """A submission to a preset."""
    return Submission.model_validate({"prompt": "a fox", "backend": preset, **changes})


def request(preset: str, **params: Any) -> Any:
    """The request of a submission to a preset."""
    return request_of(asked(preset, params=params), aim=aim(preset))


@pytest.mark.parametrize(
    ("backend", "workflow_id", "target", "preset"),
    [
        ("demo", None, DEMO, "text-to-image"),
        ("demo", "sdxl", DEMO, "sdxl"),
        ("auto", None, AUTO, "text-to-image"),
        ("auto", "sd15", AUTO, "sd15"),
        ("gpu-1", None, "gpu-1", "text-to-image"),
        ("gpu-1", "svd", "gpu-1", "svd"),
        ("sdxl", None, AUTO, "sdxl"),
        ("sdxl", "sdxl", AUTO, "sdxl"),
        ("flux", None, AUTO, "flux"),
        ("auto", "flux", AUTO, "flux"),
    ],
)
def test_a_backend_is_a_preset_or_a_machine(
    backend: str, workflow_id: str | None, target: str, preset: str
) -> None:
    found = aim(backend, workflow_id)

    assert (found.target, found.preset.id) == (target, preset)


def test_a_machine_named_like_a_preset_can_be_meant_by_naming_the_workflow() -> None:
    infos = [info("sdxl")]

    named = aim_of("sdxl", "sd15", presets=PRESETS, infos=infos)
    alone = aim_of("sdxl", None, presets=PRESETS, infos=infos)

    assert (named.target, named.preset.id) == ("sdxl", "sd15")
    assert (alone.target, alone.preset.id) == (AUTO, "sdxl")


def test_an_unknown_backend_lists_what_there_is() -> None:
    with pytest.raises(UnknownBackendError) as caught:
        aim("gpu-9")

    assert caught.value.field == "backend"
    assert "gpu-1" in caught.value.fix
    assert "sdxl" in caught.value.fix


@pytest.mark.parametrize(
    ("backend", "workflow_id"),
    [
        ("gpu-1", "nothing"),
        ("auto", "nothing"),
        ("sdxl", "sd15"),
        ("gpu-1", "flux"),
        ("demo", "flux"),
    ],
)
def test_a_workflow_that_is_not_there_or_does_not_run_there_is_refused(
    backend: str, workflow_id: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        aim(backend, workflow_id)

    assert caught.value.field == "workflowId"


def test_what_is_not_given_has_the_value_of_the_preset() -> None:
    made = request("sdxl", steps=7)

    assert (made.width, made.height, made.steps, made.cfg) == (1024, 1024, 7, 6.0)
    assert (made.sampler, made.scheduler) == ("dpmpp_2m", "karras")
    assert (made.target, made.preset) == (AUTO, "sdxl")


def test_what_the_preset_does_not_take_and_does_not_matter_is_left_out() -> None:
    made = request_of(
        asked("flux-dev", params={"cfg": 9, "denoise": 0.5}, negativePrompt="blur"),
        aim=aim("flux-dev"),
    )

    assert (made.cfg, made.denoise, made.negative_prompt) == (1.0, 1.0, "")


@pytest.mark.parametrize(
    ("preset", "params", "field"),
    [
        ("text-to-image", {"image": "x.png"}, "params.image"),
        ("sdxl-image", {"image": "x.png", "mask": "y.png"}, "params.mask"),
        ("svd", {"image": "x.png", "vae": "y"}, "params.vae"),
        ("flux", {"loras": [{"name": "x"}]}, "params.loras"),
        ("sdxl-image", {}, "params.image"),
        ("sd15-inpaint", {"image": "x.png"}, "params.mask"),
        ("sdxl", {"options": {"frames": 3}}, "params.options.frames"),
        ("svd", {"image": "x.png", "options": {"frames": 10**6}}, "params.options.frames"),
        ("svd", {"image": "x.png", "options": {"fps": "many"}}, "params.options.fps"),
        ("svd", {"image": "x.png", "options": {"frames": 2.5}}, "params.options.frames"),
        ("svd", {"image": "x.png", "options": {"frames": True}}, "params.options.frames"),
        ("flux", {"options": {"raw": 1}}, "params.options.raw"),
        ("flux", {"options": {"aspectRatio": "round"}}, "params.options.aspectRatio"),
    ],
)
def test_what_matters_and_does_not_fit_is_refused_by_name(
    preset: str, params: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        request(preset, **params)

    assert caught.value.field == field


@pytest.mark.parametrize("prompt", ["", " \n\t "])
def test_an_empty_prompt_is_refused_where_one_is_taken(prompt: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        request_of(asked("sdxl", prompt=prompt), aim=aim("sdxl"))

    assert caught.value.field == "prompt"


def test_a_preset_without_a_prompt_needs_none() -> None:
    submission = asked("svd", prompt="", params={"image": "x.png"})

    assert request_of(submission, aim=aim("svd")).prompt == ""


def test_options_are_complete_and_spelled_as_the_preset_does() -> None:
    svd = PRESETS.get("svd")
    assert svd is not None

    given = options_of({"motionBucketId": 90, "fps": 8.0}, preset=svd)

    assert set(given) == {option.name for option in svd.options}
    assert (given["motion_bucket_id"], given["fps"]) == (90, 8)
    assert isinstance(given["fps"], int)


def test_options_that_older_clients_send_beside_the_parameters_are_understood() -> None:
    made = request("flux", aspectRatio="16:9", raw=True, imagePrompt="x.png")

    assert (made.options["aspect_ratio"], made.options["raw"]) == ("16:9", True)
    assert made.image == "x.png"


def test_flat_parameters_are_sorted_into_their_places() -> None:
    body = submission_of(
        "auto",
        {"prompt": "a fox", "negative_prompt": "blur", "steps": 3, "frames": 9, "seed": 4},
        preset=PRESETS.get("svd"),
        priority=5,
    )

    assert body == {
        "backend": "auto",
        "prompt": "a fox",
        "negative_prompt": "blur",
        "priority": 5,
        "params": {"steps": 3, "seed": 4, "options": {"frames": 9}},
    }


def test_parameters_of_a_graph_of_ones_own_are_its_inputs() -> None:
    body = submission_of("auto", {"3.steps": 9, "steps": 4, "seed": 1}, preset=None)

    assert body["params"] == {"seed": 1, "options": {"3.steps": 9, "steps": 4}}
