"""Whether one value fits one input, and the error a ComfyUI server gives when it does not."""

from typing import Any, cast

from backends.demo.catalog import InputSpec
from backends.demo.wire import JsonDict

LONG_LIST = 20


def problem(kind: str, message: str, details: str = "", **extra_info: object) -> JsonDict:
    """An error object as it stands in answers."""
    return {"type": kind, "message": message, "details": details, "extra_info": extra_info}


def types_fit(received: str, wanted: str | list[str]) -> bool:
    if isinstance(wanted, list):
        return received in ("*", "COMBO")
    if "*" in (received, wanted):
        return True
    return bool(set(received.split(",")) & set(wanted.split(",")))


def unwrapped(value: Any) -> Any:
    """A literal list is sent wrapped, because a bare one is read as a link."""
    return cast("JsonDict", value).get("__value__", value) if isinstance(value, dict) else value


def coerce(value: Any, *, kind: str | list[str]) -> Any:
    match kind:
        case "INT":
            return int(value)
        case "FLOAT":
            return float(value)
        case "STRING":
            return str(value)
        case "BOOLEAN":
            return bool(value)
        case _:
            return value


def out_of_range(spec: InputSpec, value: Any) -> list[JsonDict]:
    quoted: JsonDict = {
        "input_name": spec.name,
        "input_config": spec.raw,
        "received_value": value,
    }
    if isinstance(spec.type, list):
        return _not_in_list(spec.type, value, spec=spec, quoted=quoted)
    low, high = spec.options.get("min"), spec.options.get("max")
    if low is not None and value < low:
        text = f"Value {value} smaller than min of {low}"
        return [problem("value_smaller_than_min", text, spec.name, **quoted)]
    if high is not None and value > high:
        text = f"Value {value} bigger than max of {high}"
        return [problem("value_bigger_than_max", text, spec.name, **quoted)]
    return []


def _not_in_list(
    choices: list[str], value: object, *, spec: InputSpec, quoted: JsonDict
) -> list[JsonDict]:
    if value in choices:
        return []
    shown = str(choices)
    if len(choices) > LONG_LIST:
        shown = f"(list of length {len(choices)})"
        quoted = quoted | {"input_config": None}
    text = f"{spec.name}: '{value}' not in {shown}"
    return [problem("value_not_in_list", "Value not in list", text, **quoted)]
