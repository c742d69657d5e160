"""A variant of a preset, filled with the values of a request."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.graphs.nodes import Graph, Node, copied, is_link
from app.graphs.preset import Variant

Link = tuple[str, int]


def fill(variant: Variant, *, values: Mapping[str, Any], files: Mapping[str, str]) -> Graph:
    """A new graph with the values of its fields and options, and its model files.

    `files` is by "node.input", as the bindings are.
    """
    graph = copied(variant.graph)
    for name, places in variant.bindings.items():
        if name in values:
            for place in places:
                put(graph, place, value=values[name])
    for place, file in files.items():
        put(graph, place, value=file)
    return graph


def put(graph: Graph, place: str, *, value: object) -> None:
    """Give an input, named "node.input", a value."""
    node_id, name = place.split(".", 1)
    graph[node_id]["inputs"][name] = value


def put_loras(
    graph: Graph, loras: Sequence[tuple[str, float, float]], *, model: Link, clip: Link
) -> None:
    """Chain LoRAs (file, weight, weight of the text encoder) between loaders and consumers."""
    if not loras:
        return
    consumers_of_model, consumers_of_clip = _consumers(graph, model), _consumers(graph, clip)
    for number, (file, weight, clip_weight) in enumerate(loras, start=1):
        node_id = f"lora{number}"
        inputs = {
            "lora_name": file,
            "strength_model": weight,
            "strength_clip": clip_weight,
            "model": list(model),
            "clip": list(clip),
        }
        graph[node_id] = _node("LoraLoader", title=f"LoRA {number}", inputs=inputs)
        model, clip = (node_id, 0), (node_id, 1)
    _lead(graph, consumers_of_model, to=model)
    _lead(graph, consumers_of_clip, to=clip)


def put_vae(graph: Graph, file: str, *, instead_of: Link) -> None:
    """Have a VAE of its own file used where the checkpoint's was."""
    consumers = _consumers(graph, instead_of)
    graph["vae"] = _node("VAELoader", title="Load VAE", inputs={"vae_name": file})
    _lead(graph, consumers, to=("vae", 0))


def _consumers(graph: Graph, source: Link) -> list[tuple[str, str]]:
    return [
        (node_id, name)
        for node_id, node in graph.items()
        for name, value in node["inputs"].items()
        if is_link(value) and (value[0], value[1]) == source
    ]


def _lead(graph: Graph, consumers: Sequence[tuple[str, str]], *, to: Link) -> None:
    for node_id, name in consumers:
        graph[node_id]["inputs"][name] = list(to)


def _node(class_type: str, *, title: str, inputs: dict[str, Any]) -> Node:
    return {"class_type": class_type, "inputs": inputs, "_meta": {"title": title}}
