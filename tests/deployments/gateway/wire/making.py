"""Documents to test with: any that can be written, and one of each kind that has every element."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from deployments.gateway.wire.elements import KINDS, ROOTS, Document, Element, elements
from deployments.gateway.wire.grammar import OneOf, Relative, Whole

_DEPTH = 4
_UNSPOKEN = "".join(map(chr, (*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF)))
_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters=_UNSPOKEN), max_size=12)
_FIRST, _LAST = datetime(1, 1, 2), datetime(9999, 12, 30)  # noqa: DTZ001 - hypothesis adds the zone
_MOMENTS = st.datetimes(_FIRST, _LAST, timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""However slow the machine is."""

STANDING = sorted(set(ROOTS.values()), key=lambda kind: kind.__name__)
"""The kinds of documents that have a root element."""

CONCRETE = [kind for kind in KINDS.values() if kind.root is not None and not kind.abstract]
"""The kinds that can be written."""


def documents(kind: type[Document], depth: int = 0) -> st.SearchStrategy[Document]:
    """Any document of the kind, or of one of its concrete types."""
    if kind.abstract:
        return st.sampled_from(_concrete(kind)).flatmap(lambda chosen: documents(chosen, depth))
    made = {
        element.attribute: _held(element, depth) for element in elements(kind) if depth < _DEPTH or not _nested(element)
    }
    return st.fixed_dictionaries({}, optional=made).map(lambda values: kind(**values))


def filled(kind: type[Document]) -> Document:
    """A document of the kind with every element, each leaf a value of its own where its grammar has so many."""
    return _filled(kind, count(1), 0)


def _filled(kind: type[Document], numbers: count[int], depth: int) -> Document:
    if kind.abstract:
        kind = _concrete(kind)[0]
    made: dict[str, object] = {}
    for element in elements(kind):
        if depth < _DEPTH or not _nested(element):
            value = _filled(element.kind, numbers, depth + 1) if _nested(element) else _leaf(element, next(numbers))
            made[element.attribute] = (value,) if element.many else value
    maker: Any = kind
    return maker(**made)  # type: ignore[no-any-return]


def _leaf(element: Element, number: int) -> object:
    if isinstance(element.grammar, OneOf):
        return element.grammar.words[number % len(element.grammar.words)]
    if isinstance(element.grammar, Whole):
        return number % (element.grammar.high + 1)
    values = {bool: number % 2 == 0, float: number + 0.5, datetime: datetime(2026, 1, 1 + number % 28, tzinfo=UTC)}
    return values.get(element.kind, f"{element.name}/{number}")


def _held(element: Element, depth: int) -> st.SearchStrategy[Any]:
    one = documents(element.kind, depth + 1) if _nested(element) else _leaves(element)
    return st.lists(one, max_size=2).map(tuple) if element.many else one


def _leaves(element: Element) -> st.SearchStrategy[Any]:
    match element.grammar:
        case Whole(low, high):
            return st.integers(low, high)
        case OneOf(words):
            return st.sampled_from(words)
        case Relative():
            return st.from_regex(r"[a-z0-9é]+(/[A-Za-z0-9?=&;<-]+){0,4}", fullmatch=True)
    kinds: dict[type, st.SearchStrategy[Any]] = {
        bool: st.booleans(),
        float: st.floats(allow_nan=False, allow_infinity=False, width=32),
        datetime: _MOMENTS,
    }
    return kinds.get(element.kind, _TEXTS)


def _nested(element: Element) -> bool:
    return issubclass(element.kind, Document)


def _concrete(kind: type[Document]) -> list[type[Document]]:
    return [other for other in KINDS.values() if issubclass(other, kind) and not other.abstract]
