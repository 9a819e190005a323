"""Matching: which documents of a short list, known whole, a query describes, and in which order they are told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from blocks.catalog import fiql
from blocks.catalog.fiql import COMPARE, Comparison, Condition, Some
from blocks.errors import InvalidInput
from deployments.gateway.wire import values
from deployments.gateway.wire.elements import Document, elements

_Document = TypeVar("_Document", bound=Document)


def matching(found: Iterable[_Document], query: str) -> tuple[_Document, ...]:
    """Those that a FIQL query describes, by the names of their elements; raises InvalidInput."""
    condition = fiql.parse(query)
    return tuple(each for each in found if _holds(each, condition, query))


def ordered(found: Iterable[_Document], selector: str) -> tuple[_Document, ...]:
    """All of them, sorted by an element; raises InvalidInput."""
    try:
        return tuple(sorted(found, key=lambda each: _leaf(each, selector)))
    except LookupError:
        raise InvalidInput(f"Nothing is sorted by {selector[:50]!r}", "Name an element of the list's items") from None


def _holds(document: Document, condition: Condition, query: str) -> bool:
    if isinstance(condition, Comparison):
        return _compared(document, condition, query)
    one = any if isinstance(condition, Some) else all
    return one(_holds(document, part, query) for part in condition.parts)


def _compared(document: Document, comparison: Comparison, query: str) -> bool:
    try:
        value = _leaf(document, comparison.selector)
        wanted = values.read("*".join(comparison.pattern), type(value))
    except LookupError:
        raise fiql.refused(query, comparison, "the name of an element with one value is allowed") from None
    except ValueError as error:
        raise fiql.refused(query, comparison, f"{comparison.selector} is allowed with a value: {error}") from None
    if len(comparison.pattern) > 1 and comparison.operator in ("==", "!="):
        return _like(str(value), comparison.pattern) is (comparison.operator == "==")
    return wanted is not None and COMPARE[comparison.operator](value, wanted)


def _leaf(document: Document, selector: str) -> str | int:
    """The value of an element, that of its kind which says nothing if it is absent; raises LookupError if none has it.

    Of nested elements the name has dots.
    """
    kind: type = type(document)
    value: Any = document
    for name in selector.split("."):
        known = {each.name: each for each in elements(kind) if not each.many} if issubclass(kind, Document) else {}
        kind, value = known[name].kind, value and getattr(value, known[name].attribute)
    if issubclass(kind, str | int):
        return kind() if value is None else value
    raise LookupError(selector)


def _like(text: str, pattern: tuple[str, ...]) -> bool:
    """Whether the text is the parts of the pattern with anything between them."""
    first, *others, last = pattern
    place = len(first)
    for part in others:
        found = text.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    return text.startswith(first) and text.endswith(last) and place <= len(text) - len(last)
