"""Quotas: how much a user may have made or keep; without one there is no limit."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime
from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from blocks.model import grammar
from blocks.model.words import Words

QuotaKind = Literal["appliance", "generation", "diskusage"]
KINDS: tuple[QuotaKind, ...] = get_args(QuotaKind)
Frequency = Literal["none", "monthly"]


class Limit(Words):
    """At most so many: appliances, generations or bytes. Only generations can be counted anew each month."""

    kind: QuotaKind
    limit: grammar.Size
    frequency: Frequency = "none"

    @model_validator(mode="after")
    def _renewable(self) -> Self:
        if self.frequency == "monthly" and self.kind != "generation":
            raise ValueError("only generations are counted by the month")
        return self


class Quota(Words):
    """A user's quota as it stands; `limit` None is no limit.

    `used` is what counts against it: appliances owned, generations that succeeded (in the period), or bytes of stored
    image files, each file once. `reserved` are the generations that were asked for and haven't ended; each holds a
    place. `renews` is when a monthly one is counted anew.
    """

    kind: QuotaKind
    limit: grammar.Size | None
    frequency: Frequency
    used: int = Field(ge=0)
    reserved: int = Field(ge=0)
    renews: grammar.Moment | None


def period(created: datetime, now: datetime) -> tuple[datetime, datetime]:
    """The month in which `now` lies, from its first moment to that of the next (UTC).

    Months begin on the day of the month on which the user was created, or on the last one of a shorter month.
    """
    this = _beginning(now.year, now.month, created.day)
    if this > now:
        return _beginning(*_before(now.year, now.month), created.day), this
    return this, _beginning(*_after(now.year, now.month), created.day)


def _beginning(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, min(day, calendar.monthrange(year, month)[1]), tzinfo=UTC)


def _before(year: int, month: int) -> tuple[int, int]:
    return (year - 1, 12) if month == 1 else (year, month - 1)


def _after(year: int, month: int) -> tuple[int, int]:
    return (year + 1, 1) if month == 12 else (year, month + 1)
