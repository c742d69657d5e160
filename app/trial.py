"""Test runs: the workflow as it is drawn now, run once, told node by node.

A test run is a job like any other, with the graph of the moment in it; what is special is that
whoever draws sees how each node does.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from random import randrange
from typing import Any
from uuid import UUID

from app.drawing.convert import to_api
from app.drawing.diagram import Diagram, DiagramNode, Mode, Parameter, level_at
from app.drawing.findings import Severity
from app.drawing.form.suggesting import suggest
from app.drawing.schema import InputSpec, NodeSchema, Schemas
from app.errors import InvalidRequestError
from app.events import Event, JobChanged, JobNodesProgressed, JobReasonsChanged
from app.graphs.nodes import Graph
from app.jobs import JobService
from app.models import AUTO, Image, Job, JobState, NodeProgress, ShownFile
from app.said import Said
from app.submission import MAX_RANDOM_SEED, MAX_SEED
from app.submitting import Asker, Submitting
from app.views import Say, image_ref, to_json

SOURCE = "builder"
PROMPT = "prompt"
CONTROL = "control_after_generate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a test run is to be made with."""

    backend: str = AUTO
    prompt: str = ""  # in place of the workflow's own; empty: that
    outputs: frozenset[str] | None = None  # only these nodes and what they need


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSeed:
    """A seed that its node wants to have after each run."""

    level: str  # the path of the subgraph node it is in; "" for the whole workflow
    node: str
    name: str
    value: int


@dataclass(slots=True, kw_only=True)
class Trial:
    """One test run, as far as it is heard of."""

    job: Job
    nodes: dict[str, NodeProgress]
    preview: tuple[str, int] | None = None  # the node that shows it, and its number
    images: tuple[Image, ...] = ()
    sample: Sample = field(default_factory=Sample)

    @property
    def is_over(self) -> bool:
        """Nothing more is to come."""
        return self.job.state.is_terminal

    def hear(self, event: Event) -> bool:
        """Take in what happened; whether it was about this run."""
        match event:
            case JobChanged(job=job, images=images) if job.id == self.job.id:
                self._move(job)
                self.images = images or self.images
                self._settle()
            case JobReasonsChanged(reasons=reasons) if self.job.id in reasons:
                pass  # whoever shows the run asks for the reason
            case JobNodesProgressed(job_id=job_id) if job_id == self.job.id:
                self.take(event)
            case _:
                return False
        return True

    def take(self, told: JobNodesProgressed) -> None:
        """Take over how far its nodes are."""
        self.nodes |= told.nodes
        if told.preview_node and told.preview_rev:
            self.preview = (told.preview_node, told.preview_rev)

    def _move(self, job: Job) -> None:
        """Take over how the job is; tried again elsewhere, its nodes begin anew."""
        before, self.job = self.job.backend_id, job
        if before is not None and job.backend_id != before and not job.state.is_terminal:
            self.nodes = {path: NodeProgress(state="waiting") for path in self.nodes}
            self.preview = None

    def _settle(self) -> None:
        """What the end of the run says about its nodes."""
        if not self.is_over:
            return
        self.preview = None
        ended = "done" if self.job.state is JobState.DONE else "waiting"
        for path, progress in self.nodes.items():
            if progress.state == "running" or (ended == "done" and progress.state == "waiting"):
                self.nodes[path] = replace(progress, state=ended)
        failure = self.job.failure if self.job.state is JobState.FAILED else None
        if failure is not None and failure.node_id:
            self.nodes[failure.node_id] = NodeProgress(state="failed")

    def view(self, *, say: Say) -> dict[str, Any]:
        """The run for the graph in the browser: its state, and each node's."""
        nodes = {path: _node_view(progress) for path, progress in self.nodes.items()}
        if self.preview is not None and self.preview[0] in nodes:
            node, rev = self.preview
            nodes[node]["previewUrl"] = f"/api/jobs/{self.job.id}/preview?rev={rev}"
        for image in self.images:
            shown = nodes.setdefault(image.node_id, {"state": "done", "value": 0, "max": 0})
            shown.setdefault("images", []).append(_image_view(image))
        for path, progress in self.nodes.items():
            if progress.shown and "images" not in nodes[path]:  # else the gallery has them
                nodes[path]["images"] = [self._shown_view(each) for each in progress.shown]
        failure = self.job.failure if self.job.state is JobState.FAILED else None
        if failure is not None and failure.node_id in nodes:
            nodes[failure.node_id] |= {"error": say(failure.message), "fix": say(failure.fix)}
        return {"jobId": str(self.job.id), "state": self.job.state.value, "nodes": nodes}

    def _shown_view(self, file: ShownFile) -> dict[str, Any]:
        url = f"/api/backends/{self.job.backend_id}/comfy/{file.address}"
        return {"id": file.address, "thumb": None, "url": url, "kind": file.kind}


class Trials:
    """Starts test runs and remembers the last one of each workflow."""

    def __init__(self, *, submitting: Submitting, jobs: JobService) -> None:
        self._submitting = submitting
        self._jobs = jobs
        self._newest: dict[UUID, Trial] = {}

    def of(self, workflow_id: UUID) -> Trial | None:
        """The last test run of a workflow since the start of the app."""
        return self._newest.get(workflow_id)

    async def start(
        self,
        workflow_id: UUID,
        diagram: Diagram,
        *,
        schemas: Schemas,
        sample: Sample,
    ) -> tuple[Trial, list[NewSeed]]:
        """Queue a run of it, and the seeds that the next one is to have.

        Raises:
            InvalidRequestError: it cannot run as it is; the field is the path of the node.
            UnknownBackendError: there is no such backend.
            TooManyRequestsError, ConflictError, StorageError: what submitting raises.
        """
        conversion = await asyncio.to_thread(
            to_api, diagram, schemas=schemas, outputs=sample.outputs
        )
        wrong = next((f for f in conversion.findings if f.severity is Severity.ERROR), None)
        if wrong is not None:
            raise InvalidRequestError(wrong.node_id or "workflow", wrong.message, fix=wrong.fix)
        graph = conversion.graph
        if not graph:
            raise InvalidRequestError(
                "workflow",
                Said("There is nothing to run yet."),
                fix=Said("Add nodes that end in one that saves or shows a picture."),
            )
        fields = (*diagram.parameters, *suggest(diagram, schemas=schemas))
        prompt = _with_prompt(graph, prompt_among(fields), sample.prompt)
        job_id = await self._submitting.submit_graph(
            graph,
            backend=sample.backend,
            prompt=prompt,
            asker=Asker(source=SOURCE),
            metadata={"workflow": str(workflow_id)},
        )
        waiting = {path: NodeProgress(state="waiting") for path in graph}
        trial = Trial(job=await self._jobs.get(job_id), nodes=waiting, sample=sample)
        self._newest[workflow_id] = trial
        return trial, new_seeds(diagram, schemas=schemas, ran=graph)


def new_seeds(diagram: Diagram, *, schemas: Schemas, ran: Collection[str]) -> list[NewSeed]:
    """The seeds that nodes want to have after they were queued, as ComfyUI does it."""
    found: dict[tuple[str, str, str], NewSeed] = {}
    for path in ran:
        level, _, node_id = path.rpartition(":")
        try:
            node = level_at(diagram, level).nodes[node_id]
        except KeyError:  # made by the conversion, drawn nowhere
            continue
        schema = schemas.get(node.class_type)
        if schema is None or node.mode is not Mode.ACTIVE:
            continue
        for spec in _controlled(schema):
            value = _next(node, spec)
            if value is not None:
                seed = NewSeed(level=level, node=node_id, name=spec.name, value=value)
                found[_place(diagram, seed)] = seed
    return list(found.values())


def _controlled(schema: NodeSchema) -> list[InputSpec]:
    return [spec for spec in schema.inputs if spec.control and spec.widget == "int"]


def _place(diagram: Diagram, seed: NewSeed) -> tuple[str, str, str]:
    """Where it is kept: nodes of one subgraph used twice are the same."""
    parent, _, holder = seed.level.rpartition(":")
    definition = level_at(diagram, parent).nodes[holder].class_type if holder else ""
    return definition, seed.node, seed.name


def _next(node: DiagramNode, spec: InputSpec) -> int | None:
    """The seed after this one; None: it stays."""
    values = node.values
    control = values.get(f"{spec.name}.{CONTROL}", values.get(CONTROL))
    now = values.get(spec.name)
    if not isinstance(now, int) or isinstance(now, bool):
        return None
    low = int(spec.min) if spec.min is not None else 0
    high = min(int(spec.max), MAX_SEED) if spec.max is not None else MAX_SEED
    match control:
        case "randomize":
            return randrange(max(low, 0), min(high, MAX_RANDOM_SEED) + 1)  # noqa: S311
        case "increment":
            return now + 1 if now < high else low
        case "decrement":
            return now - 1 if now > low else high
        case _:
            return None


def prompt_among(fields: Sequence[Parameter]) -> Parameter | None:
    """Where a workflow has its prompt: fields of its form come first, then those it could have."""
    return next((each for each in fields if each.name == PROMPT), None)


def _with_prompt(graph: Graph, place: Parameter | None, sample: str) -> str:
    """Put the sample where the workflow has its prompt; the prompt that it then has."""
    inputs = graph[place.node]["inputs"] if place and place.node in graph else {}
    if place is None or not isinstance(inputs.get(place.input), str):
        return sample
    if sample.strip():
        inputs[place.input] = sample
    return str(inputs[place.input])


def _node_view(progress: NodeProgress) -> dict[str, Any]:
    return {"state": progress.state, "value": progress.value, "max": progress.max}


def _image_view(image: Image) -> dict[str, Any]:
    ref = to_json(image_ref(image))
    return {"id": ref["id"], "thumb": ref["thumbnailUrl"], "url": ref["url"], "kind": ref["kind"]}
