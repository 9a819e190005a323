"""The names of what is stored, each part checked against its grammar before it becomes part of a path."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from blocks.errors import InvalidInput

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")
_STAGE = re.compile(r"[a-z][a-z0-9-]{0,39}")
_LOG = re.compile(rf"logs/(?P<ticket>{_NUMBER.pattern})/(?P<attempt>{_NUMBER.pattern})/[^/]+\.log\.gz")
_PART = r"[A-Za-z0-9][A-Za-z0-9._+~-]*"
_KEY = re.compile(rf"{_PART}(?:/{_PART}){{2,3}}")
_KEY_LIMIT = 220
_UPLOAD = re.compile(r"(?P<key>[^,]+(?:,[^,]+){2,3}),(?P<started>[0-9a-f]{1,12}),(?P<token>[0-9a-f]{16})")


def blob(sha256: str) -> str:
    """The name of a blob."""
    _check(_SHA256, sha256, "sha256", "64 lower-case hexadecimal digits are allowed")
    return f"blobs/sha256/{sha256[:2]}/{sha256}"


def record(ticket: int, attempt: int) -> str:
    """The name of a record."""
    return f"records/{number(ticket, 'ticket')}/{number(attempt, 'attempt')}.json"


def logs(ticket: int, attempt: int) -> str:
    """The prefix of an attempt's logs."""
    return f"logs/{number(ticket, 'ticket')}/{number(attempt, 'attempt')}"


def log(ticket: int, attempt: int, stage: str) -> str:
    """The name of a stage's log."""
    _check(_STAGE, stage, "stage", "up to 40 lower-case letters, digits and hyphens are allowed, a letter first")
    return f"{logs(ticket, attempt)}/{stage}.log.gz"


def parse_log(name: str) -> tuple[int, int] | None:
    """Ticket and attempt of a log's name, None for a name that isn't a log's."""
    match = _LOG.fullmatch(name)
    return None if match is None else (int(match["ticket"]), int(match["attempt"]))


def number(value: int, what: str) -> str:
    """A ticket's or an attempt's number as text."""
    return _check(_NUMBER, str(value), what, "a whole number from 0 on is allowed")


def is_number(text: str) -> bool:
    """Whether the text is a ticket's or an attempt's number."""
    return _NUMBER.fullmatch(text) is not None


def key(value: str) -> str:
    """An upload's key, as it was given."""
    rule = (
        f"ticket/attempt/file of at most {_KEY_LIMIT} characters is allowed, each part of letters, digits and ._+~-,"
        " a letter or digit first"
    )
    return _check(_KEY, value, "upload key", rule, _KEY_LIMIT)


def upload(value: str, started: datetime, token: str) -> str:
    """The file name of an unfinished upload: key, start in milliseconds, and a token that makes it unique."""
    return f"{key(value).replace('/', ',')},{int(started.timestamp() * 1000):x},{token}"


def parse_upload(name: str) -> tuple[str, datetime] | None:
    """Key and start of an unfinished upload's file name, None for a file that isn't one."""
    match = _UPLOAD.fullmatch(name)
    if match is None:
        return None
    return match["key"].replace(",", "/"), datetime.fromtimestamp(int(match["started"], 16) / 1000, UTC)


def _check(pattern: re.Pattern[str], value: str, what: str, rule: str, limit: int = 100) -> str:
    if len(value) > limit or not pattern.fullmatch(value):
        raise InvalidInput(f"{value[:100]!r} is no {what}", f"For a {what}, {rule}")
    return value
