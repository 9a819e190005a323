"""The documents in the words of OpenAPI: a schema for each, of the same classes that write and read them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from deployments.gateway.wire.documents import render
from deployments.gateway.wire.elements import KINDS, NAMESPACE, Document, Element, elements, family
from deployments.gateway.wire.examples import example
from deployments.gateway.wire.grammar import OneOf, Relative, Whole

Schema = dict[str, Any]

_SIMPLE: dict[type, Schema] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    datetime: {"type": "string", "format": "date-time"},
}
_CONCRETE: Schema = {
    "type": "string",
    "xml": {
        "name": "type",
        "namespace": "http://www.w3.org/2001/XMLSchema-instance",
        "prefix": "xsi",
        "attribute": True,
    },
}


def components() -> dict[str, Schema]:
    """The schemas of all documents by the names of their types, for `#/components/schemas`."""
    return {name: _schema(kind) for name, kind in sorted(KINDS.items())}


def content(kind: type[Document]) -> dict[str, Schema]:
    """A body of the kind, as XML and as JSON, each with its schema and an example."""
    shown = example(kind)
    member = {"type": "object", "required": [kind.root], "properties": {kind.root: reference(kind)}}
    return {
        "application/xml": {"schema": reference(kind), "example": render(shown, "xml").decode()},
        "application/json": {"schema": member, "example": json.loads(render(shown, "json"))},
    }


def reference(kind: type[Document]) -> Schema:
    """Where the schema of the kind is: one of its concrete types if it is abstract."""
    found = [name for name, other in sorted(KINDS.items()) if issubclass(other, kind) and not other.abstract]
    if not kind.abstract:
        return {"$ref": _path(kind.__name__)}
    mapping = {name: _path(name) for name in found}
    choices = [{"$ref": path} for path in mapping.values()]
    return {"oneOf": choices, "discriminator": {"propertyName": "@type", "mapping": mapping}}


def _schema(kind: type[Document]) -> Schema:
    properties = {element.name: _property(element) for element in elements(kind)}
    schema: Schema = {"type": "object", "description": kind.__doc__, "properties": properties}
    if kind.root:
        schema["xml"] = {"name": kind.root, "namespace": NAMESPACE, "prefix": "ns0"}
    if family(kind) and not kind.abstract:
        schema["properties"] = {"@type": {**_CONCRETE, "enum": [kind.__name__]}, **properties}
        schema["required"] = ["@type"]
    return schema


def _property(element: Element) -> Schema:
    single = reference(element.kind) if issubclass(element.kind, Document) else _leaf(element)
    return {"type": "array", "items": single} if element.many else single


def _leaf(element: Element) -> Schema:
    match element.grammar:
        case Whole(low, high):
            return {"type": "integer", "minimum": low, "maximum": high}
        case OneOf(words):
            return {"type": "string", "enum": list(words)}
        case Relative():
            return {"type": "string", "format": "uri-reference"}
    return dict(_SIMPLE[element.kind])


def _path(name: str) -> str:
    return f"#/components/schemas/{name}"
