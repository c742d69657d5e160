"""What a ComfyUI server would refuse in a graph, by its own description of its node classes.

Written from how the server goes about it, not from our schemas, so that both can be held against
each other. Files it does not have are not looked at.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_ANY = ("*", "COMFY_MATCHTYPE_V3")
_KINDS = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool}
_WIDGETS = ("WEBCAM", "AUDIO_RECORD", "LOAD_3D", "COLOR")
_FILES = (".safetensors", ".ckpt", ".pt", ".pth", ".gguf", ".onnx", ".sft", ".bin")


def faults(graph: Mapping[str, Any], object_info: Mapping[str, Any]) -> list[str]:
    """One sentence for each input that the server would refuse, of nodes that a result needs."""
    found: list[str] = []
    for node_id in _needed(graph, object_info):
        node = graph[node_id]
        entry = object_info[node["class_type"]]
        for name, spec, required in _expanded(entry["input"], node["inputs"]):
            where = f"{node_id} {node['class_type']}.{name}"
            if name not in node["inputs"]:
                if required:
                    found.append(f"{where}: missing")
                continue
            wrong = _wrong(node["inputs"][name], spec, graph, object_info)
            if wrong:
                found.append(f"{where}: {wrong}")
    return found


def _needed(graph: Mapping[str, Any], object_info: Mapping[str, Any]) -> list[str]:
    waiting = [key for key, node in graph.items() if _is_output(object_info[node["class_type"]])]
    needed: dict[str, None] = {}
    while waiting:
        key = waiting.pop()
        if key not in needed:
            needed[key] = None
            waiting += [v[0] for v in graph[key]["inputs"].values() if isinstance(v, list)]
    return list(needed)


def _is_output(entry: Mapping[str, Any]) -> bool:
    return bool(entry.get("output_node"))


def _expanded(
    given: Mapping[str, Any], live: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, Any, bool]]:
    """The inputs a node has with these values: name, spec, whether it is required."""
    for section in ("required", "optional"):
        for short, spec in given.get(section, {}).items():
            name, kind = prefix + short, spec[0]
            options = spec[1] if len(spec) > 1 else {}
            if kind == "COMFY_AUTOGROW_V3":
                yield from _grown(name, options["template"])
                continue
            yield name, spec, section == "required"
            if kind == "COMFY_DYNAMICCOMBO_V3" and name in live:
                for option in options["options"]:
                    if option["key"] == live[name]:
                        yield from _expanded(option["inputs"], live, f"{name}.")


def _grown(name: str, template: Mapping[str, Any]) -> Iterator[tuple[str, Any, bool]]:
    names = template.get("names") or [
        f"{template['prefix']}{index}" for index in range(template["max"])
    ]
    section, specs = next((key, each) for key, each in template["input"].items() if each)
    spec = next(iter(specs.values()))
    for index, each in enumerate(names):
        yield f"{name}.{each}", spec, section == "required" and index < template["min"]


def _wrong(
    value: Any, spec: Any, graph: Mapping[str, Any], object_info: Mapping[str, Any]
) -> str | None:
    kind, options = spec[0], spec[1] if len(spec) > 1 else {}
    if isinstance(value, list):
        if len(value) != 2 or value[0] not in graph:
            return f"{value} is no link"
        outputs = object_info[graph[value[0]]["class_type"]]["output"]
        if value[1] >= len(outputs):
            return f"{value} is no output"
        return None if _fits(outputs[value[1]], kind) else f"{outputs[value[1]]} into {kind}"
    if isinstance(value, dict) and "__value__" in value:
        value = value["__value__"]
    return _bad_value(value, kind, options)


def _fits(given: Any, wanted: Any) -> bool:
    if given == wanted or given in _ANY or wanted in _ANY:
        return True
    if isinstance(given, list) and wanted == "COMBO":
        return True
    if not isinstance(given, str) or not isinstance(wanted, str):
        return False
    some, others = set(given.split(",")), set(wanted.split(","))
    return "*" in some | others or bool(some & others)


def _bad_value(value: Any, kind: Any, options: Mapping[str, Any]) -> str | None:
    if kind == "COMFY_DYNAMICCOMBO_V3":
        keys = [option["key"] for option in options["options"]]
        return None if value in keys else f"{value!r} not in {keys}"
    choices = (
        kind if isinstance(kind, list) else options.get("options") if kind == "COMBO" else None
    )
    if choices is not None:
        return _not_chosen(value, choices, options)
    if kind in _KINDS:
        try:
            value = _KINDS[kind](value)
        except (TypeError, ValueError):
            return f"{value!r} is no {kind}"
    elif _only_linked(str(kind), options):
        return f"{value!r} in place of {kind}"
    if "min" in options and value < options["min"]:
        return f"{value} < {options['min']}"
    return f"{value} > {options['max']}" if "max" in options and value > options["max"] else None


def _only_linked(kind: str, options: Mapping[str, Any]) -> bool:
    """Whether no editor has a widget for it (a server would find out when it runs)."""
    if kind in ("*", "COMFY_MATCHTYPE_V3", *_WIDGETS) or "," in kind:
        return False
    return not {"widgetType", "socketless", "default"} & set(options)


def _not_chosen(value: Any, choices: list[Any], options: Mapping[str, Any]) -> str | None:
    if options.get("multiselect"):
        return None if set(value) <= set(choices) else f"{value} not in choices"
    if value in choices:
        return None
    uploads = any(key.endswith("_upload") for key in options)
    files = not choices or any(str(each).endswith(_FILES) for each in choices)
    if uploads or files or str(value).endswith(_FILES):
        return None
    return f"{value!r} not in {choices[:8]}"
