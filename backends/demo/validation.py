"""Checks a graph as a ComfyUI server does, with the same error types and texts."""

import traceback
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, cast

from backends.demo.catalog import Catalog, InputSpec
from backends.demo.files import Workspace
from backends.demo.values import coerce, out_of_range, problem, types_fit, unwrapped
from backends.demo.wire import BrokenRequestError, Graph, JsonDict, full_type_name

# What reading a malformed graph can raise; a real server reports them with a traceback.
GRAPH_ERRORS = (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError)


class InvalidPromptError(Exception):
    """The whole prompt is refused; `body` is the answer, to be sent with status 400."""

    def __init__(self, error: JsonDict, *, node_errors: JsonDict | None = None) -> None:
        super().__init__(error["message"])
        self.body: JsonDict = {"error": error, "node_errors": node_errors or {}}


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidPrompt:
    """At least one output can run; `node_errors` tells why others are dropped."""

    outputs: list[str]
    node_errors: JsonDict


def validate(
    graph: Graph,
    *,
    catalog: Catalog,
    files: Workspace,
    targets: Collection[str] | None,
    is_old: bool,
) -> ValidPrompt:
    """Finds the outputs that can run. Coerces literal inputs in place.

    Raises InvalidPromptError when nothing can run, BrokenRequestError when the graph is not a
    graph at all.
    """
    outputs = _find_outputs(graph, catalog=catalog, targets=targets, is_old=is_old)
    if not outputs:
        raise InvalidPromptError(problem("prompt_no_outputs", "Prompt has no outputs"))
    check = _Check(graph, catalog=catalog, files=files)
    good: list[str] = []
    output_errors: list[str] = []
    node_errors: dict[str, JsonDict] = {}
    for output in outputs:
        errors = check.output(output)
        if check.is_valid(output):
            good.append(output)
            continue
        output_errors += [f"{error['message']}: {error['details']}" for error in errors]
        for node_id, node_problems in check.problems.items():
            if node_problems:
                entry = node_errors.setdefault(
                    node_id,
                    {
                        "errors": node_problems,
                        "dependent_outputs": [],
                        "class_type": graph[node_id]["class_type"],
                    },
                )
                entry["dependent_outputs"].append(output)
    if not good:
        raise InvalidPromptError(
            problem(
                "prompt_outputs_failed_validation",
                "Prompt outputs failed validation",
                "\n".join(output_errors),
            ),
            node_errors=node_errors,
        )
    return ValidPrompt(outputs=good, node_errors=node_errors)


def _find_outputs(
    graph: Graph, *, catalog: Catalog, targets: Collection[str] | None, is_old: bool
) -> list[str]:
    outputs: list[str] = []
    for node_id, node in graph.items():
        if not isinstance(node, dict):  # pyright: ignore[reportUnnecessaryIsInstance] - foreign
            raise BrokenRequestError(f"Node {node_id} is not an object")
        class_type: Any = node.get("class_type")
        if class_type is None or class_type not in catalog:
            error = _unknown_in_old_words if is_old else _unknown_class
            raise InvalidPromptError(error(node_id, node, class_type=class_type))
        if catalog.is_output(class_type) and (targets is None or node_id in targets):
            outputs.append(node_id)
    return outputs


def _unknown_class(node_id: str, node: JsonDict, *, class_type: Any) -> JsonDict:
    title = _title(node, fallback=class_type)
    text = (
        f"Node '{title}' not found. The custom node may not be installed."
        if class_type is not None
        else f"Node '{title or f'ID #{node_id}'}' has no class_type. The workflow may be "
        "corrupted or a custom node is missing."
    )
    return problem(
        "missing_node_type",
        text,
        f"Node ID '#{node_id}'",
        node_id=node_id,
        class_type=class_type,
        node_title=title,
    )


def _unknown_in_old_words(node_id: str, _node: JsonDict, *, class_type: Any) -> JsonDict:
    text = (
        f"Cannot execute because node {class_type} does not exist."
        if class_type is not None
        else "Cannot execute because a node is missing the class_type property."
    )
    return problem("invalid_prompt", text, f"Node ID '#{node_id}'")


def _title(node: JsonDict, *, fallback: Any) -> Any:
    meta: Any = node.get("_meta")
    return cast("JsonDict", meta).get("title", fallback) if isinstance(meta, dict) else fallback


@dataclass(slots=True)
class _Check:
    """Walks upstream from outputs; each node is checked once."""

    graph: Graph
    catalog: Catalog
    files: Workspace
    problems: dict[str, list[JsonDict]] = field(default_factory=dict[str, list[JsonDict]])
    invalid: set[str] = field(default_factory=set[str])
    path: list[str] = field(default_factory=list[str])

    def is_valid(self, node_id: str) -> bool:
        return node_id not in self.invalid

    def output(self, node_id: str) -> list[JsonDict]:
        """The problems of an output node itself."""
        try:
            self.node(node_id)
        except GRAPH_ERRORS as exc:
            self._fail(
                node_id,
                problem(
                    "exception_during_validation",
                    "Exception when validating node",
                    str(exc),
                    exception_type=full_type_name(exc),
                    traceback=traceback.format_tb(exc.__traceback__),
                ),
            )
        finally:
            self.path.clear()
        return self.problems.get(node_id, [])

    def node(self, node_id: str) -> bool:
        if node_id in self.path:
            self._fail_cycle(node_id)
            return False
        if node_id in self.problems:
            return self.is_valid(node_id)
        inputs: JsonDict = self.graph[node_id]["inputs"]
        class_type: str = self.graph[node_id]["class_type"]
        self.path.append(node_id)
        found: list[JsonDict] = []
        upstream_ok = True
        for spec in self.catalog.inputs(class_type, given=inputs):
            if spec.name not in inputs:
                if spec.required:
                    found.append(
                        problem(
                            "required_input_missing",
                            "Required input is missing",
                            spec.name,
                            input_name=spec.name,
                        )
                    )
            elif isinstance(inputs[spec.name], list):
                error, ok = self._link(spec, inputs[spec.name])
                found += [error] if error else []
                upstream_ok = upstream_ok and ok
            else:
                found += self._literal(spec, inputs)
        self.path.pop()
        # A cycle further up may have put errors here already.
        found = self.problems.get(node_id, []) + found
        self.problems[node_id] = found
        if found or not upstream_ok:
            self.invalid.add(node_id)
        return self.is_valid(node_id)

    def _link(self, spec: InputSpec, value: list[Any]) -> tuple[JsonDict | None, bool]:
        if len(value) != 2:
            error = problem(
                "bad_linked_input",
                "Bad linked input, must be a length-2 list of [node_id, slot_index]",
                spec.name,
                input_name=spec.name,
                input_config=spec.raw,
                received_value=value,
            )
            return error, True
        source: str = value[0]
        slots = self.catalog.outputs(self.graph[source]["class_type"])
        slot: int = value[1]
        received = slots[slot]
        if not types_fit(received, spec.type):
            wanted = spec.type if isinstance(spec.type, str) else "COMBO"
            error = problem(
                "return_type_mismatch",
                "Return type mismatch between linked nodes",
                f"{spec.name}, received_type({received}) mismatch input_type({wanted})",
                input_name=spec.name,
                input_config=spec.raw,
                received_type=received,
                linked_node=value,
            )
            return error, True
        depth = len(self.path)
        try:
            return None, self.node(source)
        except GRAPH_ERRORS as exc:
            del self.path[depth:]
            self._fail(
                source,
                problem(
                    "exception_during_inner_validation",
                    "Exception when validating inner node",
                    str(exc),
                    input_name=spec.name,
                    input_config=spec.raw,
                    exception_message=str(exc),
                    exception_type=full_type_name(exc),
                    traceback=traceback.format_tb(exc.__traceback__),
                    linked_node=value,
                ),
            )
            return None, False

    def _literal(self, spec: InputSpec, inputs: JsonDict) -> list[JsonDict]:
        value = inputs[spec.name] = unwrapped(inputs[spec.name])
        try:
            value = inputs[spec.name] = coerce(value, kind=spec.type)
        except (TypeError, ValueError, OverflowError) as exc:
            return [
                problem(
                    "invalid_input_type",
                    f"Failed to convert an input value to a {spec.type} value",
                    f"{spec.name}, {value}, {exc}",
                    input_name=spec.name,
                    input_config=spec.raw,
                    received_value=value,
                    exception_message=str(exc),
                )
            ]
        if spec.upload is not None:
            return self._missing_file(spec, value)
        return out_of_range(spec, value)

    def _missing_file(self, spec: InputSpec, value: object) -> list[JsonDict]:
        if self.files.named(str(value)) is not None:
            return []
        return [
            problem(
                "custom_validation_failed",
                "Custom validation failed for node",
                f"{spec.name} - Invalid {spec.upload} file: {value}",
                input_name=spec.name,
            )
        ]

    def _fail(self, node_id: str, error: JsonDict) -> None:
        self.problems[node_id] = [error]
        self.invalid.add(node_id)

    def _fail_cycle(self, node_id: str) -> None:
        nodes = self.path[self.path.index(node_id) :]
        shown = [f"{each} ({self.graph[each]['class_type']})" for each in [*nodes, node_id]]
        for each in nodes:
            self._fail(
                each,
                problem(
                    "dependency_cycle",
                    "Dependency cycle detected",
                    " -> ".join(shown),
                    node_id=each,
                    cycle_nodes=nodes,
                ),
            )
