"""Ranges: a single range is served, what lies outside is refused, anything else is the whole file."""

from __future__ import annotations

import pytest

from deployments.gateway.ranges import Span, wanted
from deployments.gateway.refusals import Rejected


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=3-5", 3, 6),
        ("bytes=3-", 3, 10),
        ("bytes=-4", 6, 10),
        ("bytes=-40", 0, 10),
        ("bytes=3-400", 3, 10),
        ("Bytes= 3-5 ", 3, 6),
    ],
)
def test_a_single_range(header: str, start: int, end: int) -> None:
    """It is cut where the file ends."""
    assert wanted(header, 10) == Span(start, end, 10)


@pytest.mark.parametrize(
    "header", [None, "", "bytes=", "bytes=-", "bytes=5-3", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b", "bytes=²-3"]
)
def test_the_whole(header: str | None) -> None:
    """No range, several, or none that makes sense: the whole file."""
    assert wanted(header, 10) is None


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=11-12", 10), ("bytes=-0", 10), ("bytes=0-", 0)]
)
def test_outside(header: str, size: int) -> None:
    """A range without a byte of the file is refused, and the size told."""
    with pytest.raises(Rejected) as refused:
        wanted(header, size)
    assert (refused.value.status, refused.value.headers["Content-Range"]) == (416, f"bytes */{size}")


def test_what_is_told() -> None:
    """A span tells its length and its place."""
    span = Span(3, 6, 10)
    assert (span.length, span.content_range) == (3, "bytes 3-5/10")
