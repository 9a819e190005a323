"""Errors as documents: every answer that isn't what was asked for is a `uforgeError` in the asked form."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path

from blocks.errors import (
    BuildFailed,
    Contradiction,
    Denied,
    InvalidInput,
    KeyReused,
    NoSpace,
    NotFinished,
    NotFound,
    Occupied,
    ParentRunning,
    PlanMoved,
    ReforgeError,
    Refused,
    TooManyFailures,
    Unavailable,
)
from deployments.gateway.negotiation import TYPES, of_errors
from deployments.gateway.refusals import Rejected
from deployments.gateway.wire import LocalizedMessage, UForgeError
from deployments.gateway.wire.documents import render

_LOG = logging.getLogger(__name__)
_NONE: Mapping[str, str] = MappingProxyType({})
_WORD = re.compile("(?<=[a-z0-9])(?=[A-Z])")
_RETRY = {"Retry-After": "5"}

STATUSES: Mapping[type[ReforgeError], int] = MappingProxyType(
    {
        InvalidInput: 400,
        KeyReused: 409,
        ParentRunning: 409,
        Occupied: 409,
        PlanMoved: 409,
        Refused: 409,
        TooManyFailures: 429,
        Denied: 403,
        NotFound: 404,
        NotFinished: 409,
        BuildFailed: 400,
        NoSpace: 503,
        Unavailable: 503,
        Contradiction: 500,
        ReforgeError: 500,
    }
)
"""The status of each kind of error; what isn't named here has that of the kind it is of."""

_TOLD: Mapping[int, str] = MappingProxyType(
    {
        404: "There is nothing at this address",
        405: "This address doesn't take that method",
        500: "Something went wrong here; the log of the gateway tells what",
        503: "A server that this needs doesn't answer just now",
    }
)


def answer_with_documents(app: FastAPI) -> None:
    """Have the application answer every error so, the framework's own as well."""

    def of_framework(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
        headers = {"Allow": ", ".join(_methods(app, request))} if error.status_code == 405 else error.headers
        return _answer(request, error.status_code, _TOLD.get(error.status_code, error.detail), headers=headers)

    app.add_exception_handler(ReforgeError, _of_ours)
    app.add_exception_handler(HTTPException, of_framework)
    app.add_exception_handler(RequestValidationError, _of_values)
    app.add_exception_handler(Exception, _of_surprise)


def status(error: ReforgeError) -> int:
    """The HTTP status that tells of the error."""
    if isinstance(error, Rejected):
        return error.status
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def _of_ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, ReforgeError)  # noqa: S101 - what it is registered for
    code = status(error)
    if code >= 500 and not isinstance(error, Rejected):
        _LOG.error("%s %s: %s", request.method, request.url.path, error)
        return _answer(request, code, _TOLD[code], _named(error), _RETRY if code == 503 else _NONE)
    return _answer(request, code, error.what, _named(error), _headers(error))


def _of_values(request: Request, error: Exception) -> Response:
    """A number of a path that is out of all bounds names nothing."""
    del error
    return _answer(request, 404, _TOLD[404])


def _of_surprise(request: Request, error: Exception) -> Response:
    """What nobody foresaw: the server logs it with its traceback."""
    del error
    return _answer(request, 500, _TOLD[500])


def _headers(error: ReforgeError) -> Mapping[str, str]:
    if isinstance(error, Rejected):
        return error.headers
    seconds = getattr(error, "seconds", None)
    return _NONE if seconds is None else {"Retry-After": str(max(1, round(seconds)))}


def _answer(
    request: Request, code: int, message: str, name: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    media = of_errors(Headers(scope=request.scope).get("accept"))
    document = UForgeError(
        localized_error_msg=LocalizedMessage(message=message, message_id=name or f"http.{code}"),
        request_method="HEAD" if request.scope.get("reforge.head") else request.method,
        request_uri=request.url.path.removeprefix("/api").strip("/"),
        status_code=code,
        timestamp=datetime.now(UTC),
    )
    more = {"Content-Type": TYPES[media], "Cache-Control": "no-store", **(headers or {})}
    return Response(render(document, media), code, more)


def _named(error: ReforgeError) -> str:
    """A stable name of the kind of error."""
    return f"reforge.{_WORD.sub('-', type(error).__name__).lower()}"


def _methods(app: FastAPI, request: Request) -> list[str]:
    """The methods that this address takes."""
    found: set[str] = set()
    for route in iter_route_contexts(app.routes):
        if route.path and compile_path(route.path)[0].match(request.scope["path"]):
            found |= route.methods or set()
    return sorted(found | ({"HEAD"} if "GET" in found else set()))
