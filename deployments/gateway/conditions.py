"""Conditions: whether the client has the answer already, so that 304 says it all."""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime

from starlette.datastructures import Headers


def quoted(digest: str) -> str:
    """A digest as ETag."""
    return f'"{digest}"'


def stamped(moment: datetime) -> str:
    """A time as HTTP writes it, in whole seconds."""
    return format_datetime(moment, usegmt=True)


def unchanged(headers: Headers, tag: str, changed: datetime | None) -> bool:
    """Whether a GET with these headers gets 304; If-None-Match wins over If-Modified-Since."""
    if (known := headers.get("if-none-match")) is not None:
        return matches(known, tag)
    since = moment(headers.get("if-modified-since"))
    return since is not None and changed is not None and changed.replace(microsecond=0) <= since


def matches(known: str, tag: str) -> bool:
    """Whether a list of tags has this one; by weak comparison, as If-None-Match compares."""
    tags = [each.strip().removeprefix("W/") for each in known.split(",")]
    return "*" in tags or tag in tags


def same(condition: str, tag: str, changed: datetime | None) -> bool:
    """Whether If-Range names just this: by strong comparison, or by exactly its date."""
    if condition.startswith(('"', "W/")):
        return condition == tag
    return changed is not None and moment(condition) == changed.replace(microsecond=0)


def moment(text: str | None) -> datetime | None:
    """A time that HTTP wrote; None for any that can't be read."""
    try:
        found = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
