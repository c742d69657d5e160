"""The paid FLUX cloud: a direct order, the key, what the cloud posts, and the ledger."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ConfigDict, Field, ValidationError

from app.api.access import client_of
from app.api.deps import Here, Limit
from app.api.jobs import DryRun, dry_run
from app.api.problems import responses
from app.models import FLUX
from app.paid import MICRO, Budget, Charge, ChargeState
from app.submission import MAX_PROMPT, MAX_SEED, Name, Params, Priority, Side, Submission, Wire
from app.submitting import API, Asker

router = APIRouter(prefix="/api", tags=["flux"])

_MAX_WEBHOOK_BYTES = 2**20
# How the provider names the header is not written down anywhere; these are the usual names.
_SIGNATURES = ("x-bfl-signature", "x-webhook-signature", "x-signature", "x-hub-signature-256")


class FluxOrder(Wire):
    """One picture of the cloud; what is left out has the preset's value."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"prompt": "a red fox", "model": "flux-dev", "confirmed": False}]
        }
    )

    prompt: Annotated[str, Field(min_length=1, max_length=MAX_PROMPT)]
    model: Name | None = None
    width: Side | None = None
    height: Side | None = None
    aspect_ratio: Name | None = None
    seed: int | None = Field(default=None, ge=0, le=MAX_SEED)
    raw: bool | None = None
    prompt_upsampling: bool | None = None
    safety_tolerance: int | None = Field(default=None, ge=0, le=6)
    output_format: Literal["png", "jpeg"] | None = None
    image: Name | None = None
    """An input picture: the `name` that `POST /api/inputs` answered with."""
    image_prompt_strength: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)
    priority: Priority = 0
    confirmed: bool = False
    """The price is known and agreed to; otherwise the answer is a dry run."""

    def to_submission(self) -> Submission:
        """The same as a submission."""
        options: dict[str, str | int | float | bool | None] = {
            "aspect_ratio": self.aspect_ratio,
            "raw": self.raw,
            "prompt_upsampling": self.prompt_upsampling,
            "safety_tolerance": self.safety_tolerance,
            "output_format": self.output_format,
            "image_prompt_strength": self.image_prompt_strength,
        }
        params = Params(
            width=self.width,
            height=self.height,
            seed=self.seed,
            checkpoint=self.model,
            image=self.image,
            options={name: value for name, value in options.items() if value is not None},
        )
        return Submission(
            prompt=self.prompt,
            backend=FLUX,
            params=params,
            priority=self.priority,
            confirmed=self.confirmed,
        )


class FluxOrdered(Wire):
    """The job that was made; follow it at `/api/jobs/{id}` or `/api/events`."""

    success: bool = True
    job_id: UUID


class KeyView(Wire):
    """Whether the cloud takes our key; `valid` is null while that cannot be told."""

    valid: bool | None
    reason: str
    endpoint: str


class ChargeView(Wire):
    """A line of the ledger."""

    id: UUID
    job_id: UUID | None
    backend: str
    model: str
    state: ChargeState
    usd: float
    is_estimate: bool
    """The cloud has not said yet what it really costs."""
    task_id: str | None
    note: str
    created_at: datetime
    settled_at: datetime | None


class TotalsView(Wire):
    """What is spent or set aside, against the budgets; a day begins at midnight in UTC."""

    day_usd: float
    day_cap_usd: float
    total_usd: float
    total_cap_usd: float


class Ledger(Wire):
    """The ledger, newest first."""

    charges: list[ChargeView]
    next_cursor: UUID | None
    totals: TotalsView
    prices_usd: dict[str, float]
    priced_on: date
    is_allowed: bool
    """Whether anything may be paid for at all (`allow_generation`)."""


class Resolution(Wire):
    """What the account at the provider says about an uncertain charge."""

    charged: bool


@router.post(
    "/flux/generate",
    status_code=202,
    response_model=FluxOrdered | DryRun,
    responses={200: {"model": DryRun, "description": "A dry run"}, **responses(400, 429, 503)},
)
async def generate(
    here: Here, request: Request, response: Response, order: FluxOrder
) -> FluxOrdered | DryRun:
    """Order a picture; without `confirmed`, or while paid generation is off, only its price."""
    try:
        submission = order.to_submission()
    except ValidationError as exc:  # a prompt of blanks and the like
        raise RequestValidationError(exc.errors(include_url=False)) from exc
    offer = here.submitting.offer(submission)
    if offer is not None and not (offer.is_allowed and order.confirmed):
        response.status_code = 200
        return dry_run(offer)
    asker = Asker(client=client_of(request), source=API)
    (job_id,) = await here.submitting.submit(submission, asker=asker)
    return FluxOrdered(job_id=job_id)


@router.get("/flux/validate", responses=responses())
async def validate(here: Here) -> KeyView:
    """Whether the key is good; asks the cloud something that costs nothing."""
    checked = await here.cloud.validate()
    return KeyView(valid=checked.valid, reason=checked.reason, endpoint=checked.endpoint)


@router.post("/flux/webhook", status_code=204, responses=responses(401, 413))
async def webhook(here: Here, request: Request) -> None:
    """Where the cloud posts that a task has ended; needs its signature, and no login."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_WEBHOOK_BYTES:
            raise HTTPException(413, f"The body is over {_MAX_WEBHOOK_BYTES} bytes.")
    given = next((request.headers[name] for name in _SIGNATURES if name in request.headers), "")
    if not here.cloud.deliver(bytes(body), signature=given):
        raise HTTPException(401, "The signature is not right.")


@router.get("/ledger", responses=responses())
async def ledger(
    here: Here,
    limit: Limit = 50,
    cursor: Annotated[UUID | None, Query(description="`nextCursor` of the page before")] = None,
) -> Ledger:
    """What was paid for, newest first, and what is left of the budgets."""
    page = await here.budget.page(limit=limit, cursor=cursor)
    return Ledger(
        charges=[_charge_view(charge) for charge in page.items],
        next_cursor=page.next_cursor,
        totals=await _totals_view(here.budget),
        prices_usd=dict(here.budget.prices),
        priced_on=here.budget.priced_on,
        is_allowed=here.budget.is_allowed,
    )


@router.post("/ledger/{charge_id}/resolve", responses=responses(400, 404, 409))
async def resolve(here: Here, charge_id: UUID, given: Resolution) -> ChargeView:
    """Say whether an uncertain charge was really made."""
    return _charge_view(await here.budget.resolve(charge_id, is_charged=given.charged))


async def _totals_view(budget: Budget) -> TotalsView:
    totals = await budget.totals()
    return TotalsView(
        day_usd=totals.day / MICRO,
        day_cap_usd=totals.day_cap / MICRO,
        total_usd=totals.total / MICRO,
        total_cap_usd=totals.total_cap / MICRO,
    )


def _charge_view(charge: Charge) -> ChargeView:
    return ChargeView(
        id=charge.id,
        job_id=charge.job_id,
        backend=charge.backend_id,
        model=charge.model,
        state=charge.state,
        usd=charge.micro_usd / MICRO,
        is_estimate=charge.is_estimate,
        task_id=charge.task_id,
        note=charge.note,
        created_at=charge.created_at,
        settled_at=charge.settled_at,
    )
