"""The search: which of a list's entries are wanted, in which order and how many; and the page that comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import Field

from blocks.model.words import Words

_Entry = TypeVar("_Entry")
_MANY = 2**31


class Search(Words):
    """A FIQL `query`, a selector to order by, and of what matches `count` entries (or all) from `offset` on."""

    query: str | None = None
    order_by: str | None = None
    descending: bool = False
    count: int | None = Field(default=None, ge=0, lt=_MANY)
    offset: int = Field(default=0, ge=0, lt=_MANY)

    @property
    def paged(self) -> bool:
        """Whether it may leave out something that matches."""
        return self.count is not None or self.offset > 0


@dataclass(frozen=True)
class Page(Generic[_Entry]):
    """The entries that were asked for, and how many there would be without `count` and `offset`."""

    rows: tuple[_Entry, ...]
    total: int
