"""Searches become SQL: a FIQL query, the order and the page; only what is listed can be asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeGuard

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Double,
    Row,
    Select,
    String,
    and_,
    false,
    func,
    literal,
    not_,
    or_,
    true,
    type_coerce,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import FunctionElement

from blocks.catalog import fiql
from blocks.catalog.database import whole
from blocks.catalog.fiql import COMPARE, Comparison, Condition, Some
from blocks.errors import InvalidInput
from blocks.model import Search
from blocks.model.search import Page

Compare = Callable[[ColumnElement[Any], Comparison], ColumnElement[bool]]
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}
_MILLISECOND = 0.001
_ROUNDING = 0.000_000_5


@dataclass(frozen=True)
class Selector:
    """What a name in a query stands for, never NULL, and how its values are written and compared."""

    column: ColumnElement[Any]
    compare: Compare

    @property
    def order(self) -> ColumnElement[Any]:
        """What to sort by: texts alike on every database."""
        return Bytewise(self.column) if self.compare is TEXT else self.column


class Bytewise(FunctionElement[str]):
    """A text that is compared by its bytes and not by the rules of a language."""

    type = String()
    inherit_cache = True


class Like(FunctionElement[bool]):
    """Whether a text is like a pattern, with the case of letters: the pattern is given for LIKE and for GLOB."""

    type = Boolean()
    inherit_cache = True


@compiles(Bytewise)
def _bytewise(element: Bytewise, compiler: SQLCompiler, **options: Any) -> str:
    return f'{compiler.process(element.clauses, **options)} COLLATE "C"'


@compiles(Bytewise, "sqlite")
def _bytewise_sqlite(element: Bytewise, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(Like)
def _like(element: Like, compiler: SQLCompiler, **options: Any) -> str:
    text, like, _ = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{text} LIKE {like} ESCAPE '!'"


@compiles(Like, "sqlite")
def _like_sqlite(element: Like, compiler: SQLCompiler, **options: Any) -> str:
    text, _, glob = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{text} GLOB {glob}"


def find(
    connection: Connection,
    query: Select[Any],
    search: Search,
    selectors: Mapping[str, Selector],
    key: ColumnElement[int],
) -> Page[Row[Any]]:
    """The rows of the query that match, one page of them, in a stable order: by one statement unless the page is empty.

    Raises InvalidInput for what is no query, and for selectors and values that aren't allowed.
    """
    matching = query.where(condition(search.query, selectors)) if _given(search.query) else query
    order = _order(search, selectors, key)
    if not search.paged:
        rows = connection.execute(matching.order_by(*order)).all()
        return Page(tuple(rows), len(rows))
    count = matching.with_only_columns(func.count(), maintain_column_froms=True).correlate(None)
    page = matching.with_only_columns(key, maintain_column_froms=True).order_by(*order).correlate(None)
    some = query.where(key.in_(page.limit(search.count).offset(search.offset or None)))
    rows = connection.execute(some.order_by(*order).add_columns(count.scalar_subquery().label("total"))).all()
    return Page(tuple(rows), rows[0].total if rows else int(connection.scalar(count) or 0))


def condition(query: str, selectors: Mapping[str, Selector]) -> ColumnElement[bool]:
    """What a FIQL query says, as a condition on columns; raises InvalidInput."""

    def made(part: Condition) -> ColumnElement[bool]:
        if not isinstance(part, Comparison):
            return (or_ if isinstance(part, Some) else and_)(*map(made, part.parts))
        if part.selector not in selectors:
            raise fiql.refused(query, part, f"one of {', '.join(sorted(selectors))} is allowed")
        selector = selectors[part.selector]
        try:
            return selector.compare(selector.column, part)
        except ValueError as error:
            raise fiql.refused(query, part, f"{part.selector} {part.operator} is allowed with {error}") from None

    return made(fiql.parse(query))


def _given(text: str | None) -> TypeGuard[str]:
    return bool(text and text.strip())


def _order(search: Search, selectors: Mapping[str, Selector], key: ColumnElement[int]) -> list[ColumnElement[Any]]:
    columns = [key]
    if _given(search.order_by):
        if search.order_by not in selectors:
            allowed = ", ".join(sorted(selectors))
            raise InvalidInput(f"Nothing is sorted by {search.order_by[:50]!r}", f"Name one of {allowed}")
        columns = [selectors[search.order_by].order, key]
    return [column.desc() for column in columns] if search.descending else columns


def _text(column: ColumnElement[str], comparison: Comparison) -> ColumnElement[bool]:
    pattern = comparison.pattern
    if comparison.operator not in ("==", "!="):
        return type_coerce(COMPARE[comparison.operator](Bytewise(column), _plain(comparison, "a text")), Boolean)
    if len(pattern) == 1:
        return type_coerce(COMPARE[comparison.operator](column, pattern[0]), Boolean)
    like = "%".join(re.sub(r"([!%_])", r"!\1", part) for part in pattern)
    glob = "*".join(re.sub(r"([*?\[])", r"[\1]", part) for part in pattern)
    found = Like(column, literal(like), literal(glob))
    return found if comparison.operator == "==" else not_(found)


def _number(column: ColumnElement[int], comparison: Comparison) -> ColumnElement[bool]:
    allowed = "a whole number of at most 18 digits"
    value = _plain(comparison, allowed)
    if not re.fullmatch("-?[0-9]{1,18}", value):
        raise ValueError(allowed)
    found: ColumnElement[bool] = COMPARE[comparison.operator](column, whole(int(value)))
    return found


def _truth(column: ColumnElement[bool], comparison: Comparison) -> ColumnElement[bool]:
    allowed = "true or false"
    value = _TRUTHS.get(_plain(comparison, allowed).lower())
    if value is None or comparison.operator not in ("==", "!="):
        raise ValueError(f"{allowed}, by == or !=")
    wanted = value is (comparison.operator == "==")
    return column == (true() if wanted else false())


def _moment(column: ColumnElement[datetime], comparison: Comparison) -> ColumnElement[bool]:
    """Moments are shown by the millisecond, so they are compared by it."""
    allowed = "a time like 2026-01-02T03:04:05.678Z (UTC unless told), or a day"
    try:
        moment = datetime.fromisoformat(_plain(comparison, allowed))
    except ValueError:
        raise ValueError(allowed) from None
    seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - _ROUNDING
    time: ColumnElement[float] = type_coerce(column, Double)
    before, over = time < seconds, time >= seconds + _MILLISECOND
    return {
        "==": and_(not_(before), not_(over)),
        "!=": or_(before, over),
        "=lt=": before,
        "=le=": not_(over),
        "=gt=": over,
        "=ge=": not_(before),
    }[comparison.operator]


def _plain(comparison: Comparison, allowed: str) -> str:
    """The value, which has no wildcard; raises ValueError with what is allowed."""
    if len(comparison.pattern) > 1:
        raise ValueError(f"{allowed}, without *")
    return comparison.pattern[0]


TEXT: Compare = _text
NUMBER: Compare = _number
TRUTH: Compare = _truth
MOMENT: Compare = _moment
