"""Whether a document is what its classes say: the types, and the grammar of each leaf."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from deployments.gateway.wire.elements import Document, Element, elements
from deployments.gateway.wire.grammar import Whole


def faults(document: Document, *, writing: bool) -> Iterator[str]:
    """What is wrong with the document, as `element.element: what`; words and addresses are judged when writing only."""
    if writing and document.abstract:
        yield f": {type(document).__name__} is abstract"
    for element in elements(type(document)):
        for value in _values(document, element):
            yield from (f"{element.name}{fault}" for fault in _of(value, element, writing=writing))


def _values(document: Document, element: Element) -> tuple[object, ...]:
    value = getattr(document, element.attribute)
    if element.many and isinstance(value, tuple):
        return value
    return () if value is None else (value,)


def _of(value: object, element: Element, *, writing: bool) -> Iterator[str]:
    if not _typed(value, element.kind):
        yield f": {type(value).__name__} in the place of {element.kind.__name__}"
    elif isinstance(value, Document):
        yield from (f".{fault}" for fault in faults(value, writing=writing))
    elif not _fits(value, element, writing=writing):
        yield f": {str(value)[:80]!r} can't stand here"


def _typed(value: object, kind: type) -> bool:
    exact = issubclass(kind, bool | int | float | str)
    return type(value) is kind if exact else isinstance(value, kind)


def _fits(value: Any, element: Element, *, writing: bool) -> bool:
    if isinstance(value, datetime):
        return value.tzinfo is not None
    if isinstance(value, float):
        return math.isfinite(value)
    judged = element.grammar is not None and (writing or isinstance(element.grammar, Whole))
    return not judged or element.grammar.takes(value)  # type: ignore[union-attr] # judged says there is one
