"""What nodes say becomes the right error, with a cause and a fix in every language."""

import pytest

from app import errors
from app.diagnosis import NodeReport, diagnosis_of, error_of, explain, explained_codes
from app.errors import (
    BackendDiedError,
    BackendError,
    CorruptModelError,
    DiskFullError,
    MissingCapabilityError,
    NodeFailedError,
    OrchestratorError,
    OutOfMemoryError,
    PromptRejectedError,
)
from app.models import JobFailure
from app.said import Said
from components.i18n import say_in

SAFETENSORS = "safetensors_rust.SafetensorError"
CORRUPT = (
    "Error while deserializing header: HeaderTooLarge\n\n"
    "File path: /srv/comfy/models/checkpoints/xl/My Model.safetensors\n\n"
    "The safetensors file is corrupt or invalid."
)
NO_CLIP = (
    "ERROR: clip input is invalid: None\n\nIf the clip is from a checkpoint loader node your "
    "checkpoint does not contain a valid clip or text encoder model."
)
NO_VAE = "ERROR: VAE is invalid: None\n\nyour checkpoint does not contain a valid VAE."
CHANNELS = (
    "Given groups=1, weight of size [64, 4, 3, 3], expected input[1, 16, 16, 16] to have 4 "
    "channels, but got 16 channels instead"
)
GPU = "CUDA out of memory. Tried to allocate 5.06 GiB. GPU 0 has a total capacity of 23.69 GiB"
RAM = "[enforce fail at alloc_cpu.cpp:114] data. DefaultCPUAllocator: not enough memory"


def report(exception_type: str, message: str) -> NodeReport:
    """What a node raised on gpu-1."""
    return NodeReport(
        backend="gpu-1",
        exception_type=exception_type,
        message=message,
        node_id="3",
        node_class="KSampler",
        node_title="Sample",
    )


@pytest.mark.parametrize(
    ("exception_type", "message", "error", "words"),
    [
        ("torch.OutOfMemoryError", "Allocation on device 0 would exceed", OutOfMemoryError, "GPU"),
        ("torch.cuda.OutOfMemoryError", GPU, OutOfMemoryError, "GPU"),
        ("RuntimeError", "MPS backend out of memory (MPS", OutOfMemoryError, "GPU"),
        ("torch.OutOfMemoryError", "HIP out of memory. Tried", OutOfMemoryError, "GPU"),
        ("RuntimeError", "cuDNN error: CUDNN_STATUS_ALLOC_FAILED", OutOfMemoryError, "GPU"),
        ("RuntimeError", RAM, OutOfMemoryError, "RAM"),
        ("MemoryError", "", OutOfMemoryError, "RAM"),
        ("numpy._core._exceptions._ArrayMemoryError", "Unable to", OutOfMemoryError, "RAM"),
        ("OSError", "[Errno 28] No space left on device", DiskFullError, "disk"),
        ("PermissionError", "[Errno 13] Permission denied: 'x'", NodeFailedError, "may not use"),
        (SAFETENSORS, CORRUPT, CorruptModelError, "damaged"),
        ("ValueError", CORRUPT, CorruptModelError, "damaged"),
        ("_pickle.UnpicklingError", "invalid load key, '<'.", CorruptModelError, "damaged"),
        ("RuntimeError", "PytorchStreamReader failed reading zip", CorruptModelError, "damaged"),
        (
            "RuntimeError",
            "ERROR: Could not detect model type of: /m/a.pt",
            CorruptModelError,
            "a.pt",
        ),
        ("RuntimeError", NO_CLIP, PromptRejectedError, "text encoder"),
        ("RuntimeError", NO_VAE, PromptRejectedError, "VAE"),
        ("OSError", "Can't load tokenizer for 'openai/clip'", MissingCapabilityError, "tokenizer"),
        ("RuntimeError", CHANNELS, PromptRejectedError, "do not fit together"),
        (
            "RuntimeError",
            "mat1 and mat2 shapes cannot be multiplied (77x768 and 2048x640)",
            PromptRejectedError,
            "do not fit together",
        ),
        ("PIL.UnidentifiedImageError", "cannot identify image", PromptRejectedError, "picture"),
        ("Exception", "Saving image outside the output folder", PromptRejectedError, "outside"),
        ("FileNotFoundError", "[Errno 2] No such file", MissingCapabilityError, "lacks a file"),
        (
            "FileNotFoundError",
            "Model in folder 'vae' with filename 'ae.safetensors' not found.",
            MissingCapabilityError,
            "ae.safetensors",
        ),
        ("RuntimeError", "CUDA error: no kernel image is available", NodeFailedError, "PyTorch"),
        ("RuntimeError", "Found no NVIDIA driver on your", NodeFailedError, "cannot use its GPU"),
        ("AssertionError", "Torch not compiled with CUDA enabled", NodeFailedError, "its GPU"),
        ("RuntimeError", "CUDA error: device-side assert triggered", BackendDiedError, "stopped"),
        (
            "NotImplementedError",
            "No operator found for `memory_efficient_attention_forward`",
            NodeFailedError,
            "xformers",
        ),
        ("torch._dynamo.exc.BackendCompilerFailed", "backend", NodeFailedError, "torch.compile"),
        ("ModuleNotFoundError", "No module named 'insightface'", MissingCapabilityError, "package"),
        (
            "RuntimeError",
            "\"addmm_impl_cpu_\" not implemented for 'Half'",
            NodeFailedError,
            "number",
        ),
        ("Exception", "A tensor with all NaNs was produced in VAE", NodeFailedError, "NaN"),
        ("comfy.model_management.InterruptProcessingException", "", NodeFailedError, "stopped"),
        ("requests.exceptions.ConnectionError", "Max retries exceeded", NodeFailedError, "network"),
        (
            "TypeError",
            "f() got an unexpected keyword argument 'x'",
            NodeFailedError,
            "does not fit",
        ),
        ("ValueError", "boom", NodeFailedError, "failed: boom"),
        ("AttributeError", "'NoneType' object has no attribute 'to'", NodeFailedError, "failed:"),
    ],
)
def test_what_a_node_says_becomes_the_right_error(
    exception_type: str, message: str, error: type[BackendError], words: str
) -> None:
    found = error_of(report(exception_type, message))

    assert type(found) is error
    assert words in found.message
    assert "gpu-1" in found.message
    assert found.fix
    assert {type(found.message), type(found.fix)} == {Said}
    assert say_in("ru", found.message) != found.message
    assert say_in("ru", found.fix) != found.fix


def test_a_damaged_file_is_named_as_the_catalog_names_it() -> None:
    named = NodeReport(
        backend="gpu-1",
        exception_type=SAFETENSORS,
        message=CORRUPT,
        node_class="CheckpointLoaderSimple",
        model="xl/My Model.safetensors",
    )
    unnamed = report(SAFETENSORS, CORRUPT)

    with_folder, without = error_of(named), error_of(unnamed)

    assert isinstance(with_folder, CorruptModelError)
    assert isinstance(without, CorruptModelError)
    assert with_folder.model == "xl/My Model.safetensors"
    assert without.model == "My Model.safetensors"
    assert without.message.startswith("gpu-1 cannot read My Model.safetensors")


@pytest.mark.parametrize(
    ("side", "advice"), [(2048, "1536 px or less"), (1024, "768 px or less"), (512, "--lowvram")]
)
def test_too_little_memory_is_told_with_size_memory_and_what_would_fit(
    side: int, advice: str
) -> None:
    error = error_of(
        NodeReport(
            backend="tower-3090",
            exception_type="torch.OutOfMemoryError",
            message="Allocation on device",
            node_class="KSampler",
            width=side,
            height=512,
            vram_total_bytes=24 * 2**30,
        )
    )

    assert error.message == (
        f"Out of GPU memory at KSampler: {side} × 512 is too much for tower-3090, which has 24 GB."
    )
    assert advice in error.fix


def every_error() -> list[type[OrchestratorError]]:
    """The tree of errors."""
    tree: list[type[OrchestratorError]] = [OrchestratorError]
    for each in tree:
        tree += each.__subclasses__()
    return [each for each in tree if each.__module__ == errors.__name__]


def test_every_code_is_explained_in_every_language() -> None:
    codes = {each.code for each in every_error()}

    assert codes <= explained_codes()
    for code in explained_codes():
        general = explain(code)
        for words in (general.title, general.cause, general.fix):
            assert words
            assert say_in("ru", words) != words


def test_an_unknown_code_is_explained_as_a_mistake_of_ours() -> None:
    assert explain("never heard of") == explain("error")


def test_a_failed_job_tells_its_own_words_and_general_ones_where_it_has_none() -> None:
    own = diagnosis_of(JobFailure(code="storage", message="Disk full.", fix="Free it."))
    bare = diagnosis_of(JobFailure(code="storage", message="Disk full."))

    assert (own.cause, own.fix) == ("Disk full.", "Free it.")
    assert (bare.cause, bare.fix) == ("Disk full.", explain("storage").fix)
