"""Errors as problem documents (RFC 9457), and which error is which status.

What was raised on purpose keeps its message; anything else is a 500 that tells no internals.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, NotFoundException, ValidationException
from litestar.openapi.datastructures import ResponseSpec

from weedhounds.errors import (
    BadInput,
    CacheError,
    DeadlinePassed,
    NotFound,
    RateLimited,
    SourceError,
    TaskTimeout,
    WeedHoundsError,
    WorkerError,
)
from weedhounds.telemetry import get_logger, request_id

PROBLEM_TYPE = "application/problem+json"
_SLUGS = {
    400: "bad-input",
    404: "not-found",
    405: "method-not-allowed",
    421: "wrong-host",
    429: "rate-limited",
    500: "internal-error",
    502: "origin-failed",
    503: "not-available",
    504: "deadline-passed",
}
_STATUS: tuple[tuple[type[WeedHoundsError], int], ...] = (
    (BadInput, 400),
    (NotFound, 404),
    (RateLimited, 429),
    (DeadlinePassed, 504),
    (SourceError, 502),
    (TaskTimeout, 504),
    (CacheError, 503),
    (WorkerError, 503),
)
"""The first that fits decides; what fits none is a 500."""


class FieldError(msgspec.Struct, frozen=True):
    """One parameter of the request that cannot be used."""

    parameter: str
    why: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A problem document. ``type`` leads to its explanation in ``/docs``; ``instance`` is the path asked."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str | None = None
    errors: tuple[FieldError, ...] = ()


def problem(status: int, detail: str, instance: str, errors: Iterable[FieldError] = ()) -> Problem:
    """Return the document of a problem in the request being served."""
    return Problem(
        type=f"/docs#{_SLUGS.get(status, 'http-error')}",
        title=_title(status),
        status=status,
        detail=detail,
        instance=instance,
        request_id=request_id(),
        errors=tuple(errors),
    )


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def respond(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Return the answer to a request that failed; Litestar's handler of every exception."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    path = request.scope["path"]
    if isinstance(error, HTTPException):
        detail, errors = _detail(error)
        return _response(problem(error.status_code, detail, path, errors), error.headers)
    status = status_of(error)
    if isinstance(error, WeedHoundsError):
        return _response(problem(status, str(error), path), _retry_after(error))
    get_logger(__name__).error("request failed", exc_info=error)
    return _response(problem(status, "the node failed to answer; its log says why, under this request id", path))


def status_of(error: Exception) -> int:
    """Return the HTTP status of an error that no layer below has answered."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def _detail(error: HTTPException) -> tuple[str, list[FieldError]]:
    if isinstance(error, NotFoundException) and error.detail == HTTPStatus.NOT_FOUND.phrase:
        return "there is no such route; /docs lists them", []
    if not isinstance(error, ValidationException) or not isinstance(error.extra, list):
        return error.detail, []
    errors = [FieldError(str(each.get("key", "")), str(each.get("message", ""))) for each in error.extra]
    return "; ".join(f"{each.parameter}: {each.why}" for each in errors), errors


def _retry_after(error: WeedHoundsError) -> dict[str, str]:
    if isinstance(error, RateLimited) and error.retry_after_s is not None and math.isfinite(error.retry_after_s):
        return {"retry-after": str(max(1, math.ceil(error.retry_after_s)))}
    return {}


def _response(document: Problem, headers: Mapping[str, str] | None = None) -> Response[Problem]:
    return Response(
        document,
        status_code=document.status,
        media_type=PROBLEM_TYPE,
        headers={**(headers or {}), "cache-control": "no-store"},
    )


def documented(*statuses: int) -> dict[int, ResponseSpec]:
    """Return how the API's description names the problems that a route may answer with."""
    return {
        status: ResponseSpec(Problem, media_type=PROBLEM_TYPE, description=EXPLAINED[status], generate_examples=False)
        for status in sorted({*statuses, 400, 421, 500, 503})
    }


EXPLAINED: Mapping[int, str] = {
    400: "The question cannot be asked as it stands: an unknown place, a parameter out of range, a malformed key.",
    404: "There is no such route, or nobody has such a record.",
    405: "The route exists, but not for this method.",
    421: "The Host field names another machine; a node on loopback answers only to its own names.",
    429: "The origin allows no call now; Retry-After says when it may.",
    500: "The node failed; its log has the reason under the request id.",
    502: "The origin failed, and nothing usable is held.",
    503: "The node is starting, stopping, busy, or cannot reach its store.",
    504: "The deadline passed, and nothing usable is held.",
}


def problem_types() -> list[tuple[str, int, str]]:
    """Return ``(fragment in /docs, status, explanation)`` of every problem type."""
    return [(_SLUGS[status], status, text) for status, text in EXPLAINED.items()]
