"""Conditions: whether the client has the answer already, so that 304 says it all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

from starlette.datastructures import Headers


def quoted(digest: str) -> str:
    """A digest as ETag."""
    return f'"{digest}"'


def stamped(changed: datetime) -> str:
    """A time of change as HTTP writes it: the next whole second, by which it was over, but none that is yet to come.

    So whatever changes after it was told, in the same second as well, is later than what was told.
    """
    return format_datetime(min(_over(changed), datetime.now(UTC)), usegmt=True)


def unchanged(headers: Headers, tag: str, changed: datetime | None) -> bool:
    """Whether a GET with these headers gets 304; If-None-Match wins over If-Modified-Since."""
    if (known := headers.get("if-none-match")) is not None:
        return matches(known, tag)
    since = moment(headers.get("if-modified-since"))
    return since is not None and changed is not None and changed <= since


def matches(known: str, tag: str) -> bool:
    """Whether a list of tags has this one; by weak comparison, as If-None-Match compares."""
    tags = [each.strip().removeprefix("W/") for each in known.split(",")]
    return "*" in tags or tag in tags


def same(condition: str, tag: str, changed: datetime | None) -> bool:
    """Whether If-Range names just this: by strong comparison, or by exactly its date."""
    if condition.startswith(('"', "W/")):
        return condition == tag
    return changed is not None and moment(condition) == _over(changed)


def moment(text: str | None) -> datetime | None:
    """A time that HTTP wrote; None for any that can't be read."""
    try:
        found = parsedate_to_datetime(text or "")
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo is not None else None


def _over(changed: datetime) -> datetime:
    """The first whole second that isn't before the time."""
    return (changed + timedelta(microseconds=999_999)).replace(microsecond=0)
