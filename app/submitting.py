"""How jobs come in: from the form, over the API, one by one or together."""

import asyncio
import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast
from uuid import UUID

from pydantic import BaseModel, ValidationError

from app.config import Settings
from app.errors import (
    AlreadySubmittedError,
    InvalidRequestError,
    NotFoundError,
    UnknownBackendError,
)
from app.fleet import Fleet
from app.given_files import GivenFiles
from app.graphs import inline
from app.ids import new_id
from app.inputs import InputService
from app.intake import (
    INLINE,
    Aim,
    Terms,
    aim_of,
    group_of,
    jobs_of,
    request_of,
    require_prompt,
    submission_of,
    terms_of,
    with_template,
)
from app.known_nodes import KnownNodes
from app.ledger import Ledger
from app.models import AUTO, DEMO, GenerationRequest, Job, JobGroup, JobTerms
from app.paid import Budget, Quote, usd
from app.ports import Clock, Receipt
from app.presets import Presets
from app.prompting import expand, has_alternatives
from app.said import Said
from app.seeds import seeds_for
from app.submission import MAX_PROMPT, ManifestGroup, ManifestJob, Submission
from app.throttle import Throttle
from app.webhooks import check_target

PAGE = "page"
"""The source of what people submit in the form."""
API = "api"
"""The source of what programs submit that do not say who they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who submits."""

    client: str = ""  # for the rate limit
    source: str = PAGE  # sources take turns
    key: str | None = None  # the same within 24 hours answers with the first result


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a submission would cost."""

    quote: Quote
    count: int
    is_allowed: bool
    """Whether paid backends may be used at all."""

    @property
    def usd(self) -> float:
        """The price of all its pictures."""
        return round(self.quote.usd * self.count, 6)


class Submitting:
    """Takes submissions in: on disk, and waiting, when a method returns."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        fleet: Fleet,
        presets: Presets,
        inputs: InputService,
        known: KnownNodes,
        budget: Budget,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._presets = presets
        self.called = presets.called
        self._files = GivenFiles(inputs=inputs, known=known, presets=presets)
        self._budget = budget
        self._clock = clock
        self._settings = settings
        self.ranking = asyncio.Lock()
        """Held while jobs get their places in the queue: two at once would take the same."""
        self._throttle = Throttle(per_minute=settings.submissions_per_minute)

    async def submit(self, submission: Submission, *, asker: Asker) -> list[UUID]:
        """Make the jobs of one submission; their ids.

        Raises:
            UnknownBackendError: `backend` is neither a preset nor a configured backend.
            InvalidRequestError: something of it is wrong, or its price was not agreed to, or the
                key was used for something else.
            ConflictError: paid backends are switched off.
            TooManyRequestsError: this client submits faster than allowed.
            StorageError: the database cannot be written; no job was made.
        """
        self._throttle.take(asker.client)
        await self._presets.fetch(submission.workflow_id or submission.backend)
        aim = self._aim(submission)
        request = await self._files.ready(request_of(submission, aim=aim), submission)
        price = await self._check(request, submission)
        requests = await self._variations(request, submission)
        now = self._clock.now()
        group = None
        if len(requests) > 1:
            group = group_of(
                submission, group_id=new_id(), preset=aim.preset.id, total=len(requests), now=now
            )
        fallback = self._settings.scheduling.fallback
        terms = self._terms(
            terms_of(submission, fallback=fallback, confirmed_usd=price),
            asker=asker,
            priority=submission.priority,
            hold=submission.hold,
            group=group,
        )
        note = f"Submitted for {submission.backend}{' and held' if submission.hold else ''}"
        template = request.prompt
        return await self._add(
            requests,
            terms,
            group,
            note=note,
            receipt=_receipt(submission, asker),
            template=template,
        )

    async def recall(self, preset_id: str) -> None:
        """Have the preset of a job of old at hand: it may be a version that nobody uses now."""
        await self._presets.fetch(preset_id)

    def offer(self, submission: Submission) -> Offer | None:
        """What the submission would cost; None if it costs nothing.

        Raises:
            InvalidRequestError: something of it is wrong.
        """
        quote = self._budget.quote(request_of(submission, aim=self._aim(submission)))
        if quote is None:
            return None
        return Offer(quote=quote, count=submission.count, is_allowed=self._budget.is_allowed)

    async def submit_job(self, manifest: ManifestJob, *, asker: Asker) -> UUID:
        """Make one job of a manifest; its id.

        Raises:
            NotFoundError: there is no such workflow.
            InvalidRequestError: a parameter is unknown or out of range; and what `submit` raises.
        """
        await self._presets.fetch(manifest.workflow_id)
        with _named_as_in_manifests():
            submission = self._submission(
                manifest.backend_id, manifest.workflow_id, manifest.parameters, manifest
            )
            return (await self.submit(submission, asker=asker))[0]

    async def submit_group(self, manifest: ManifestGroup, *, asker: Asker) -> list[UUID]:
        """Make one job on each backend named, each with its own seed; their ids, as named.

        Raises:
            NotFoundError: there is no such workflow.
            InvalidRequestError: a backend or parameter is unknown, a value is out of range, or the
                price was not agreed to.
            TooManyRequestsError: this client submits faster than allowed.
        """
        self._throttle.take(asker.client)
        with _named_as_in_manifests():
            requests, price = await self._requests(manifest)
        url = str(manifest.webhook_url) if manifest.webhook_url else None
        now = self._clock.now()
        group = JobGroup(
            id=new_id(),
            preset=requests[0].preset,
            total=len(requests),
            seed_strategy=manifest.seed_strategy,
            base_seed=manifest.base_seed,
            timeout_s=manifest.timeout_seconds,
            webhook=url,
            metadata=manifest.metadata,
            created_at=now,
        )
        agreed = JobTerms(
            tags=manifest.required_capabilities,
            webhook=url,
            metadata=manifest.metadata,
            confirmed_usd=price,
            timeout_s=manifest.timeout_seconds,
        )
        terms = self._terms(agreed, asker=asker, priority=manifest.priority, group=group)
        return await self._add(
            requests, terms, group, note="Submitted in a group", receipt=_receipt(manifest, asker)
        )

    async def submit_graph(
        self,
        graph: Mapping[str, Any],
        *,
        backend: str,
        prompt: str,
        asker: Asker,
        metadata: Mapping[str, Any],
    ) -> UUID:
        """Make one job that runs this graph just as it is, with its own seeds; its id.

        Raises:
            UnknownBackendError: there is no such backend.
            TooManyRequestsError: this client submits faster than allowed.
            StorageError: the database cannot be written; no job was made.
        """
        self._throttle.take(asker.client)
        if backend not in {AUTO, DEMO, *(info.id for info in self._fleet.infos())}:
            raise UnknownBackendError("backend", Said("There is no backend '{id}'.", id=backend))
        seeds = inline.seeds_of(graph)
        request = GenerationRequest(
            target=backend,
            preset=INLINE,
            prompt=prompt[:MAX_PROMPT],
            seed=next(iter(seeds.values()), 0),
            options=seeds,
            graph=graph,
        )
        agreed = JobTerms(metadata=metadata)
        terms = self._terms(agreed, asker=asker, priority=0, group=None)
        return (await self._add([request], terms, None, note="Test run", receipt=None))[0]

    async def _requests(
        self, manifest: ManifestGroup
    ) -> tuple[list[GenerationRequest], float | None]:
        """One request for each backend named, and the price of one, if it costs anything."""
        known = {AUTO, DEMO, *(info.id for info in self._fleet.infos())}
        for index, backend_id in enumerate(manifest.backend_ids):
            if backend_id not in known:
                raise InvalidRequestError(
                    f"backend_ids.{index}", Said("There is no backend '{id}'.", id=backend_id)
                )
        await self._presets.fetch(manifest.workflow_id or "")
        parameters = {"seed": manifest.base_seed, **manifest.parameters}
        made: dict[str, GenerationRequest] = {}
        prices: list[float | None] = []
        for backend_id in dict.fromkeys(manifest.backend_ids):
            submission = self._submission(backend_id, manifest.workflow_id, parameters, manifest)
            request = self._request(submission, manifest.workflow_json)
            made[backend_id] = await self._files.ready(request, submission)
            prices.append(await self._check(made[backend_id], submission))
        named = [made[backend_id] for backend_id in manifest.backend_ids]
        seed = cast("int | None", parameters["seed"])  # each submission has found it right
        seeds = seeds_for(seed, count=len(named), strategy=manifest.seed_strategy)
        prompts = await self._prompts(named[0].prompt, seeds)
        requests = [
            replace(request, seed=seed, prompt=prompt)
            for request, seed, prompt in zip(named, seeds, prompts, strict=True)
        ]
        agreed = [price for price in prices if price is not None]
        return requests, max(agreed, default=None)

    def _request(
        self, submission: Submission, graph: Mapping[str, Any] | None
    ) -> GenerationRequest:
        if graph is None:
            return request_of(submission, aim=self._aim(submission))
        request = GenerationRequest(
            target=submission.backend,
            preset=INLINE,
            prompt=submission.prompt or _text_of(graph),
            negative_prompt=submission.negative_prompt,
            options=submission.params.options,
            graph=graph,
        )
        if not inline.save_nodes(dict(graph)):
            raise InvalidRequestError(
                "workflow_json",
                Said("The workflow has no node that saves what it makes."),
                fix=Said("Export it in API format, with a node such as Save Image."),
            )
        inline.patch(request)  # finds the parameters that it has no place for
        return request

    def _submission(
        self,
        backend_id: str,
        workflow_id: str | None,
        parameters: Mapping[str, Any],
        manifest: ManifestJob | ManifestGroup,
    ) -> Submission:
        preset = self._presets.get(workflow_id) if workflow_id is not None else None
        if workflow_id is not None and preset is None:
            raise NotFoundError(
                Said("There is no workflow '{id}'.", id=workflow_id),
                fix=Said(
                    "Choose one of: {names}.",
                    names=", ".join(each.id for each in self._presets.bundled()),
                ),
            )
        body = submission_of(
            backend_id,
            parameters,
            preset=preset,
            workflow_id=workflow_id,
            priority=manifest.priority,
            metadata=manifest.metadata,
            webhook_url=manifest.webhook_url,
            confirmed=manifest.confirmed,
        )
        try:
            return Submission.model_validate(body)
        except ValidationError as exc:
            first = exc.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            message = str(first["msg"]).removeprefix("Value error, ")
            raise InvalidRequestError(place, message) from exc

    def _aim(self, submission: Submission) -> Aim:
        return aim_of(
            submission.backend,
            submission.workflow_id,
            presets=self._presets,
            infos=self._fleet.infos(),
        )

    async def _check(self, request: GenerationRequest, submission: Submission) -> float | None:
        """What can only be checked with others' help; the price that was agreed to, if any."""
        if submission.webhook_url is not None:
            check_target(str(submission.webhook_url))
        quote = self._budget.quote(request)
        if quote is None:
            return None
        self._budget.require_allowed()
        if not submission.confirmed:
            raise InvalidRequestError(
                "confirmed",
                Said("This costs about {price} a picture.", price=usd(quote.micro_usd)),
                fix=Said("Send it again with confirmed: true to agree to that."),
            )
        return quote.usd

    async def _variations(
        self, request: GenerationRequest, submission: Submission
    ) -> list[GenerationRequest]:
        seeds = seeds_for(
            submission.params.seed, count=submission.count, strategy=submission.seed_strategy
        )
        prompts = await self._prompts(request.prompt, seeds)
        return [
            replace(request, seed=seed, prompt=prompt)
            for seed, prompt in zip(seeds, prompts, strict=True)
        ]

    async def _prompts(self, prompt: str, seeds: Sequence[int]) -> list[str]:
        if not has_alternatives(prompt):
            return [prompt] * len(seeds)
        folder = self._settings.wildcards_dir
        found = await asyncio.to_thread(
            expand, prompt, count=len(seeds), seed=seeds[0], wildcards=folder
        )
        for each in found:
            require_prompt(each)
        return found

    def _terms(
        self,
        agreed: JobTerms,
        *,
        asker: Asker,
        priority: int,
        hold: bool = False,
        group: JobGroup | None,
    ) -> Terms:
        return Terms(
            now=self._clock.now(),
            source=asker.source,
            max_attempts=self._settings.retry.max_attempts,
            priority=priority,
            hold=hold,
            group_id=group.id if group else None,
            job_terms=agreed,
        )

    async def _add(
        self,
        requests: Sequence[GenerationRequest],
        terms: Terms,
        group: JobGroup | None,
        *,
        note: str,
        receipt: Receipt | None,
        template: str = "",
    ) -> list[UUID]:
        try:
            async with self.ranking:
                jobs: list[Job] = jobs_of(requests, terms=terms, last_rank=self._ledger.last_rank)
                jobs = with_template(jobs, template) if template else jobs
                await self._ledger.add(jobs, note=note, receipt=receipt, group=group)
        except AlreadySubmittedError as exc:
            if receipt is None or exc.fingerprint != receipt.fingerprint:
                raise InvalidRequestError(
                    "Idempotency-Key",
                    Said("This key was used for another submission."),
                    fix=Said("Use a new key for each."),
                ) from exc
            return list(exc.job_ids)
        return [job.id for job in jobs]


def _receipt(asked: BaseModel, asker: Asker) -> Receipt | None:
    if asker.key is None:
        return None
    fingerprint = hashlib.sha256(asked.model_dump_json().encode()).hexdigest()
    return Receipt(key=asker.key, fingerprint=fingerprint)


@contextmanager
def _named_as_in_manifests():
    """Errors name the fields as the manifest does."""
    try:
        yield
    except InvalidRequestError as exc:
        exc.field = _manifest_field(exc.field)
        raise


_MANIFEST_FIELDS: Mapping[str, str] = {
    "backend": "backend_id",
    "workflowId": "workflow_id",
    "webhookUrl": "webhook_url",
    "webhook_url": "webhook_url",
    "confirmed": "confirmed",
    "workflow_json": "workflow_json",
}


def _manifest_field(field: str) -> str:
    """The name of a field of a submission in a manifest."""
    plain = re.sub(r"^(params\.options|params|options)\.", "", field)
    if plain in _MANIFEST_FIELDS:
        return _MANIFEST_FIELDS[plain]
    return plain if plain.startswith(("backend_ids", "metadata")) else f"parameters.{plain}"


def _text_of(graph: Mapping[str, Any]) -> str:
    """The longest text that the graph holds: most likely its prompt."""
    texts = [
        value
        for _, _, inputs in inline.nodes_of(graph)
        for value in inputs.values()
        if isinstance(value, str) and " " in value
    ]
    return max(texts, key=len, default="")[:MAX_PROMPT]
