"""The OpenAPI document: every operation under its name in UForge, with all that may come back."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from deployments.gateway.negotiation import TYPES
from deployments.gateway.operations import MARK, Operation, Query
from deployments.gateway.wire.schemas import components, example

_ANY = (401, 403, 404, 429, 503)
_BODY = (400, 413, 415)
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
    document["components"] = {"schemas": components(), "securitySchemes": _SCHEMES}
    for path in document["paths"].values():
        for method, found in path.items():
            operation: Operation = found.pop(MARK)
            path[method] = found | _described(operation, found)
    return document


def _described(operation: Operation, found: dict[str, Any]) -> dict[str, Any]:
    described = {
        "parameters": [*found.get("parameters", ()), *_parameters(operation, found)],
        "responses": _responses(operation),
        "security": [{}, *_SECURITY] if operation.open else _SECURITY,
    }
    if operation.body:
        described["requestBody"] = {"content": _content(operation.body), "required": operation.name != "apiKey_create"}
    return described


def _parameters(operation: Operation, found: dict[str, Any]) -> list[dict[str, Any]]:
    """Those of the query, and for a file the header that asks for a part of it."""
    rows = [(name, "query", schema, why) for query in operation.query for name, schema, why in _PARAMETERS[query]]
    if operation.answer == "bytes":
        rows.append(("Range", "header", _TEXT, "A part of the file, such as `bytes=1000-`"))
    if found["responses"] and operation.status == 201 and operation.body != "apiKeyPair":
        rows.append(("Idempotency-Key", "header", _TEXT, "The same key with the same request gives the same ticket"))
    return [
        {"name": name, "in": place, "required": False, "schema": schema, "description": why}
        for name, place, schema, why in rows
    ]


def _responses(operation: Operation) -> dict[str, Any]:
    responses = {str(operation.status): _response(operation.status, operation.answer)} if operation.status < 400 else {}
    file = operation.answer == "bytes"
    if operation.answer and operation.status == 200:
        responses["304"] = _response(304, None)
    if file:
        responses |= {"206": _response(206, "bytes"), "307": _response(307, None)}
    for code in sorted(_errors(operation, file=file)):
        responses[str(code)] = _response(code, "uforgeError")
    return responses


def _errors(operation: Operation, *, file: bool) -> set[int]:
    errors = {*operation.errors, *([] if operation.name == "uforgeStatus_get" else _ANY)}
    if operation.answer and not file:
        errors.add(406)
    if operation.body and operation.status < 400:
        errors.update(_BODY)
    if operation.status >= 400:
        errors.add(operation.status)
    return errors


def _response(code: int, answer: str | None) -> dict[str, Any]:
    response: dict[str, Any] = {"description": HTTPStatus(code).phrase}
    if answer:
        response["content"] = _FILE if answer == "bytes" else _content(answer)
    if code in _HEADERS:
        response["headers"] = {name: {"schema": _TEXT} for name in _HEADERS[code]}
    return response


def _content(root: str) -> dict[str, Any]:
    """A document as XML and as JSON, with an example of it."""
    return {
        TYPES["xml"]: {"schema": {"$ref": f"#/components/schemas/{root}"}, "example": example(root, "xml")},
        TYPES["json"]: {
            "schema": {"type": "object", "properties": {root: {"$ref": f"#/components/schemas/{root}"}}},
            "example": example(root, "json"),
        },
    }
