"""Messages of real ComfyUI servers, and progress from messages that went astray."""

import json
import struct
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import pytest

from backends.comfyui.answers import NodeBrief, Outcome, parse_history
from backends.comfyui.messages import (
    Message,
    NodeExecuted,
    NodeProgress,
    NodesCached,
    NodesProgressed,
    NodeStarted,
    OutputFile,
    OutputText,
    PreviewReceived,
    QueueCounted,
    RunClosed,
    RunFailedMessage,
    RunInterruptedMessage,
    RunStartedMessage,
    RunSucceededMessage,
    TextReceived,
    parse,
)
from backends.comfyui.progress import ProgressTracker

M = TypeVar("M", bound=Message)
DATA = Path(__file__).parent.parent / "data" / "comfyui"
RECORDINGS = sorted((DATA / "ws").glob("*.jsonl"))
KINDS = {
    "status": QueueCounted,
    "execution_start": RunStartedMessage,
    "execution_cached": NodesCached,
    "progress": NodesProgressed,
    "progress_state": NodesProgressed,
    "executed": NodeExecuted,
    "execution_success": RunSucceededMessage,
    "execution_error": RunFailedMessage,
    "execution_interrupted": RunInterruptedMessage,
}
BRIEF = {
    "4": NodeBrief(class_type="CheckpointLoaderSimple", title="Load checkpoint"),
    "3": NodeBrief(class_type="KSampler", title="KSampler", steps=4),
    "9": NodeBrief(class_type="SaveImage", title="Save image"),
}


def _texts(recording: Path, *, who: str | None = None) -> list[str]:
    lines = [json.loads(line) for line in recording.read_text().splitlines()]
    return [line["raw"] for line in lines if line["kind"] == "text" and who in (None, line["who"])]


def _parsed(name: str, *, who: str = "A") -> list[Message]:
    (recording,) = (DATA / "ws").glob(f"{name}_*.jsonl")
    return [message for raw in _texts(recording, who=who) if (message := parse(raw))]


def _only(messages: list[Message], kind: type[M]) -> M:
    (message,) = [message for message in messages if isinstance(message, kind)]
    return message


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.stem)
def test_every_recorded_message_becomes_the_value_of_its_type(recording: Path) -> None:
    raws = [(json.loads(raw)["type"], parse(raw)) for raw in _texts(recording)]

    wrong = [
        (kind, message)
        for kind, message in raws
        if kind in KINDS and type(message) is not KINDS[kind]
    ]
    assert wrong == []
    executing = {type(message) for kind, message in raws if kind == "executing"}
    assert executing <= {NodeStarted, RunClosed}


def test_there_are_recordings_to_test_with() -> None:
    assert len(RECORDINGS) >= 30


def test_a_recorded_run_is_told_from_start_to_close() -> None:
    messages = _parsed("01")

    counts = Counter(type(message) for message in messages)
    assert [counts[kind] for kind in (RunStartedMessage, RunSucceededMessage, RunClosed)] == [
        1,
        1,
        1,
    ]
    assert _only(messages, NodesCached).node_ids == ("4", "5", "6", "7")
    (file,) = _only(messages, NodeExecuted).made
    assert isinstance(file, OutputFile)
    assert (file.type, file.filename.endswith("_.png")) == ("output", True)


def test_a_recorded_error_names_the_node_and_what_it_said() -> None:
    error = _only(_parsed("08"), RunFailedMessage).error

    assert (error.node_id, error.node_type, error.exception_type) == (
        "8",
        "VAEDecode",
        "RuntimeError",
    )
    assert error.message.startswith("Given groups=1")
    assert not error.message.endswith("\n")


def test_a_reconnect_tells_the_node_but_not_the_prompt() -> None:
    messages = _parsed("27", who="conn2_noff")

    started = [message for message in messages if isinstance(message, NodeStarted)]
    assert started[0] == NodeStarted(prompt_id=None, node_id="2")


def test_nodes_of_an_expanded_graph_count_for_the_node_people_see() -> None:
    tracker = ProgressTracker()
    tracker.know(
        {"1": NodeBrief(class_type="A", title="A"), "2": NodeBrief(class_type="B", title="B")}
    )

    told = [
        tracker.hear(message, at=0)
        for message in _parsed("13")
        if isinstance(message, NodesProgressed)
    ]

    assert {progress.node_id for progress in told if progress} <= {"1", "2", "3", "9"}
    assert max(progress.steps for progress in told if progress) > 1


@pytest.mark.parametrize(
    ("frame", "prompt_known", "mime"),
    [
        ("10_SaveImageWebsocket_ff_0.png.bin", True, "image/png"),
        ("11_SaveImageWebsocket_noff_0.png.bin", False, "image/png"),
        ("13_expand_subgraph_display_ids_0.jpeg.bin", True, "image/jpeg"),
    ],
)
def test_recorded_previews_keep_their_picture_whole(
    frame: str, prompt_known: bool, mime: str
) -> None:
    preview = parse((DATA / "frames" / frame).read_bytes())

    assert isinstance(preview, PreviewReceived)
    assert (preview.prompt_id is not None, preview.mime) == (prompt_known, mime)
    starts = {"image/png": b"\x89PNG", "image/jpeg": b"\xff\xd8\xff"}
    assert preview.data.startswith(starts[mime])


def test_progress_in_words_is_read() -> None:
    raw = struct.pack(">II", 3, 1) + b"2" + "hé".encode()

    assert parse(raw) == TextReceived(node_id="2", text="hé")


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "not json",
        "[1, 2]",
        "null",
        '{"type": 7}',
        '{"type": "logs", "data": {"entries": []}}',
        '{"type": "crystools.monitor", "data": {"prompt_id": "x", "cpu": 3}}',
        '{"type": "status", "data": {"status": null}}',
        '{"type": "executing", "data": null}',
        '{"type": "execution_start", "data": {}}',
        b"",
        b"\x00",
        struct.pack(">I", 2),
        struct.pack(">I", 4),
        struct.pack(">II", 4, 500) + b"{}",
        struct.pack(">II", 4, 2) + b"[[",
        struct.pack(">II", 3, 1) + b"\xff\xff",
    ],
)
def test_what_makes_no_sense_is_ignored(raw: str | bytes) -> None:
    assert parse(raw) is None


def test_files_and_texts_are_what_a_history_entry_tells_of() -> None:
    entry = json.loads((DATA / "history_output_kinds.json").read_text())

    parsed = parse_history({"p": entry}, prompt_id="p")

    assert parsed is not None
    assert parsed.outcome is Outcome.SUCCESS
    files = [made for made in parsed.made if isinstance(made, OutputFile)]
    assert {".mp4", ".webp", ".txt", ".latent"} <= {Path(file.filename).suffix for file in files}
    texts = [made for made in parsed.made if isinstance(made, OutputText)]
    assert [(text.node_id, text.text) for text in texts] == [("11", "hello\nworld")]


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("01", Outcome.SUCCESS),
        ("08", Outcome.ERROR),
        ("20", Outcome.INTERRUPTED),
        ("14", Outcome.SUCCESS),
    ],
)
def test_recorded_history_entries_tell_how_it_ended(name: str, outcome: Outcome) -> None:
    (recording,) = (DATA / "ws").glob(f"{name}_*.jsonl")
    lines = [json.loads(line) for line in recording.read_text().splitlines()]
    body = [
        line["resp"] for line in lines if line["kind"].startswith("GET /history") and line["resp"]
    ][-1]
    (prompt_id,) = body

    entry = parse_history(body, prompt_id=prompt_id)

    assert entry is not None
    assert entry.outcome == outcome
    assert (entry.error is not None) == (outcome is Outcome.ERROR)


def _step(value: float, *, node_id: str = "3") -> NodesProgressed:
    node = NodeProgress(node_id=node_id, value=value, maximum=4, finished=False)
    return NodesProgressed(prompt_id="p", nodes=(node,))


def test_the_fraction_never_goes_back_when_messages_are_doubled_or_swapped() -> None:
    tracker = ProgressTracker()
    tracker.know(BRIEF)

    heard = [
        _step(1),
        _step(1),
        _step(3),
        _step(2),
        NodeStarted(prompt_id="p", node_id="4"),
        _step(4),
    ]
    told = [tracker.hear(message, at=float(at)) for at, message in enumerate(heard)]

    fractions = [progress.fraction for progress in told if progress]
    assert all(before <= after for before, after in pairwise(fractions))
    assert fractions[-1] == pytest.approx(0.9)
    assert told[1] is None


def test_a_step_heard_late_does_not_take_the_count_back() -> None:
    tracker = ProgressTracker()
    tracker.know(BRIEF)

    told = [tracker.hear(_step(value), at=at) for at, value in enumerate((1, 3, 2))]

    assert [progress.step for progress in told if progress] == [1, 3]


def test_a_sampler_nobody_planned_does_not_take_the_fraction_back() -> None:
    tracker = ProgressTracker()
    tracker.know(BRIEF)

    before = tracker.hear(_step(4), at=0)
    after = tracker.hear(_step(1, node_id="9"), at=1)

    assert before is not None
    assert after is not None
    assert after.fraction >= before.fraction


def test_cached_nodes_count_as_done() -> None:
    tracker = ProgressTracker()
    tracker.know(BRIEF)

    progress = tracker.hear(NodesCached(prompt_id="p", node_ids=("4", "3")), at=0)

    assert progress is not None
    assert progress.fraction == pytest.approx(0.95)


def test_the_remaining_time_comes_from_the_rate_after_the_first_step() -> None:
    tracker = ProgressTracker()
    tracker.know(BRIEF)

    first = tracker.hear(_step(1), at=60)  # a minute of loading counts for nothing
    second = tracker.hear(_step(2), at=62)

    assert first is not None
    assert first.eta_s is None
    assert second is not None
    assert second.eta_s == pytest.approx(4)
    assert (second.step, second.steps, second.node_title) == (2, 4, "KSampler")


def test_two_samplers_are_two_phases() -> None:
    tracker = ProgressTracker()
    tracker.know(BRIEF | {"5": NodeBrief(class_type="KSamplerAdvanced", title="Refine", steps=4)})

    first = tracker.hear(_step(4), at=0)
    second = tracker.hear(_step(1, node_id="5"), at=1)

    assert first is not None
    assert (first.phase, first.phases) == (1, 2)
    assert first.fraction == pytest.approx(0.45)
    assert second is not None
    assert (second.phase, second.phases, second.step) == (2, 2, 1)


def test_a_run_whose_graph_is_unknown_still_has_steps() -> None:
    progress = ProgressTracker().hear(_step(2), at=0)

    assert progress is not None
    assert (progress.step, progress.steps) == (2, 4)
    assert 0 < progress.fraction < 1


def test_what_a_node_says_is_shown_with_its_title_until_another_executes() -> None:
    tracker = ProgressTracker()
    tracker.know(BRIEF)
    tracker.hear(NodeStarted(prompt_id="p", node_id="4"), at=0)

    said = tracker.hear(TextReceived(node_id="4", text="Downloading 40 %\n(2 of 5)"), at=1)
    moved = tracker.hear(NodeStarted(prompt_id="p", node_id="9"), at=2)

    assert said is not None
    assert said.node_title == "Load checkpoint: Downloading 40 %"
    assert moved is not None
    assert moved.node_title == "Save image"


def test_recorded_words_of_a_node_reach_the_progress() -> None:
    tracker = ProgressTracker()
    frame = struct.pack(">II", 3, 1) + b"2" + "héllo".encode()
    message = parse(frame)
    assert isinstance(message, TextReceived)

    tracker.hear(NodeStarted(prompt_id=None, node_id="2"), at=0)
    progress = tracker.hear(message, at=0)

    assert progress is not None
    assert progress.node_title == "héllo"


def test_the_activity_of_newer_servers_is_shown_too() -> None:
    state = {"value": 0.0, "max": 1.0, "state": "running", "activity": "loading"}
    message = parse(
        json.dumps({"type": "progress_state", "data": {"prompt_id": "p", "nodes": {"4": state}}})
    )
    tracker = ProgressTracker()
    tracker.know(BRIEF)
    assert isinstance(message, NodesProgressed)

    progress = tracker.hear(message, at=0)

    assert progress is not None
    assert progress.node_title == "Load checkpoint: loading"


def test_waiting_in_the_queue_does_not_count_as_time_of_a_step() -> None:
    tracker = ProgressTracker()
    tracker.know(BRIEF)
    steps = [
        NodesProgressed(
            prompt_id="p",
            nodes=(NodeProgress(node_id="3", value=step, maximum=4, finished=False),),
        )
        for step in (1, 2)
    ]

    tracker.hear(NodesCached(prompt_id="p", node_ids=()), at=500)
    told = [tracker.hear(message, at=1000 + number) for number, message in enumerate(steps)]

    assert told[-1] is not None
    assert told[-1].eta_s == pytest.approx(2)
