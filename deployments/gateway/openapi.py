"""The OpenAPI document: every operation under its name in UForge, with all that may come back."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from deployments.gateway.operations import OPERATIONS, Operation, Query
from deployments.gateway.wire.elements import ROOTS
from deployments.gateway.wire.schemas import components, content

_ANY = (401, 403, 404, 429, 503)
_BODY = (400, 413, 415)
_ERRORS = (400, 401, 403, 404, 406, 409, 413, 415, 416, 429, 501, 503)
_SECURITY: list[dict[str, list[str]]] = [{"basic": []}, {"apiKey": [], "signature": []}]
_SCHEMES = {
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "Name and password; `SUPERVISOR\\TARGET` acts as the target by the supervisor's password",
    },
    "apiKey": {"type": "apiKey", "in": "query", "name": "apiKey", "description": "The public key of a pair"},
    "signature": {
        "type": "apiKey",
        "in": "query",
        "name": "signature",
        "description": "Last of all: Base64 of the HMAC-SHA1, by the secret key, of the URL before it without the root",
    },
}
_NUMBER = {"type": "integer", "minimum": 0, "exclusiveMaximum": 2**31}
_BOOLEAN = {"type": "boolean"}
_TEXT = {"type": "string"}
_PARAMETERS: dict[Query, tuple[tuple[str, dict[str, Any], str], ...]] = {
    "page": (
        ("query", _TEXT, "FIQL, such as `name=='web*';version==1.0`"),
        ("orderBy", _TEXT, "The element to order by"),
        ("descending", _BOOLEAN, "From the last to the first"),
        ("count", _NUMBER, "How many at most"),
        ("offset", _NUMBER, "How many to leave out before"),
    ),
    "force": (("force", _BOOLEAN, "Cancel what is still being made"),),
    "img": (("img", {"type": "array", "items": _TEXT}, "Only the images of these addresses"),),
    "name": (("name", _TEXT, "Only the one of this name"),),
    "downloadId": (("downloadId", _TEXT, "A key that is good for one transfer by anybody"),),
    "id": (("id", _TEXT, "Likewise"),),
    "lastPkgUpdate": (("lastPkgUpdate", _TEXT, "A time as `yyyy-MM-dd HH:mm:ss`"),),
}
_FILE = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_HEADERS: dict[int, tuple[str, ...]] = {
    201: ("Location",),
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    416: ("Content-Range",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}


def describe(app: FastAPI) -> None:
    """Have the application tell of itself so."""
    app.openapi = cache(lambda: _document(app))  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, routes=app.routes)
    errors = {f"error{code}": _response(code, "uforgeError") for code in _ERRORS}
    document["components"] = {"schemas": components(), "securitySchemes": _SCHEMES, "responses": errors}
    for path in document["paths"].values():
        for method, found in path.items():
            path[method] = found | _described(OPERATIONS[found["operationId"]], found, reads=method == "get")
    return document


def _described(operation: Operation, found: dict[str, Any], *, reads: bool) -> dict[str, Any]:
    described = {
        "parameters": [*found.get("parameters", ()), *_parameters(operation)],
        "responses": _responses(operation, reads=reads),
        "security": [{}, *_SECURITY] if operation.open else _SECURITY,
    }
    if operation.body:
        required = operation.name != "apiKey_create"
        described["requestBody"] = {"content": content(ROOTS[operation.body]), "required": required}
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    """Those of the query, and the headers that change what is answered."""
    rows = [(name, "query", schema, why) for query in operation.query for name, schema, why in _PARAMETERS[query]]
    if 416 in operation.errors:
        rows.append(("Range", "header", _TEXT, "A part of the file, such as `bytes=1000-`"))
    if operation.status == 201 and operation.answer == "image":
        rows.append(("Idempotency-Key", "header", _TEXT, "The same key with the same request gives the same ticket"))
    return [
        {"name": name, "in": place, "required": False, "schema": schema, "description": why}
        for name, place, schema, why in rows
    ]


def _responses(operation: Operation, *, reads: bool) -> dict[str, Any]:
    good = {operation.status: operation.answer} if operation.status < 400 else {}
    if reads:
        good[304] = None
    if 416 in operation.errors:
        good |= {206: "bytes", 307: None}
    responses = {str(code): _response(code, answer) for code, answer in sorted(good.items())}
    return responses | {
        str(code): {"$ref": f"#/components/responses/error{code}"} for code in sorted(_errors(operation))
    }


def _errors(operation: Operation) -> set[int]:
    errors = {*operation.errors, *([] if operation.name == "uforgeStatus_get" else _ANY)}
    if operation.status >= 400:
        return errors | {operation.status}
    if operation.answer not in {None, "bytes"}:
        errors.add(406)
    return errors | {*_BODY} if operation.body else errors


def _response(code: int, answer: str | None) -> dict[str, Any]:
    response: dict[str, Any] = {"description": HTTPStatus(code).phrase}
    if answer:
        response["content"] = _FILE if answer == "bytes" else content(ROOTS[answer])
    if code in _HEADERS:
        response["headers"] = {name: {"schema": _TEXT} for name in _HEADERS[code]}
    return response
