"""What a ComfyUI server is: its catalog, and what its version can, found out by asking.

Features found, by name:

features            `/features` answers
preview_metadata    previews say whose they are
jobs                `/api/jobs` answers
cancel              `/api/jobs/{id}/cancel` stops one prompt and no other
prompt_id           it keeps the id that we give a prompt (known after the first one)
"""

import asyncio
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import httpx

from app.errors import BackendUnreachableError
from app.models import Catalog
from app.ports import Clock
from backends.comfyui.catalog import folder_name, model_folders, texts
from backends.comfyui.client import ComfyClient
from backends.comfyui.messages import as_dict

PROMPT_ID = "prompt_id"
JOBS = "jobs"
CANCEL = "cancel"
_PARALLEL = 4  # a server answers them one by one anyway


async def probe(client: ComfyClient) -> frozenset[str]:
    """The features of the server.

    Raises:
        BackendUnreachableError: it did not answer.
    """
    features: set[str] = set()
    flags = await _json_or_none(client, "/features")
    if isinstance(flags, dict):
        features.add("features")
        if as_dict(flags).get("supports_preview_metadata") is True:
            features.add("preview_metadata")
    if "jobs" in as_dict(await _json_or_none(client, "/api/jobs?limit=1")):
        features.add(JOBS)
        # Of a prompt that is not there: servers that can answer that nothing was cancelled.
        answer = await client.answer("POST", f"/api/jobs/{uuid4()}/cancel")
        if answer.status_code == HTTPStatus.OK and "cancelled" in as_dict(_parsed(answer)):
            features.add(CANCEL)
    return frozenset(features)


async def read_catalog(client: ComfyClient, *, clock: Clock) -> Catalog:
    """Everything the server can do.

    Raises:
        BackendUnreachableError: it did not answer.
    """
    catalog = await client.catalog()
    listed = await _read_folders(client)
    embeddings = texts(await _json_or_none(client, "/embeddings"))
    return replace(
        catalog,
        # What its loaders offer stands in for folders that it does not list.
        models={**catalog.models, **listed},
        embeddings=embeddings,
        read_at=clock.now(),
    )


async def _read_folders(client: ComfyClient) -> dict[str, tuple[str, ...]]:
    folders = model_folders(await _json_or_none(client, "/models"))
    found: dict[str, tuple[str, ...]] = {}
    room = asyncio.Semaphore(_PARALLEL)
    away: list[BackendUnreachableError] = []

    async def read(folder: str) -> None:
        async with room:
            try:
                names = None if away else await _json_or_none(client, f"/models/{folder}")
            except BackendUnreachableError as exc:  # raised below, out of the group
                away.append(exc)
                return
        if isinstance(names, list):
            key = folder_name(folder)
            found[key] = (*found.get(key, ()), *texts(names))

    async with asyncio.TaskGroup() as group:
        for folder in folders:
            group.create_task(read(folder), name=f"models of {client.info.id}: {folder}")
    if away:
        raise away[0]
    return {folder: found[folder] for folder in sorted(found)}


async def _json_or_none(client: ComfyClient, path: str) -> Any:
    """What it answers there, None if it has no such route."""
    response = await client.answer("GET", path)
    return _parsed(response) if response.status_code == HTTPStatus.OK else None


def _parsed(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None
