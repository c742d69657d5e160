"""What ComfyUI, PyTorch and the nodes people use say when they fail, and what it means.

A table: the first rule whose pattern is found in "exception type: message" names the error. The
words in braces are filled in by `app.diagnosis`: {backend}, {node}, {model}, {message}.
"""

import re
from dataclasses import dataclass

from app.errors import (
    BackendDiedError,
    BackendError,
    CorruptModelError,
    DiskFullError,
    MissingCapabilityError,
    NodeFailedError,
    OutOfMemoryError,
    PromptRejectedError,
)
from app.said import Said


@dataclass(frozen=True, slots=True)
class Rule:
    """One known failure: how it reads, which error it is, and what helps."""

    pattern: re.Pattern[str]
    error: type[BackendError]
    message: Said
    fix: Said


def _rule(pattern: str, error: type[BackendError], message: Said, fix: Said) -> Rule:
    return Rule(re.compile(pattern, re.IGNORECASE), error, message, fix)


GPU_MEMORY = _rule(
    r"OutOfMemoryError|out of memory|allocation on device|"
    r"CU(DNN|BLAS)_STATUS_ALLOC_FAILED|unable to allocate .* on (cuda|gpu|mps|xpu)",
    OutOfMemoryError,
    Said("Out of GPU memory at {node} on {backend}."),
    Said("Choose a smaller size, or a backend with more memory."),
)
"""Its own name, because what is known of size and memory is told with it."""

_MEMORY_AND_DISK = (
    _rule(
        r"DefaultCPUAllocator|^(\w+\.)*(_Array)?MemoryError\b|\[Errno 12\]|cannot allocate memory",
        OutOfMemoryError,
        Said("{backend} has run out of main memory (RAM) at {node}."),
        Said("Choose a smaller size, close other programs there, or use another backend."),
    ),
    GPU_MEMORY,
    _rule(
        r"\[Errno (28|122)\]|no space left on device|not enough space on the disk|"
        r"disk quota exceeded",
        DiskFullError,
        Said("The disk of {backend} is full: {node} could not write."),
        Said("Free space on that machine, then press Retry."),
    ),
    _rule(
        r"\[Errno (13|30)\]|PermissionError|read-only file system",
        NodeFailedError,
        Said("{node} on {backend} may not use a file or folder: {message}"),
        Said("Let the user that ComfyUI runs as read and write there, then press Retry."),
    ),
)

_MODELS = (
    _rule(
        r"SafetensorError|HeaderToo(Large|Small)|InvalidHeader|MetadataIncompleteBuffer|"
        r"safetensors file is corrupt|PytorchStreamReader|UnpicklingError|invalid load key|"
        r"weights only load failed|central directory|EOFError|unexpected EOF",
        CorruptModelError,
        Said("{backend} cannot read {model}: the file is damaged or incomplete."),
        Said("Download the file there again and compare its size, or choose another model."),
    ),
    _rule(
        r"could not detect model type|invalid style model|(controlnet|clip vision) file is invalid|"
        r"unsupported (model|architecture)|unknown model (type|architecture)",
        CorruptModelError,
        Said("{backend} does not know what kind of model {model} is."),
        Said("Choose a file that this node can load, or update ComfyUI there for newer models."),
    ),
    _rule(
        r"clip input is invalid|does not contain a valid clip",
        PromptRejectedError,
        Said("{node} on {backend} got no text encoder: {model} does not contain one."),
        Said("Choose a checkpoint with a text encoder, or a workflow that loads it separately."),
    ),
    _rule(
        r"VAE is invalid|does not contain a valid VAE",
        PromptRejectedError,
        Said("{node} on {backend} got no VAE: {model} does not contain one."),
        Said("Choose a VAE besides the checkpoint, or a checkpoint that contains one."),
    ),
    _rule(
        r"can't load tokenizer|tokenizer.*(missing|not found|no such file)|sentencepiece|"
        r"text.?encoder.*(missing|not found|no such file)",
        MissingCapabilityError,
        Said("{backend} lacks a tokenizer or text encoder that {node} needs: {message}"),
        Said("Install the text encoder of this model there, or choose another backend."),
    ),
    _rule(
        r"expected input\[.*channels|shapes cannot be multiplied|size mismatch for|"
        r"error\(s\) in loading state_dict|size of tensor a|sizes of tensors must match|"
        r"shape '.*' is invalid for input|same number of dimensions",
        PromptRejectedError,
        Said("The models do not fit together at {node} on {backend}: {message}"),
        Said(
            "Use a VAE, LoRAs and text encoders of the same family as the checkpoint: "
            "SD 1.5, SDXL, SD 3.5 or FLUX."
        ),
    ),
)

_FILES = (
    _rule(
        r"UnidentifiedImageError|cannot identify image|image file is truncated|"
        r"DecompressionBomb|invalid data found when processing input",
        PromptRejectedError,
        Said("{node} on {backend} cannot read the picture it was given."),
        Said("Save the picture again as PNG or JPEG, and give that one."),
    ),
    _rule(
        r"outside the output folder",
        PromptRejectedError,
        Said("{node} on {backend} was told to write outside of its output folder."),
        Said("Use a file name prefix without '..', drive letters or a leading slash."),
    ),
    _rule(
        r"FileNotFoundError|\[Errno 2\]|no such file or directory|with filename '.*' not found|"
        r"model .* not found",
        MissingCapabilityError,
        Said("{backend} lacks a file that {node} needs: {message}"),
        Said("Install the missing file there, or choose another one or another backend."),
    ),
)

_MACHINE = (
    _rule(
        r"no kernel image is available|not compatible with the current PyTorch",
        NodeFailedError,
        Said("The PyTorch of {backend} was not made for its GPU."),
        Said("Install a PyTorch there that supports this GPU, then restart ComfyUI."),
    ),
    _rule(
        r"no NVIDIA driver|driver on your system is too old|driver version is insufficient|"
        r"not compiled with CUDA|no CUDA GPUs are available",
        NodeFailedError,
        Said("{backend} cannot use its GPU: {message}"),
        Said("Install a GPU driver and a PyTorch that fit each other, then restart ComfyUI there."),
    ),
    _rule(
        r"device-side assert|CUDA error|cudaError|HIP error|unspecified launch failure|"
        r"illegal memory access|CUDNN_STATUS_|CUBLAS_STATUS_|device (was )?(lost|removed)|"
        r"AcceleratorError",
        BackendDiedError,
        Said("The GPU of {backend} stopped working at {node}: {message}"),
        Said("Restart ComfyUI there. If it happens again, update the GPU driver."),
    ),
    _rule(
        r"xformers|memory_efficient_attention",
        NodeFailedError,
        Said("xformers does not work on {backend}: {message}"),
        Said("Start that ComfyUI with --disable-xformers, or install the xformers of its PyTorch."),
    ),
    _rule(
        r"torch\._(dynamo|inductor)|BackendCompilerFailed|torch\.compile|triton",
        NodeFailedError,
        Said("torch.compile does not work on {backend}: {message}"),
        Said("Take torch.compile out of the workflow, or install Triton there."),
    ),
    _rule(
        r"ModuleNotFoundError|ImportError|no module named|DLL load failed",
        MissingCapabilityError,
        Said("{backend} lacks a Python package that {node} needs: {message}"),
        Said("Install the package into the Python of that ComfyUI, and restart it."),
    ),
    _rule(
        r"not implemented for '|expected scalar type|must have the same dtype|"
        r"and weight type .* should be the same",
        NodeFailedError,
        Said("{backend} cannot calculate in the number format of {model}: {message}"),
        Said("Start that ComfyUI with --force-fp32, or choose the model in another format."),
    ),
    _rule(
        r"NansException|all NaNs|contains? (only )?nan|invalid value encountered",
        NodeFailedError,
        Said("{node} on {backend} calculated nothing but NaN: the picture would be black."),
        Said("Start that ComfyUI with --fp32-vae, choose another VAE, or lower CFG."),
    ),
)

_OTHERS = (
    _rule(
        r"InterruptProcessing|processing interrupted",
        NodeFailedError,
        Said("Somebody stopped {node} on {backend}."),
        Said("Press Retry to run it again."),
    ),
    _rule(
        r"gated repo|repository not found|(401|403) client error",
        MissingCapabilityError,
        Said("{node} on {backend} is not allowed to download what it needs: {message}"),
        Said("Download the file by hand and put it there, or log in to its site there."),
    ),
    _rule(
        r"ConnectionError|ConnectTimeout|ReadTimeout|HTTPError|max retries exceeded|getaddrinfo|"
        r"name resolution|URLError",
        NodeFailedError,
        Said("{node} on {backend} could not reach the network: {message}"),
        Said("Check the network of that machine, or put the file it wanted there by hand."),
    ),
    _rule(
        r"unexpected keyword argument|missing \d+ required positional|"
        r"(?<!'NoneType' object )has no attribute|takes \d+ positional arguments",
        NodeFailedError,
        Said("{node} does not fit the ComfyUI of {backend}: {message}"),
        Said("Update ComfyUI and the custom node there to versions that fit each other."),
    ),
)

RULES: tuple[Rule, ...] = (*_MEMORY_AND_DISK, *_MODELS, *_FILES, *_MACHINE, *_OTHERS)
