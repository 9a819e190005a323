"""Conditions: the tag decides where there is one, else the time in whole seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from starlette.datastructures import Headers

from deployments.gateway.conditions import moment, quoted, same, stamped, unchanged

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
        ("Thu, 01 Jan 99999999999 00:00:00 GMT", False),
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


def test_a_change_within_the_second_that_was_told() -> None:
    """It is not taken for what the client has: neither by the time it was told, nor by its own of that moment."""
    told = stamped(_CHANGED)
    assert unchanged(Headers({"If-Modified-Since": told}), _TAG, _CHANGED)
    assert not unchanged(Headers({"If-Modified-Since": told}), _TAG, _CHANGED + timedelta(milliseconds=500))
    now = datetime.now(UTC).replace(microsecond=900_000)
    assert not unchanged(Headers({"If-Modified-Since": stamped(now)}), _TAG, now + timedelta(milliseconds=50))


def test_no_time_that_is_yet_to_come() -> None:
    """What has just changed is told to have changed at present, not later."""
    found = moment(stamped(datetime.now(UTC) + timedelta(days=1)))
    assert found is not None
    assert found <= datetime.now(UTC)
