"""The demo engine as an older server, and as one member of a mixed farm."""

import asyncio
import os
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from backends.demo.server import DemoSettings, serve_demo
from backends.demo.settings import Protocol
from tests.contract import demo_graphs as graphs
from tests.contract.demo_replay import wait_for_history

ROOT = Path(__file__).parents[2]
PATIENCE_S = 20
OLD = [Protocol.OLD, Protocol.NO_ID]


@asynccontextmanager
async def engine(home: Path, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    made = DemoSettings(**({"home": home, "step_delay_s": 0.0} | settings))
    async with (
        asyncio.timeout(PATIENCE_S),
        serve_demo(made) as url,
        httpx.AsyncClient(base_url=url) as http,
    ):
        yield http


async def post(http: httpx.AsyncClient, graph: graphs.Graph, **body: Any) -> str:
    answer = await http.post("/prompt", json={"prompt": graph, **body})
    return answer.raise_for_status().json()["prompt_id"]


async def run(http: httpx.AsyncClient, graph: graphs.Graph, **body: Any) -> dict[str, Any]:
    prompt_id = await post(http, graph, **body)
    return (await wait_for_history(http, prompt_id))[prompt_id]


def text_to_image(checkpoint: str = "demo_sd15.safetensors", *, seed: int = 7) -> graphs.Graph:
    graph = graphs.from_checkpoint(checkpoint)
    graph["6"]["inputs"]["seed"] = seed
    return graph


@pytest.mark.parametrize("protocol", OLD)
async def test_an_old_server_has_no_jobs_and_tells_its_version(
    tmp_path: Path, protocol: Protocol
) -> None:
    async with engine(tmp_path, protocol=protocol) as http:
        jobs = await http.get("/api/jobs")
        cancel = await http.post(f"/api/jobs/{uuid.uuid4()}/cancel")
        stats = (await http.get("/system_stats")).json()
        features = (await http.get("/features")).json()

    assert (jobs.status_code, cancel.status_code) == (404, 404)
    assert stats["system"]["comfyui_version"] == protocol.value[:6]
    assert set(features) == {"supports_preview_metadata", "max_upload_size"}


async def test_an_old_server_takes_any_prompt_id_and_stamps_no_time(tmp_path: Path) -> None:
    async with engine(tmp_path, protocol=Protocol.OLD) as http:
        entry = await run(http, text_to_image(), prompt_id="My Own Id")

    assert entry["prompt"][1] == "My Own Id"
    assert "create_time" not in entry["prompt"][3]


async def test_the_oldest_server_invents_the_prompt_id(tmp_path: Path) -> None:
    wanted = str(uuid.uuid4())
    async with engine(tmp_path, protocol=Protocol.NO_ID) as http:
        given = await post(http, text_to_image(), prompt_id=wanted)
        entry = await wait_for_history(http, given)
        missed = (await http.get(f"/history/{wanted}")).json()

    assert given != wanted
    assert entry[given]["status"]["completed"] is True
    assert missed == {}


@pytest.mark.parametrize("protocol", OLD)
async def test_an_old_server_calls_an_unknown_node_an_invalid_prompt(
    tmp_path: Path, protocol: Protocol
) -> None:
    async with engine(tmp_path, protocol=protocol) as http:
        answer = await http.post("/prompt", json={"prompt": {"5": graphs.node("NoSuchNode")}})

    assert answer.status_code == 400
    assert answer.json() == {
        "error": {
            "type": "invalid_prompt",
            "message": "Cannot execute because node NoSuchNode does not exist.",
            "details": "Node ID '#5'",
            "extra_info": {},
        },
        "node_errors": {},
    }


@pytest.mark.parametrize(
    ("protocol", "kind"),
    [(Protocol.OLD, "execution_interrupted"), (Protocol.CURRENT, "execution_success")],
)
async def test_only_an_old_server_interrupts_a_run_that_was_not_named(
    tmp_path: Path, protocol: Protocol, kind: str
) -> None:
    async with engine(tmp_path, protocol=protocol, faults=True) as http:
        await http.post("/demo/faults", json={"hang_at_step": 2})
        prompt_id = await post(http, text_to_image())
        while (await http.get("/demo/stats")).json()["sampled_steps"] < 2:
            pass
        await http.post("/interrupt", json={"prompt_id": str(uuid.uuid4())})
        await http.delete("/demo/faults")
        entry = (await wait_for_history(http, prompt_id))[prompt_id]

    assert entry["status"]["messages"][-1][0] == kind


async def test_an_engine_offers_only_the_models_and_classes_it_was_given(tmp_path: Path) -> None:
    limits = {
        "checkpoints": ("a/one.safetensors",),
        "loras": ("two.safetensors",),
        "without_classes": ("SaveVideo", "LoraLoaderModelOnly"),
    }
    async with engine(tmp_path, **limits) as http:
        info = (await http.get("/object_info")).json()
        listed = (await http.get("/models/loras")).json()
        refused = await http.post("/prompt", json={"prompt": {"1": graphs.node("SaveVideo")}})

    inputs = {name: info[name]["input"]["required"] for name in info}
    assert inputs["CheckpointLoaderSimple"]["ckpt_name"][0] == ["a/one.safetensors"]
    assert inputs["ImageOnlyCheckpointLoader"]["ckpt_name"][0] == ["a/one.safetensors"]
    assert inputs["LoraLoader"]["lora_name"][0] == listed == ["two.safetensors"]
    assert inputs["TripleCLIPLoader"]["clip_name1"][1]["options"] != []
    assert not {"SaveVideo", "LoraLoaderModelOnly"} & set(info)
    assert refused.json()["error"]["type"] == "missing_node_type"


async def test_a_loaded_checkpoint_takes_up_memory_until_it_is_freed(tmp_path: Path) -> None:
    async def memory() -> tuple[int, int]:
        device = (await http.get("/system_stats")).json()["devices"][0]
        return device["vram_total"], device["vram_free"]

    async with engine(tmp_path, vram_gb=24.0) as http:
        empty = await memory()
        await run(http, text_to_image("demo_sdxl.safetensors"))
        loaded = await memory()
        await http.post("/free", json={"unload_models": True})
        freed = await memory()

    assert empty == freed == (24 * 1024**3, 24 * 1024**3)
    assert loaded[1] < loaded[0] - 4 * 1024**3


async def test_every_switch_of_checkpoint_takes_its_time_and_speed_shortens_it(
    tmp_path: Path,
) -> None:
    def took_ms(entry: dict[str, Any]) -> int:
        messages = dict(entry["status"]["messages"])
        return messages["execution_success"]["timestamp"] - messages["execution_start"]["timestamp"]

    async with engine(tmp_path, load_delay_s=60.0, speed=200.0) as http:
        names = ("demo_sd15.safetensors", "demo_sdxl.safetensors", "demo_sd15.safetensors")
        took = [took_ms(await run(http, text_to_image(name))) for name in names]

    assert min(took) >= 299  # stamps are cut to whole milliseconds


async def test_the_command_line_makes_an_engine_of_a_farm(tmp_path: Path) -> None:
    options = "--checkpoint one.safetensors --checkpoint two.safetensors --lora l.safetensors"
    options += " --without-class SaveVideo --vram-gb 12 --protocol 0.3.60 --speed 4"
    command = ["-m", "backends.demo", "--port", "0", "--home", str(tmp_path), "--announce"]
    made = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        *options.split(),
        "--parent",
        str(os.getpid()),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert made.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            url = (await made.stdout.readline()).decode().split()[-1]
            async with httpx.AsyncClient(base_url=url) as http:
                stats = (await http.get("/system_stats")).json()
                checkpoints = (await http.get("/models/checkpoints")).json()
                loras = (await http.get("/models/loras")).json()
                lacking = (await http.get("/object_info/SaveVideo")).json()
    finally:
        made.kill()
        await made.wait()

    assert stats["system"]["comfyui_version"] == "0.3.60"
    assert stats["devices"][0]["vram_total"] == 12 * 1024**3
    assert checkpoints == ["one.safetensors", "two.safetensors"]
    assert loras == ["l.safetensors"]
    assert lacking == {}
