"""One shape for every error: RFC 9457 problem details."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from app.errors import (
    BackendUnreachableError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    OrchestratorError,
    StorageError,
    TooManyRequestsError,
    UnauthorizedError,
    UnknownBackendError,
)

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_LEGACY = ("/api/generate", "/api/jobs", "/api/queue")  # their clients look for `success`
_SHOWN_INPUT = 80  # characters of a wrong value that are repeated back

STATUS: tuple[tuple[type[OrchestratorError], int], ...] = (
    (UnknownBackendError, 400),
    (InvalidRequestError, 422),
    (UnauthorizedError, 401),
    (NotFoundError, 404),
    (TooManyRequestsError, 429),
    (ConflictError, 409),
    (StorageError, 503),
    (BackendUnreachableError, 502),
    (OrchestratorError, 500),
)


class FieldError(BaseModel):
    """One mistake in the input."""

    field: str
    message: str
    value: str | None = None


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str | None = None
    fix: str | None = None
    errors: list[FieldError] | None = None
    success: bool | None = Field(default=None, description="false, on the job routes only")
    error: str | None = Field(default=None, description="same as detail, on the job routes only")


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route, for OpenAPI."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": _TITLES[status], "content": content, "model": Problem}
        for status in (*statuses, 422)
    }


_TITLES: Mapping[int, str] = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    416: "Range not satisfiable",
    422: "Invalid input",
    429: "Too many requests",
    500: "Internal error",
    502: "Backend unreachable",
    503: "Storage unavailable",
    504: "No answer in time",
}


def problem(
    request: Request,
    status: int,
    detail: str,
    *,
    code: str | None = None,
    fix: str = "",
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The answer for an error."""
    legacy = request.url.path.startswith(_LEGACY)
    body = Problem(
        title=_TITLES.get(status, "Error"),
        status=status,
        detail=detail,
        code=code,
        fix=fix or None,
        errors=list(errors) or None,
        success=False if legacy else None,
        error=detail if legacy else None,
    )
    return JSONResponse(
        body.model_dump(exclude_none=True), status, headers=headers, media_type=MEDIA_TYPE
    )


def install(api: FastAPI) -> None:
    """Answer every error of the API this way."""

    async def ours(request: Request, exc: Exception) -> JSONResponse:
        assert isinstance(exc, OrchestratorError)
        status = next(status for kind, status in STATUS if isinstance(exc, kind))
        if isinstance(exc, UnknownBackendError):
            # The older systems' clients compare this text.
            errors = [FieldError(field=exc.field, message=exc.message)]
            return problem(
                request, status, "Invalid backend", code=exc.code, fix=exc.fix, errors=errors
            )
        errors = (
            [FieldError(field=exc.field, message=exc.message)]
            if isinstance(exc, InvalidRequestError)
            else []
        )
        headers = (
            {"Retry-After": str(exc.retry_after_s)}
            if isinstance(exc, TooManyRequestsError)
            else None
        )
        return problem(
            request,
            status,
            exc.message,
            code=exc.code,
            fix=exc.fix,
            errors=errors,
            headers=headers,
        )

    async def invalid(request: Request, exc: Exception) -> JSONResponse:
        assert isinstance(exc, RequestValidationError)
        errors = [_field_error(error) for error in exc.errors()]
        if any(error["type"] == "json_invalid" for error in exc.errors()):
            return problem(request, 400, f"The body is not JSON: {errors[0].message}")
        detail = "; ".join(f"{error.field}: {error.message}" for error in errors)
        return problem(request, 422, detail, code="invalid", errors=errors)

    async def http(request: Request, exc: Exception) -> JSONResponse:
        assert isinstance(exc, HTTPException)
        return problem(request, exc.status_code, str(exc.detail), headers=exc.headers)

    async def unforeseen(request: Request, exc: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=exc)
        return problem(
            request, 500, "Something unforeseen went wrong.", fix="The log has the details."
        )

    api.add_exception_handler(OrchestratorError, ours)
    api.add_exception_handler(RequestValidationError, invalid)
    api.add_exception_handler(HTTPException, http)
    api.add_exception_handler(Exception, unforeseen)


def _field_error(error: Mapping[str, Any]) -> FieldError:
    location = [str(part) for part in error["loc"] if part not in ("body", "query", "path")]
    message = str(error["msg"]).removeprefix("Value error, ")
    value = error.get("input")
    shown = None if value is None or isinstance(value, (dict, list)) else str(value)
    if shown is not None:
        shown = shown.encode("utf-8", "replace").decode()  # a lone surrogate cannot be sent back
        if len(shown) > _SHOWN_INPUT:
            shown = f"{shown[:_SHOWN_INPUT]}… ({len(shown)} characters)"
    return FieldError(field=".".join(location) or "body", message=message, value=shown)
