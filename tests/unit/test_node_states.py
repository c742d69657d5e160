"""Where each node of a run is, told from what a real server sent."""

import json
from pathlib import Path
from uuid import uuid4

from app.events import EventBus, JobNodesProgressed
from app.live import LiveRuns
from app.models import NodeProgress, ShownFile
from backends.comfyui.answers import NodeBrief
from backends.comfyui.messages import (
    NodeExecuted,
    NodesCached,
    NodesProgressed,
    NodeStarted,
    OutputFile,
    parse,
)
from backends.comfyui.messages import NodeProgress as Told
from backends.comfyui.node_states import NodeStates

WS = Path(__file__).parent.parent / "data" / "comfyui" / "ws"


def _replayed(name: str, brief: dict[str, NodeBrief] | None = None) -> dict[str, NodeProgress]:
    states = NodeStates()
    states.know(brief or {})
    seen: dict[str, NodeProgress] = {}
    for line in (WS / f"{name}.jsonl").read_text().splitlines():
        record = json.loads(line)
        heard = parse(record["raw"]) if (record["kind"], record["who"]) == ("text", "A") else None
        if heard is not None and hasattr(heard, "prompt_id"):
            seen.update(states.hear(heard))  # type: ignore[arg-type]
    return seen


def test_cached_nodes_are_marked_and_the_others_are_done_at_the_end() -> None:
    states = _replayed("04_partial_cache_new_seed")

    assert {node for node, each in states.items() if each.state == "cached"} == {"4", "5", "6", "7"}
    assert {each.state for node, each in states.items() if node not in "4567"} == {"done"}
    assert "3" in states


def test_the_node_that_raised_is_the_one_that_failed() -> None:
    states = _replayed("08_error_vae_channel_mismatch")

    assert [each.state for each in states.values()].count("failed") == 1


def test_a_node_counts_its_steps_and_is_done_when_the_next_one_starts() -> None:
    states = NodeStates()

    first = states.hear(NodeStarted(prompt_id="p", node_id="3"))
    step = Told(node_id="3", value=2, maximum=4, finished=False)
    second = states.hear(NodesProgressed(prompt_id="p", nodes=(step,)))
    third = states.hear(NodeStarted(prompt_id="p", node_id="8"))

    assert first == {"3": NodeProgress(state="running")}
    assert second == {"3": NodeProgress(state="running", value=2, max=4)}
    assert third == {"3": NodeProgress(state="done"), "8": NodeProgress(state="running")}


def test_a_late_message_does_not_wake_a_node_that_is_over() -> None:
    states = NodeStates()
    states.hear(NodeExecuted(prompt_id="p", node_id="9", made=()))

    late = Told(node_id="9", value=1, maximum=4, finished=False)

    assert states.hear(NodesProgressed(prompt_id="p", nodes=(late,))) == {}


def test_a_node_shows_the_pictures_that_it_keeps_for_a_while_only() -> None:
    states = NodeStates()
    states.hear(NodesCached(prompt_id="p", node_ids=("9",)))
    made = (
        OutputFile(node_id="9", filename="a b&c.png", subfolder="x/y", type="temp"),
        OutputFile(node_id="9", filename="clip.mp4", subfolder="", type="temp"),
        OutputFile(node_id="9", filename="page.html", subfolder="", type="temp"),
        OutputFile(node_id="9", filename="saved.png", subfolder="", type="output"),
    )

    told = states.hear(NodeExecuted(prompt_id="p", node_id="9", made=made))
    again = states.hear(NodeExecuted(prompt_id="p", node_id="9", made=made))

    assert told["9"].state == "cached"
    assert told["9"].shown == (
        ShownFile(address="view?filename=a+b%26c.png&type=temp&subfolder=x%2Fy", kind="image"),
        ShownFile(address="view?filename=clip.mp4&type=temp&subfolder=", kind="video"),
    )
    assert again == {}


def test_parts_of_an_expanded_node_move_the_node_that_people_see() -> None:
    brief = {"1": NodeBrief(class_type="A", title="A"), "2": NodeBrief(class_type="B", title="B")}

    assert set(_replayed("13_expand_subgraph_display_ids", brief)) <= {"1", "2", "3", "9"}


async def test_only_those_who_watch_a_job_hear_of_its_nodes() -> None:
    bus, job_id = EventBus(), uuid4()
    live = LiveRuns(bus=bus)
    live.begin(job_id)
    running = {"3": NodeProgress(state="running")}

    with bus.subscribe(JobNodesProgressed) as inbox:
        live.nodes_progressed(job_id, running)
        with live.watching(job_id):
            live.nodes_progressed(job_id, {"8": NodeProgress(state="running")})
            live.previewed(job_id, step=1, mime="image/png", data=b"", node_id="3")
        live.nodes_progressed(job_id, {"9": NodeProgress(state="running")})
        heard = inbox.drain()

    assert [each.nodes.keys() for each in heard] == [{"8"}, set()]
    assert (heard[1].preview_node, heard[1].preview_rev) == ("3", 1)
    assert set(live.nodes(job_id).nodes) == {"3", "8", "9"}
