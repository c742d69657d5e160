"""`/api/jobs`: queue and history once more, as one list."""

from collections.abc import Mapping
from typing import Any, cast

from backends.demo.history import History
from backends.demo.prompt_queue import PromptQueue, QueuedPrompt
from backends.demo.wire import JsonDict

STATUSES = ("pending", "in_progress", "completed", "failed", "cancelled")
SORTS = ("created_at", "execution_duration")
PREVIEWABLE = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".mp4", ".webm")


class BadJobQueryError(Exception):
    """A query parameter that the list does not understand; the text is the answer."""


def find_job(prompt_id: str, *, queue: PromptQueue, history: History) -> JsonDict | None:
    """One job with everything that is known of it."""
    entry = history.get(prompt_id)
    if entry is not None:
        _number, _id, graph, extra_data, _outputs = entry["prompt"]
        return _finished(entry) | {
            "outputs": entry["outputs"],
            "execution_status": entry["status"],
            "workflow": {"prompt": graph, "extra_data": extra_data},
        }
    for job in _unfinished(queue):
        if job["id"] == prompt_id:
            return job
    return None


def list_jobs(query: Mapping[str, str], *, queue: PromptQueue, history: History) -> JsonDict:
    """A page of jobs, newest first unless asked otherwise. Raises BadJobQueryError."""
    statuses = [each for each in query.get("status", "").split(",") if each]
    unknown = [each for each in statuses if each not in STATUSES]
    if unknown:
        raise BadJobQueryError(
            f"Invalid status value(s): {', '.join(unknown)}. Valid values: {', '.join(STATUSES)}"
        )
    sort_by = _choice(query, "sort_by", SORTS)
    order = _choice(query, "sort_order", ("desc", "asc"))
    limit = _whole(query, "limit") if "limit" in query else None
    if limit is not None and limit <= 0:
        raise BadJobQueryError("limit must be a positive integer")
    offset = max(_whole(query, "offset"), 0) if "offset" in query else 0
    jobs = _unfinished(queue) + [_finished(each) for each in history.page().values()]
    if statuses:
        jobs = [job for job in jobs if job["status"] in statuses]
    if "workflow_id" in query:
        jobs = [job for job in jobs if job.get("workflow_id") == query["workflow_id"]]
    jobs.sort(key=_age if sort_by == "created_at" else _duration, reverse=order == "desc")
    end = len(jobs) if limit is None else offset + limit
    return {
        "jobs": jobs[offset:end],
        "pagination": {
            "offset": offset,
            "limit": limit,
            "total": len(jobs),
            "has_more": end < len(jobs),
        },
    }


def _choice(query: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = query.get(name, choices[0])
    if value not in choices:
        raise BadJobQueryError(f"{name} must be one of: {', '.join(choices)}")
    return value


def _whole(query: Mapping[str, str], name: str) -> int:
    try:
        return int(query[name])
    except ValueError as exc:
        raise BadJobQueryError(f"{name} must be an integer") from exc


def _age(job: JsonDict) -> float:
    return job["create_time"]


def _duration(job: JsonDict) -> float:
    return job.get("execution_end_time", 0) - job.get("execution_start_time", 0)


def _unfinished(queue: PromptQueue) -> list[JsonDict]:
    jobs = [_waiting(item, status="pending") for item in queue.pending]
    if queue.running is not None:
        jobs.append(_waiting(queue.running, status="in_progress"))
    return jobs


def _waiting(item: QueuedPrompt, *, status: str) -> JsonDict:
    return {
        "id": item.prompt_id,
        "status": status,
        "priority": item.number,
        "create_time": item.extra_data["create_time"],
        "outputs_count": 0,
        "previewable_outputs_count": 0,
    } | _workflow_id(item.extra_data)


def _finished(entry: JsonDict) -> JsonDict:
    number, prompt_id, _graph, extra_data, _outputs = entry["prompt"]
    messages: dict[str, JsonDict] = dict(entry["status"]["messages"])
    ended = next(reversed(messages.values()))
    status = "completed"
    if "execution_interrupted" in messages:
        status = "cancelled"
    elif entry["status"]["status_str"] == "error":
        status = "failed"
    job: JsonDict = {
        "id": prompt_id,
        "status": status,
        "priority": number,
        "create_time": extra_data["create_time"],
        "execution_start_time": messages["execution_start"]["timestamp"],
        "execution_end_time": ended["timestamp"],
    }
    if "execution_error" in messages:
        job["execution_error"] = messages["execution_error"]
    return job | _outputs_of(entry) | _workflow_id(extra_data)


def _outputs_of(entry: JsonDict) -> JsonDict:
    items: list[JsonDict] = [
        {**item, "nodeId": node_id, "mediaType": key}
        for node_id, shown in entry["outputs"].items()
        for key, values in shown.items()
        for item in values
        if isinstance(item, dict)
    ]
    previewable = [item for item in items if item["filename"].lower().endswith(PREVIEWABLE)]
    counts: JsonDict = {
        "outputs_count": len(items),
        "previewable_outputs_count": len(previewable),
    }
    if previewable:
        kept = [item for item in previewable if item["type"] == "output"]
        counts["preview_output"] = (kept or previewable)[0]
    return counts


def _workflow_id(extra_data: JsonDict) -> JsonDict:
    workflow: Any = extra_data
    for key in ("extra_pnginfo", "workflow", "id"):
        workflow = cast("JsonDict", workflow).get(key) if isinstance(workflow, dict) else None
    return {} if workflow is None else {"workflow_id": workflow}
