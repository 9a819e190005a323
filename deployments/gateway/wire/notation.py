"""Documents as JSON: one member named like the root element; items are always arrays, what is absent is left out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn, TypeVar

from xsdata.formats.dataclass.serializers.dict import DictEncoder, DictFactory

from deployments.gateway.wire.elements import Document, Element, concrete, elements, family, standing
from deployments.gateway.wire.unfit import COUNT, DEPTH, Unfit
from deployments.gateway.wire.values import read as leaf

_TYPE = "@type"
_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
_STEPS = {"{": 1, "[": 1, "}": -1, "]": -1}
_Kind = TypeVar("_Kind", bound=Document)


class _Encoder(DictEncoder):
    """Says of a document of an abstract type which it is."""

    def next_value(self, obj: Any) -> Iterator[tuple[str, Any]]:
        if family(type(obj)):
            yield _TYPE, type(obj).__name__
        yield from super().next_value(obj)


_ENCODER = _Encoder(dict_factory=DictFactory.FILTER_NONE)


def write(document: Document) -> str:
    """The JSON of a document that was found fit."""
    return json.dumps({document.root: _ENCODER.encode(document)}, ensure_ascii=False, separators=(",", ":"))


def read(kind: type[_Kind], text: str) -> _Kind:
    """The document that the JSON tells, its leaves not yet judged; raises ValueError."""
    _shallow(text)
    body = json.loads(text, parse_constant=_refuse)
    if not isinstance(body, dict) or len(body) != 1:
        raise Unfit("no object with one member, the document")
    root, value = next(iter(body.items()))
    return _document(standing(root, kind), value)


def _document(kind: type[_Kind], value: object) -> _Kind:
    if not isinstance(value, dict):
        raise Unfit(f"no object in the place of a {kind.__name__}")
    chosen = concrete(str(value.get(_TYPE)), kind)
    given = {element: value[element.name] for element in elements(chosen) if value.get(element.name) is not None}
    read = {element.attribute: _element(element, content) for element, content in given.items()}
    return chosen(**{name: content for name, content in read.items() if content is not None})


def _element(element: Element, value: object) -> object:
    if element.many:
        items = value if isinstance(value, list) else [value]
        return tuple(_value(element.kind, item) for item in items if item is not None)
    return _value(element.kind, value)


def _value(kind: type, value: object) -> object:
    if issubclass(kind, Document):
        return _document(kind, value)
    if isinstance(value, dict | list):
        raise Unfit(f"more than a value in the place of a {kind.__name__}")
    return leaf(value if isinstance(value, str) else json.dumps(value), kind)


def _shallow(text: str) -> None:
    depth = found = 0
    for token in _BRACKETS.finditer(text):
        step = _STEPS.get(token.group(), 0)
        depth, found = depth + step, found + (step > 0)
        if depth > 2 * DEPTH:
            raise Unfit(f"objects and arrays within each other more than {2 * DEPTH} deep")
        if found > COUNT:
            raise Unfit(f"more than {COUNT} objects and arrays")


def _refuse(word: str) -> NoReturn:
    raise Unfit(f"{word}, which is no number")
