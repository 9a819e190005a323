"""The leaves of the documents as text: strict when written, lenient when read. What is blank is absent."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from xsdata.exceptions import ConverterError
from xsdata.formats.converter import Converter, converter
from xsdata.models.datatype import XmlDateTime

_TRUTH = {"true": True, "1": True, "false": False, "0": False, "": None}
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")


class Truth(Converter):
    """`true` and `false`; read in any case, as 1 or 0 too."""

    def deserialize(self, value: Any, **_: Any) -> bool | None:
        """The boolean of a text; raises ConverterError."""
        word = str(value).strip().lower()
        if word not in _TRUTH:
            raise ConverterError("neither true nor false")
        return _TRUTH[word]

    def serialize(self, value: Any, **_: Any) -> str:
        """The text of a boolean."""
        return "true" if value else "false"


class Number(Converter):
    """A whole number of decimal digits."""

    def deserialize(self, value: Any, **_: Any) -> int | None:
        """The number of a text; raises ConverterError."""
        text = str(value).strip()
        if text and not _WHOLE.fullmatch(text):
            raise ConverterError("no whole number")
        return int(text) if text else None

    def serialize(self, value: Any, **_: Any) -> str:
        """The digits of a number."""
        return str(value)


class Moment(Converter):
    """A moment in UTC with milliseconds and Z; read with any zone, and as UTC without one."""

    def deserialize(self, value: Any, **_: Any) -> datetime | None:
        """The moment of a text; raises ConverterError."""
        text = str(value).strip()
        try:
            return _utc(XmlDateTime.from_string(text).to_datetime()) if text else None
        except (ValueError, OverflowError) as error:
            raise ConverterError("no date with time") from error

    def serialize(self, value: Any, **_: Any) -> str:
        """The text of a moment."""
        return _utc(value).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read(text: str, kind: type) -> Any:
    """The value of a text, None if it is blank; raises ConverterError."""
    return converter.deserialize(text, [kind])


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


converter.register_converter(bool, Truth())
converter.register_converter(int, Number())
converter.register_converter(datetime, Moment())
