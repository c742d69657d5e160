"""What a submission asks for, as jobs: where, how, with which values. Pure.

Everything that can be wrong with it is found here, before anything is made, and names its field.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf
from typing import Any, cast
from uuid import UUID

from pydantic.alias_generators import to_camel, to_snake

from app.errors import InvalidRequestError, UnknownBackendError
from app.graphs.preset import GIVEN_FILES, Option, OptionValue, Preset
from app.ids import new_id
from app.models import (
    AUTO,
    DEMO,
    TEXT_TO_IMAGE,
    BackendInfo,
    Fallback,
    GenerationRequest,
    Job,
    JobGroup,
    JobState,
    JobTerms,
    Lora,
    SeedStrategy,
)
from app.presets import Presets
from app.ranking import ranks_after
from app.said import Said
from app.submission import MAX_PROMPT, MAX_SEED, Params, Submission

INLINE = "workflow"
"""The preset of a job that brings its own graph."""
_MATTER = ("checkpoint", "vae", "loras", "image", "mask")
_VALUES = ("width", "height", "steps", "cfg", "sampler", "scheduler", "denoise")


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """Where a submission goes, and how it is made."""

    target: str  # DEMO, AUTO or the id of a backend
    preset: Preset


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What all jobs of one submission share, besides the picture."""

    now: datetime
    source: str
    max_attempts: int
    priority: int = 0
    hold: bool = False
    group_id: UUID | None = None
    job_terms: JobTerms


def aim_of(
    backend: str,
    workflow_id: str | None,
    *,
    presets: Presets,
    infos: Sequence[BackendInfo],
    field: str = "backend",
) -> Aim:
    """The target and the preset that `backend` (a preset, a backend, demo or auto) stands for.

    Raises:
        UnknownBackendError: it is none of them.
        InvalidRequestError: there is no such workflow, or it does not run there.
    """
    known = {info.id: info for info in infos if not info.is_demo}
    own = presets.get(backend)
    if own is not None and (workflow_id in (None, backend) or backend not in known):
        if workflow_id not in (None, backend):
            raise InvalidRequestError(
                "workflowId",
                Said(
                    "'{backend}' is a workflow itself; name a backend or leave it out.",
                    backend=backend,
                ),
            )
        return Aim(target=AUTO, preset=own)
    if backend not in (DEMO, AUTO) and backend not in known:
        names = [DEMO, AUTO, *(each.id for each in presets.bundled()), *known]
        raise UnknownBackendError(
            field,
            Said("There is no backend or preset '{id}'.", id=backend),
            fix=Said("Choose one of: {names}.", names=", ".join(dict.fromkeys(names))),
        )
    kind = known[backend].kind if backend in known else None
    preset = preset_of(workflow_id or _usual(kind, presets), presets=presets)
    if backend != AUTO and (preset.kind == "bfl") != (kind == "bfl"):
        raise InvalidRequestError(
            "workflowId",
            Said("The workflow '{id}' does not run on '{backend}'.", id=preset.id, backend=backend),
        )
    return Aim(target=backend, preset=preset)


def preset_of(workflow_id: str, *, presets: Presets) -> Preset:
    """The preset with that id.

    Raises:
        InvalidRequestError: there is none.
    """
    preset = presets.get(workflow_id)
    if preset is None:
        raise InvalidRequestError(
            "workflowId",
            Said("There is no workflow '{id}'.", id=workflow_id),
            fix=Said(
                "Choose one of: {names}.", names=", ".join(each.id for each in presets.bundled())
            ),
        )
    return preset


def request_of(submission: Submission, *, aim: Aim) -> GenerationRequest:
    """What to make, with the preset's value wherever none is given; its seed is still to be set.

    Raises:
        InvalidRequestError: a value that the preset does not take, or lacks, or of a wrong kind.
    """
    preset, params = aim.preset, submission.params
    if preset.version is not None:
        return _saved_request(submission, aim=aim)
    if "prompt" in preset.fields:
        require_prompt(submission.prompt)
    _require_fitting(params, preset)
    values: dict[str, Any] = {
        name: preset.defaults[name] for name in (*_VALUES, *_MATTER) if name in preset.defaults
    }
    for name in (*_VALUES, *_MATTER):
        given = getattr(params, name)
        if name in preset.fields and given not in (None, ()):
            values[name] = given
    values["loras"] = tuple(Lora(**each.model_dump()) for each in params.loras)
    negative = submission.negative_prompt or preset.defaults.get("negative_prompt", "")
    return GenerationRequest(
        target=aim.target,
        preset=preset.id,
        prompt=submission.prompt,
        negative_prompt=negative if "negative_prompt" in preset.fields else "",
        options=options_of(params.options, preset=preset),
        **values,
    )


def _saved_request(submission: Submission, *, aim: Aim) -> GenerationRequest:
    """A request for a saved workflow: every value is one of its own parameters."""
    preset, params = aim.preset, submission.params
    if not preset.variants:
        raise InvalidRequestError(
            "workflowId",
            Said("The workflow has no node that saves what it makes."),
            fix=Said("Add a node such as Save Image to it, and save it again."),
        )
    given = {name: getattr(params, name) for name in (*_VALUES, *_MATTER, "seed")}
    texts = {"prompt": submission.prompt, "negative_prompt": submission.negative_prompt}
    # What is left out has the value of the graph; an empty text may be what is meant.
    given |= {name: text for name, text in texts.items() if name in submission.model_fields_set}
    values = {name: preset.defaults[name] for name in preset.fields if name in preset.defaults}
    for name, value in given.items():
        option = preset.option(name)
        if value in (None, ()) or (value == "" and option is None):
            continue
        if option is None and name in ("prompt", "seed"):
            continue  # the form has them for every job: they name it, and tell jobs apart
        if option is None:
            raise _takes_no(name, preset)
        values[name] = checked(option, value)
    values.setdefault("prompt", submission.prompt)
    values.pop("seed", None)  # given to each job of its own
    return GenerationRequest(
        target=aim.target,
        preset=preset.id,
        options=options_of(params.options, preset=preset),
        **values,
    )


def _takes_no(name: str, preset: Preset) -> InvalidRequestError:
    has = ", ".join(each.name for each in preset.options)
    return InvalidRequestError(
        f"params.{to_camel(name)}",
        Said("The workflow '{id}' takes no {name}.", id=preset.name, name=name),
        fix=Said("It has: {names}.", names=has) if has else "",
    )


def require_prompt(prompt: str) -> None:
    """Refuse to draw nothing.

    Raises:
        InvalidRequestError: the prompt is empty.
    """
    if not prompt.strip():
        raise InvalidRequestError(
            "prompt", Said("The prompt is empty. Describe the picture you want.")
        )


def options_of(given: Mapping[str, OptionValue], *, preset: Preset) -> dict[str, OptionValue]:
    """Every option of the preset with its value, under the preset's own spelling.

    Raises:
        InvalidRequestError: an option that the preset does not have, or a value out of its range.
    """
    own = [option for option in preset.options if option.field is None]
    values = {option.name: option.default for option in own}
    for name, value in given.items():
        option = next((each for each in own if each.name in (name, to_snake(name))), None)
        if option is None:
            # Those of a saved workflow are all its parameters, fields of a request or not.
            offered = own if preset.version is None else preset.options
            has = ", ".join(each.name for each in offered)
            raise InvalidRequestError(
                f"params.options.{name}",
                Said(
                    "The workflow '{id}' has no option '{name}'.",
                    id=preset.id if preset.version is None else preset.name,
                    name=name,
                ),
                fix=Said("It has: {names}.", names=has) if has else "",
            )
        values[option.name] = checked(option, value)
    return values


def submission_of(
    backend: str,
    parameters: Mapping[str, Any],
    *,
    preset: Preset | None,
    **more: Any,
) -> dict[str, Any]:
    """A submission, to be validated, from flat parameters named as the preset names them.

    Without a preset every name that is no common one is an input of the job's own graph.
    """
    params: dict[str, Any] = {}
    options: dict[str, Any] = {}
    body: dict[str, Any] = {"backend": backend, **more}
    for name, value in parameters.items():
        plain = to_snake(name)
        if plain in ("prompt", "negative_prompt"):
            body[plain] = value
        elif plain == "options" and isinstance(value, dict):
            options.update(cast("dict[str, Any]", value))
        elif _is_own(plain, preset):
            options[plain] = value
        elif plain in Params.model_fields and (preset is not None or plain == "seed"):
            params[plain] = value
        else:
            options[name] = value
    return {**body, "params": {**params, "options": options}}


def _is_own(name: str, preset: Preset | None) -> bool:
    """Whether a saved workflow has a parameter of that name for which requests have no field."""
    option = preset.option(name) if preset is not None and preset.version is not None else None
    return option is not None and option.field is None


def terms_of(
    submission: Submission, *, fallback: Fallback, confirmed_usd: float | None
) -> JobTerms:
    """What was agreed to, besides the picture; `fallback` is the one of the settings."""
    url = submission.webhook_url
    return JobTerms(
        fallback=submission.fallback or fallback,
        tags=submission.tags,
        webhook=str(url) if url else None,
        metadata=submission.metadata,
        confirmed_usd=confirmed_usd,
    )


def jobs_of(
    requests: Sequence[GenerationRequest], *, terms: Terms, last_rank: str | None
) -> list[Job]:
    """One job for each request, in this order at the end of the queue."""
    state = JobState.CREATED if terms.hold else JobState.QUEUED
    return [
        Job(
            id=new_id(),
            group_id=terms.group_id,
            state=state,
            request=request,
            priority=terms.priority,
            rank=rank,
            max_attempts=terms.max_attempts,
            source=terms.source,
            terms=terms.job_terms,
            created_at=terms.now,
            queued_at=None if terms.hold else terms.now,
        )
        for request, rank in zip(requests, ranks_after(last_rank, count=len(requests)), strict=True)
    ]


def with_template(jobs: Sequence[Job], template: str) -> list[Job]:
    """The same jobs; those whose prompt was made from a template remember it."""
    return [
        job
        if job.request.prompt == template
        else replace(
            job,
            terms=replace(job.terms, metadata={**job.terms.metadata, "promptTemplate": template}),
        )
        for job in jobs
    ]


def group_of(
    submission: Submission, *, group_id: UUID, preset: str, total: int, now: datetime
) -> JobGroup:
    """The group that the jobs of a submission are."""
    url = submission.webhook_url
    return JobGroup(
        id=group_id,
        preset=preset,
        total=total,
        seed_strategy=_strategy(submission),
        base_seed=submission.params.seed,
        webhook=str(url) if url else None,
        metadata=submission.metadata,
        created_at=now,
    )


def _strategy(submission: Submission) -> SeedStrategy:
    return SeedStrategy.RANDOM if submission.params.seed is None else submission.seed_strategy


def _usual(kind: str | None, presets: Presets) -> str:
    if kind != "bfl":
        return TEXT_TO_IMAGE
    return next((each.id for each in presets.all() if each.kind == "bfl"), TEXT_TO_IMAGE)


def _require_fitting(params: Params, preset: Preset) -> None:
    for name in _MATTER:
        if getattr(params, name) not in (None, ()) and name not in preset.fields:
            raise InvalidRequestError(
                f"params.{name}",
                Said("The workflow '{id}' takes no {name}.", id=preset.id, name=name),
            )
    needed = {"image": preset.needs_image, "mask": preset.needs_mask}
    for name, is_needed in needed.items():
        if is_needed and getattr(params, name) is None:
            raise InvalidRequestError(
                f"params.{name}",
                Said("The workflow '{id}' needs a picture as {name}.", id=preset.id, name=name),
                fix=Said("Send it to /api/inputs first, and give the name it answers with."),
            )


_KINDS: Mapping[str, Said] = {
    "int": Said("It must be a whole number."),
    "seed": Said("It must be a whole number."),
    "float": Said("It must be a number."),
    "bool": Said("It must be true or false."),
}
_TEXT = Said("It must be text.")
_TEXTS = frozenset({"text", "multiline", "choice", *GIVEN_FILES})


def checked(option: Option, value: OptionValue) -> OptionValue:
    """The value as the option keeps it.

    Raises:
        InvalidRequestError: it is of another kind, or out of the option's range.
    """
    beside = "params" if option.field else "params.options"
    field = f"{beside}.{to_camel(option.name)}"
    if option.field in ("prompt", "negative_prompt"):
        field = to_camel(option.field)
    if option.type in _TEXTS:
        return _checked_text(option, value, field=field)
    if option.type == "bool" and isinstance(value, bool):
        return value
    if option.type == "bool" or isinstance(value, bool | str):
        raise InvalidRequestError(field, _KINDS[option.type])
    is_whole = option.type in ("int", "seed")
    if is_whole and not (isinstance(value, int) or value.is_integer()):
        raise InvalidRequestError(field, _KINDS["int"])
    low = -inf if option.min is None else option.min
    high = inf if option.max is None else option.max
    if option.type == "seed":
        low, high = max(low, 0), min(high, MAX_SEED)
    if not low <= value <= high:  # also what is no number at all
        raise InvalidRequestError(field, Said("It must be {low} to {high}.", low=low, high=high))
    return int(value) if is_whole else float(value)


def _checked_text(option: Option, value: OptionValue, *, field: str) -> OptionValue:
    if option.type == "choice" and option.choices and str(value) not in option.choices:
        names = ", ".join(option.choices)
        raise InvalidRequestError(field, Said("It must be one of: {names}.", names=names))
    if option.type == "choice" and not isinstance(option.default, str):
        return value  # some nodes choose among numbers
    if not isinstance(value, str):
        raise InvalidRequestError(field, _TEXT)
    if len(value) > MAX_PROMPT:
        raise InvalidRequestError(field, Said("It has more than {n} characters.", n=MAX_PROMPT))
    return value
