"""What the engine is and offers."""

import asyncio
import os
import sys
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from backends.demo.answers import JsonAnswer, Table
from backends.demo.models import GIB, metadata_of, size_bytes
from backends.demo.settings import DEVICE_NAME
from backends.demo.wire import JsonDict

if TYPE_CHECKING:
    from backends.demo.engine import DemoEngine

MEMORY_BYTES = 8 * GIB  # shown where a real server shows its RAM
MODEL_FOLDERS = (
    "checkpoints",
    "configs",
    "loras",
    "vae",
    "text_encoders",
    "diffusion_models",
    "clip_vision",
    "style_models",
    "embeddings",
    "diffusers",
    "vae_approx",
    "controlnet",
    "gligen",
    "upscale_models",
    "latent_upscale_models",
    "hypernetworks",
    "photomaker",
    "classifiers",
    "model_patches",
    "audio_encoders",
)
NOTHING: Mapping[str, object] = {
    "/extensions": [],
    "/settings": {},
    "/i18n": {},
    "/workflow_templates": {},
    "/global_subgraphs": {},
    "/node_replacements": {},
    "/users": {"storage": "server", "migrated": False},
}


class InfoRoutes:
    """Discovery: reads only."""

    def __init__(self, engine: "DemoEngine") -> None:
        self._engine = engine

    def table(self) -> Table:
        fixed = {path: {"GET": partial(_fixed, answer)} for path, answer in NOTHING.items()}
        return {
            "/ws": {"GET": _no_upgrade},
            "/system_stats": {"GET": self._system_stats},
            "/features": {"GET": partial(_fixed, self._engine.features)},
            "/object_info": {"GET": self._object_info},
            "/object_info/{class_type}": {"GET": self._one_class},
            "/models": {"GET": partial(_fixed, list(MODEL_FOLDERS))},
            "/models/{folder}": {"GET": self._models},
            "/view_metadata/{folder}": {"GET": self._metadata},
            "/embeddings": {"GET": self._embeddings},
            **fixed,
        }

    async def _system_stats(self, _request: Request) -> Response:
        settings, loaded = self._engine.settings, self._engine.executor.loaded
        total = int(settings.vram_gb * GIB)
        used = min(size_bytes(loaded), total * 9 // 10) if loaded else 0
        device = {
            "name": DEVICE_NAME,
            "type": "cpu",
            "index": None,
            "vram_total": total,
            "vram_free": total - used,
            "torch_vram_total": total,
            "torch_vram_free": total - used,
        }
        return JsonAnswer({"system": _system(settings.protocol.version), "devices": [device]})

    async def _object_info(self, _request: Request) -> Response:
        return JsonAnswer(await asyncio.to_thread(self._engine.catalog.describe_all))

    async def _one_class(self, request: Request) -> Response:
        class_type: str = request.path_params["class_type"]
        catalog = self._engine.catalog
        if class_type not in catalog:
            return JsonAnswer({})
        return JsonAnswer({class_type: await asyncio.to_thread(catalog.describe, class_type)})

    async def _models(self, request: Request) -> Response:
        folder: str = request.path_params["folder"]
        if folder not in MODEL_FOLDERS:
            return Response(status_code=404)
        return JsonAnswer(list(self._engine.settings.models().get(folder, ())))

    async def _embeddings(self, _request: Request) -> Response:
        names = self._engine.settings.models()["embeddings"]
        return JsonAnswer([name.rpartition(".")[0] for name in names])

    async def _metadata(self, request: Request) -> Response:
        """What the header of a model file tells; only one format has such a header."""
        folder: str = request.path_params["folder"]
        name = request.query_params.get("filename", "")
        if not name.endswith(".safetensors"):
            return Response(status_code=404)
        if name not in self._engine.settings.models().get(folder, ()):
            return Response(status_code=404)
        return JsonAnswer(metadata_of(name, folder=folder))


async def _fixed(answer: object, _request: Request) -> Response:
    return JsonAnswer(answer)


async def _no_upgrade(_request: Request) -> Response:
    return PlainTextResponse(
        'No WebSocket UPGRADE hdr: None\n Can "Upgrade" only to "WebSocket".', status_code=400
    )


def _system(version: str) -> JsonDict:
    return {
        "os": sys.platform,
        "ram_total": MEMORY_BYTES,
        "ram_free": MEMORY_BYTES,
        "comfyui_version": version,
        "required_frontend_version": None,
        "installed_templates_version": None,
        "required_templates_version": None,
        "comfy_package_versions": [],
        "python_version": sys.version,
        "pytorch_version": "none",
        "embedded_python": False,
        "deploy_environment": "demo",
        "argv": ["backends.demo", "--pid", str(os.getpid())],
    }
