"""Plays the client's part of a recording against a demo engine and collects what it hears."""

import asyncio
import copy
import json
import re
from pathlib import Path
from typing import Any

import httpx
import websockets
from websockets.asyncio.client import ClientConnection

from backends.demo.nodes.base import NodeContext, NodeResult
from backends.demo.nodes.sampling import sample
from backends.demo.wire import JsonDict

RECORDINGS = Path(__file__).parents[1] / "data" / "comfyui" / "conformance"
PATIENCE_S = 10
UNLIMITED = 10**9
TIMES = {
    "timestamp",
    "create_time",
    "execution_start_time",
    "execution_end_time",
}
SLOW_DESCRIPTION: JsonDict = {
    "input": {
        "required": {
            "image": ["IMAGE"],
            "steps": ["INT", {"default": 5, "min": 1, "max": 1000}],
            "delay": ["FLOAT", {"default": 0.2, "min": 0.0, "max": 10.0, "step": 0.01}],
            "preview": [["none", "JPEG", "PNG"]],
            "salt": ["INT", {"default": 0, "min": 0, "max": 2147483648}],
        }
    },
    "output": ["IMAGE"],
    "output_node": False,
}


def load(name: str) -> list[JsonDict]:
    return json.loads((RECORDINGS / f"{name}.json").read_text(encoding="utf-8"))


class Gate:
    """Lets the steps of samplers through when told to."""

    def __init__(self) -> None:
        self._allowed = UNLIMITED
        self._reached = 0
        self._moved = asyncio.Condition()

    async def let_through(self, limit: int) -> None:
        """Allows steps up to `limit` and returns when that one has been told."""
        async with self._moved:
            self._allowed = limit
            self._moved.notify_all()
            if limit < UNLIMITED:
                await self._moved.wait_for(lambda: self._reached >= limit)

    async def sample(self, context: NodeContext, inputs: JsonDict) -> NodeResult:
        """The engine's own sampler behind the gate."""
        return await sample(GatedContext(context, gate=self), inputs)

    async def run_slow(self, context: NodeContext, inputs: JsonDict) -> NodeResult:
        """Stands in for the slow test node of the recordings."""
        steps: int = inputs["steps"]
        images = inputs["image"]
        gated = GatedContext(context, gate=self)
        preview = None if inputs["preview"] == "none" else lambda: images[0]
        for step in range(1, steps + 1):
            await gated.advance(step, steps=steps, preview=preview)
        return NodeResult(outputs=(images,))

    async def wait_for(self, step: int) -> None:
        async with self._moved:
            await self._moved.wait_for(lambda: step <= self._allowed)

    async def reach(self, step: int) -> None:
        async with self._moved:
            self._reached = step
            self._moved.notify_all()


class GatedContext:
    """A node's context whose steps wait at the gate."""

    def __init__(self, context: NodeContext, *, gate: Gate) -> None:
        self._context = context
        self._gate = gate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def advance(self, step: int, *, steps: int, preview: Any) -> None:
        await self._gate.wait_for(step)
        await self._context.advance(step, steps=steps, preview=preview)
        await self._gate.reach(step)


class Listener:
    """One socket of the recorded client."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.heard: list[JsonDict] = []
        self._grew = asyncio.Condition()

    async def listen(self) -> None:
        async for message in self.connection:
            async with self._grew:
                self.heard.append(_unpack(message))
                self._grew.notify_all()

    async def wait_for(self, count: int) -> None:
        async with self._grew:
            await self._grew.wait_for(lambda: len(self.heard) >= count)


class Replay:
    """Goes through a recording action by action, never ahead of what the client had heard."""

    def __init__(self, tape: list[JsonDict], *, url: str, gate: Gate) -> None:
        self.tape = tape
        self.listeners: dict[str, Listener] = {}
        self.differences: list[str] = []
        self._url = url
        self._gate = gate
        self._ids: dict[str, str] = {}  # of the engine -> of the recording
        self._posted: list[str] = []

    async def run(self) -> None:
        async with (
            asyncio.timeout(PATIENCE_S),
            httpx.AsyncClient(base_url=self._url) as http,
            asyncio.TaskGroup() as group,
        ):
            await self._warm_up(http)
            for index, action in enumerate(self.tape):
                if action["do"] != "hear":
                    await self._catch_up(index)
                    await self._act(action, http=http, group=group)
            await self._gate.let_through(UNLIMITED)
            for who, listener in self.listeners.items():
                await listener.wait_for(len(self.recorded(who)))
            await self._drain(http)
            for listener in self.listeners.values():
                await listener.connection.close()

    def recorded(self, who: str, *, until: int | None = None) -> list[JsonDict]:
        events = self.tape[:until]
        return [each for each in events if each["do"] == "hear" and each["who"] == who]

    def shape(self, value: Any) -> Any:
        """A comparable form: what must differ between two runs is blanked."""
        text = json.dumps(value)
        for ours, theirs in self._ids.items():
            text = text.replace(ours, theirs)
        return blanked(json.loads(text))

    async def _warm_up(self, http: httpx.AsyncClient) -> None:
        """Brings counter and node cache into the state they had when the recording began."""
        cached = _cached_nodes(self.tape)
        first = next(each for each in self.tape if each.get("path") == "/prompt")
        for _ in range(first["json"]["number"] - bool(cached)):
            await http.post("/prompt", json={})  # refused, but counted
        if not cached:
            return
        graph = copy.deepcopy(first["body"]["prompt"])
        for node_id, node in graph.items():
            if node_id not in cached:
                _change(node["inputs"])
        answer = await http.post("/prompt", json={"prompt": graph})
        await wait_for_history(http, answer.json()["prompt_id"])

    async def _catch_up(self, index: int) -> None:
        action, past = self.tape[index], self.tape[:index]
        await self._gate.let_through(_step_limit(self.tape, index))
        for who, listener in self.listeners.items():
            count = sum(
                each["do"] == "hear" and each["who"] == who and each["t"] <= action["t"]
                for each in past
            )
            await listener.wait_for(count)

    async def _act(
        self, action: JsonDict, *, http: httpx.AsyncClient, group: asyncio.TaskGroup
    ) -> None:
        who = action["who"]
        match action["do"]:
            case "open":
                query = f"?clientId={action['client_id']}" if action["client_id"] else ""
                address = self._url.replace("http", "ws") + "/ws" + query
                connection = await websockets.connect(
                    address, max_size=None, max_queue=None, proxy=None
                )
                self.listeners[who] = Listener(connection)
                group.create_task(self.listeners[who].listen(), name=f"listen-{who}")
            case "send":
                message = action["message"]
                text = message if isinstance(message, str) else json.dumps(message)
                await self.listeners[who].connection.send(text)
            case "close":
                await self.listeners[who].connection.close()
            case "request":
                await self._request(action, http=http)
            case "history":
                await self._history(action, http=http)

    async def _request(self, action: JsonDict, *, http: httpx.AsyncClient) -> None:
        body, path = json.dumps(action["body"]), action["path"]
        for ours, theirs in self._ids.items():
            body, path = body.replace(theirs, ours), path.replace(theirs, ours)
        content = None if action["body"] is None else body
        answer = await http.request(action["method"], path, content=content)
        if answer.is_success and "prompt_id" in action.get("json", {}):
            self._ids[answer.json()["prompt_id"]] = action["json"]["prompt_id"]
            self._posted.append(answer.json()["prompt_id"])
        ours: Any = answer.json() if "json" in action else answer.text
        theirs = action["json"] if "json" in action else action["text"]
        if path.startswith("/api/jobs") and isinstance(theirs, dict) and "jobs" in theirs:
            ours, theirs = self._own_jobs(ours), self._own_jobs(theirs)
        label = f"{action['method']} {action['path']}"
        self._compare(label, [answer.status_code, ours], [action["status"], theirs])

    def _own_jobs(self, answer: JsonDict) -> list[JsonDict]:
        # Accepted: the recording server had jobs of earlier recordings on its list.
        known = {*self._ids, *self._ids.values()}
        return [job for job in answer["jobs"] if job["id"] in known]

    async def _history(self, action: JsonDict, *, http: httpx.AsyncClient) -> None:
        if action["present"]:
            ours = next(new for new, old in self._ids.items() if old == action["id"])
            entry = await wait_for_history(http, ours)
            self._compare("history", entry, action["json"])
            return
        # Accepted: a recorded miss while a run ends is a race, and polls before the end are waits.
        if action["label"] == "deleted/cleared prompt":
            for ours in self._posted[1:]:
                self._compare("deleted", (await http.get(f"/history/{ours}")).json(), {})
        elif "running" in action["label"]:
            self._compare("running", (await http.get(f"/history/{self._posted[0]}")).json(), {})

    async def _drain(self, http: httpx.AsyncClient) -> None:
        """Makes the server say one more thing to every socket, so that extras are seen."""
        await http.post("/queue", json={"clear": True})
        for who, listener in self.listeners.items():
            if who in still_registered(self.tape):
                await listener.wait_for(len(self.recorded(who)) + 1)
                listener.heard.pop()

    def _compare(self, label: str, ours: Any, theirs: Any) -> None:
        mine, wanted = self.shape(ours), blanked(theirs)
        if mine != wanted:
            self.differences.append(f"{label}{first_difference(mine, wanted)}")


def first_difference(ours: Any, theirs: Any, *, path: str = "") -> str:
    """Where two answers part, for a message that a person can read."""
    if isinstance(ours, dict) and isinstance(theirs, dict) and ours.keys() == theirs.keys():
        pairs = [(key, ours[key], theirs[key]) for key in ours]
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = [(str(index), *both) for index, both in enumerate(zip(ours, theirs, strict=True))]
    else:
        return f"{path}: engine {ours!r}, recorded {theirs!r}"
    parted = next(((key, a, b) for key, a, b in pairs if a != b), None)
    return first_difference(*parted[1:], path=f"{path}/{parted[0]}") if parted else ""


async def wait_for_history(http: httpx.AsyncClient, prompt_id: str) -> JsonDict:
    """Asks until the prompt has ended; the caller's timeout bounds it."""
    while True:
        entry = (await http.get(f"/history/{prompt_id}")).json()
        if entry:
            return entry


def still_registered(tape: list[JsonDict]) -> set[str]:
    """Sockets that a server with the shared-id bug still sends to at the end."""
    owner: dict[str, str] = {}
    client_ids: dict[str, str] = {}
    for each in tape:
        if each["do"] == "open":
            client_ids[each["who"]] = each["client_id"] or each["who"]
            owner[client_ids[each["who"]]] = each["who"]
        elif each["do"] == "close":
            owner.pop(client_ids[each["who"]], None)
    return set(owner.values())


def blanked(value: Any) -> Any:
    """Recordings and answers in the same shape, without what differs between two runs."""
    if isinstance(value, list):
        return [blanked(each) for each in value]
    if isinstance(value, dict):
        return {key: _blanked_item(key, each) for key, each in value.items()}
    if isinstance(value, str):
        return re.sub(r"(_temp_[a-z]{5})?_\d{5}_\.png", "_#_.png", value)
    return value


def _blanked_item(key: str, value: Any) -> Any:
    if key in TIMES:
        return 0
    if key == "traceback":  # Accepted: another program has other frames.
        return [] if value == [] else ["frames"]
    if key in ("executed", "current_outputs"):  # sets on the real server
        return sorted(value)
    if key == "current_inputs":  # Accepted: our latents print differently.
        return sorted(value)
    if key == "sid" and isinstance(value, str) and re.fullmatch(r"[0-9a-f]{32}", value):
        return "invented"
    return blanked(value)


def _unpack(message: str | bytes) -> JsonDict:
    if isinstance(message, str):
        return {"message": json.loads(message)}
    event = int.from_bytes(message[:4], "big")
    metadata, image = None, message[8:]
    if event == 4:
        length = int.from_bytes(message[4:8], "big")
        metadata, image = json.loads(message[8 : 8 + length]), message[8 + length :]
    kind = "JPEG" if image[:3] == b"\xff\xd8\xff" else "PNG" if image[1:4] == b"PNG" else "other"
    return {"event": event, "format": kind, "metadata": metadata}


def _cached_nodes(tape: list[JsonDict]) -> list[str]:
    for each in tape:
        if each["do"] == "hear" and each.get("message", {}).get("type") == "execution_cached":
            return each["message"]["data"]["nodes"]
        if each["do"] == "history" and each["present"]:
            entry = next(iter(each["json"].values()))
            return entry["status"]["messages"][1][1]["nodes"]
    return []


def _change(inputs: JsonDict) -> None:
    """Makes a node a stranger to the cache, and quick."""
    for name in ("seed", "salt"):
        if name in inputs:
            inputs[name] += 1
            inputs["steps"] = 1
    if "text" in inputs:
        inputs["text"] += "!"
    if "batch_size" in inputs and "color" not in inputs:
        inputs["height"] += 8


def _step_limit(tape: list[JsonDict], index: int) -> int:
    """How far the slow node may be when the action at `index` happens."""
    if tape[index]["do"] == "history" and tape[index]["present"]:
        return UNLIMITED
    limit = 0
    for each in tape[:index]:
        kind = each.get("message", {}).get("type") if each["do"] == "hear" else None
        if kind == "progress":
            limit = max(limit, each["message"]["data"]["value"])
        if kind in ("execution_interrupted", "execution_success", "execution_error"):
            return UNLIMITED
    for each in tape[index + 1 :]:
        if each["do"] not in ("hear", "send"):
            break
        if each.get("message", {}).get("type") == "progress":
            return max(limit, each["message"]["data"]["value"] - 1)
    return limit
