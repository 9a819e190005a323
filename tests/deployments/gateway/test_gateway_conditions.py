"""Conditions: the tag decides where there is one, else the time in whole seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from starlette.datastructures import Headers

from deployments.gateway.conditions import quoted, same, stamped, unchanged

_TAG = quoted("a" * 32)
_CHANGED = datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC)


@pytest.mark.parametrize("known", [_TAG, f"W/{_TAG}", f'"b", {_TAG}', "*"])
def test_a_known_tag(known: str) -> None:
    """Any of the client's tags will do, a weak one too."""
    assert unchanged(Headers({"If-None-Match": known}), _TAG, None)


def test_an_unknown_tag_wins_over_the_time() -> None:
    """Two changes within one second are told apart by the tag."""
    headers = {"If-None-Match": '"b"', "If-Modified-Since": stamped(_CHANGED)}
    assert not unchanged(Headers(headers), _TAG, _CHANGED)


@pytest.mark.parametrize(
    ("since", "answer"),
    [
        (stamped(_CHANGED), True),
        (stamped(_CHANGED + timedelta(seconds=1)), True),
        (stamped(_CHANGED - timedelta(seconds=1)), False),
        ("yesterday", False),
        ("", False),
    ],
)
def test_the_time(since: str, *, answer: bool) -> None:
    """Seconds count, and what can't be read is no condition."""
    assert unchanged(Headers({"If-Modified-Since": since}), _TAG, _CHANGED) is answer


@pytest.mark.parametrize(
    ("condition", "answer"),
    [
        (_TAG, True),
        (f"W/{_TAG}", False),
        ('"b"', False),
        (stamped(_CHANGED), True),
        (stamped(_CHANGED + timedelta(seconds=1)), False),
        ("yesterday", False),
    ],
)
def test_if_range(condition: str, *, answer: bool) -> None:
    """A part is only joined to exactly the same bytes."""
    assert same(condition, _TAG, _CHANGED) is answer
