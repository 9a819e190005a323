"""Lists: what the query of a request says of them, read as leniently as published clients write it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from starlette.requests import Request

from blocks.model.search import Search
from blocks.model.words import Words
from deployments.gateway.answers import uris
from deployments.gateway.matching import matching, ordered
from deployments.gateway.wire.elements import Document

_NAMES = {"query": "query", "orderBy": "order_by", "descending": "descending", "count": "count", "offset": "offset"}


_Entry = TypeVar("_Entry", bound=Document)


class _Flag(Words):
    value: bool


def search(request: Request) -> Search:
    """Which of a list's entries are wanted, and in which order; raises InvalidInput."""
    given = {field: request.query_params.get(name, "").strip() for name, field in _NAMES.items()}
    return Search.parse({field: value for field, value in given.items() if value}, "the query")


def flag(request: Request, name: str) -> bool:
    """A boolean of the query in any spelling, False unless it is there; raises InvalidInput."""
    given = request.query_params.get(name, "").strip()
    return bool(given) and _Flag.parse({"value": given}, f"the parameter {name}").value


def images(request: Request) -> frozenset[int] | None:
    """The numbers of the images that `img` restricts the list to; None for all."""
    given = request.query_params.getlist("img")
    return frozenset(number for uri in given if (number := uris.last(uri)) is not None) if given else None


def paged(request: Request, found: Sequence[_Entry]) -> tuple[tuple[_Entry, ...], int]:
    """The page of a short list, which is known whole, and how many of it match; raises InvalidInput."""
    wanted = search(request)
    entries = matching(found, wanted.query) if wanted.query else tuple(found)
    if wanted.order_by:
        entries = ordered(entries, wanted.order_by)
    if wanted.descending:
        entries = entries[::-1]
    end = None if wanted.count is None else wanted.offset + wanted.count
    return entries[wanted.offset : end], len(entries)
