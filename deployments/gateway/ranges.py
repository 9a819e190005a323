"""Ranges of a file's bytes, as the header Range asks for them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from deployments.gateway.refusals import Rejected

_SINGLE = re.compile(r"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Span:
    """Bytes from `start` up to, not including, `end`, of `size` in all."""

    start: int
    end: int
    size: int

    @property
    def length(self) -> int:
        """How many bytes it has."""
        return self.end - self.start

    @property
    def whole(self) -> bool:
        """Whether it is all there is."""
        return self.length == self.size

    @property
    def content_range(self) -> str:
        """The header that tells of it."""
        return f"bytes {self.start}-{self.end - 1}/{self.size}"


def wanted(header: str | None, size: int) -> Span | None:
    """The single range that is asked for; None for the whole file: no range, several, or one that makes no sense.

    Raises Rejected (416) for one that lies outside of the file.
    """
    found = _SINGLE.fullmatch(header or "")
    if found is None or not any(found.groups()):
        return None
    first, last = found.groups()
    if first and last and int(last) < int(first):
        return None
    span = Span(int(first), min(int(last) + 1, size) if last else size, size) if first else _suffix(int(last), size)
    if span.length <= 0:
        raise Rejected(
            f"The file has {size} bytes, and none of the range",
            status=416,
            headers={"Content-Range": f"bytes */{size}"},
        )
    return span


def _suffix(length: int, size: int) -> Span:
    return Span(max(0, size - length), size, size)
