"""The quotas of users, and the one place that refuses what would exceed them.

What is promised, also when several ask at once:
- `generation`: never more successes (in the period) than the limit. A ticket holds a place from the moment it is made
  until it ends; a success keeps it for good, also when its image is deleted; `unchanged`, an error and a cancel give
  it back. A simulated one needs no place.
- `diskusage`: the image files of a user's complete tickets never occupy more bytes than the limit. Nothing new is
  begun once it is reached; an image that turns out not to fit ends in error.
- `appliance`: never more appliances than the limit.
A limit that is set below what is used takes nothing away. The checks within a transaction expect the user's row locked.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from blocks.catalog import usage
from blocks.catalog.clock import Now
from blocks.catalog.database import Database
from blocks.catalog.tables import QUOTAS, USERS
from blocks.catalog.users import require
from blocks.errors import QuotaExceeded
from blocks.model import ImageFile
from blocks.model.quota import KINDS, Frequency, Limit, Quota, QuotaKind, period

_ASK = "or have an operator raise it with `reforge quota set`"


class Quotas:
    """How much each user may have made and keep."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, user: str) -> list[Quota]:
        """The user's quotas as they stand, one for each kind; raises UnknownUser."""
        with self._database.reading() as connection:
            require(connection, user)
            return [_quota(connection, user, kind) for kind in KINDS]

    def set(self, user: str, kind: QuotaKind, limit: int | None, frequency: Frequency = "none") -> Quota:
        """Set a quota, or with None lift it; raises UnknownUser, InvalidInput."""
        given = {"kind": kind, "limit": 0 if limit is None else limit, "frequency": frequency}
        wanted = Limit.parse(given, "the quota")
        with self._database.writing() as connection:
            require(connection, user)
            connection.execute(delete(QUOTAS).where(QUOTAS.c.user == user, QUOTAS.c.kind == wanted.kind))
            if limit is not None:
                connection.execute(insert(QUOTAS).values(user=user, **wanted.model_dump()))
            return _quota(connection, user, wanted.kind)

    def check(self, user: str, ticket: int | None = None) -> None:
        """Raise QuotaExceeded if the user can't have another image made, or can't have this ticket worked on.

        A new ticket may still be refused by `tickets.create`, which counts those that haven't ended as well.
        """
        with self._database.reading() as connection:
            check_generation(connection, user, ticket or 0)
            if (limit := _limit(connection, user, "diskusage")) is not None:
                used = usage.stored(connection, user)
                if used >= limit.limit:
                    raise _no_space(user, f"{used} of {limit.limit} bytes are used")


def check_generation(connection: Connection, user: str, ticket: int) -> None:
    """Raise QuotaExceeded if the user's successes and the tickets asked for before this one reach the limit."""
    limit = _limit(connection, user, "generation")
    if limit is None:
        return
    since, renews = _period(connection, user, limit.frequency)
    used, reserved = usage.generations(connection, user, since, before=ticket)
    if used + reserved >= limit.limit:
        told = f"{used} of {limit.limit} are made" + (f" and {reserved} not ended" if reserved else "")
        waits = (["until they have ended"] if reserved else []) + ([f"until {renews:%Y-%m-%d}"] if renews else [])
        hint = f"Wait {' or '.join(waits)}, {_ASK}" if waits else "An operator can raise it with `reforge quota set`"
        raise QuotaExceeded(f"The quota generation of {user} is used up: {told}", hint)


def check_appliance(connection: Connection, user: str) -> None:
    """Raise QuotaExceeded if the user owns more appliances than allowed, the new one among them."""
    limit = _limit(connection, user, "appliance")
    if limit is not None and (owned := usage.appliances(connection, user)) > limit.limit:
        raise QuotaExceeded(
            f"The quota appliance of {user} is used up: {owned - 1} of {limit.limit} exist",
            f"Delete one, {_ASK}",
        )


def check_file(connection: Connection, user: str, file: ImageFile | None) -> None:
    """Raise QuotaExceeded if the image's file doesn't fit beside those that are stored for the user."""
    limit = _limit(connection, user, "diskusage")
    if limit is None or file is None or usage.keeps(connection, user, file.sha256):
        return
    used = usage.stored(connection, user)
    if used + file.size > limit.limit:
        raise _no_space(user, f"{used} of {limit.limit} bytes are used, the image needs {file.size}")


def _no_space(user: str, why: str) -> QuotaExceeded:
    return QuotaExceeded(f"The quota diskusage of {user} is used up: {why}", f"Delete images, {_ASK}")


def _limit(connection: Connection, user: str, kind: QuotaKind) -> Row[Any] | None:
    return connection.execute(select(QUOTAS).where(QUOTAS.c.user == user, QUOTAS.c.kind == kind)).first()


def _quota(connection: Connection, user: str, kind: QuotaKind) -> Quota:
    row = _limit(connection, user, kind)
    frequency: Frequency = "none" if row is None else row.frequency
    since, renews = _period(connection, user, frequency)
    used, reserved = _used(connection, user, kind, since)
    limit = None if row is None else row.limit
    return Quota(kind=kind, limit=limit, frequency=frequency, used=used, reserved=reserved, renews=renews)


def _used(connection: Connection, user: str, kind: QuotaKind, since: datetime | None) -> tuple[int, int]:
    if kind == "generation":
        return usage.generations(connection, user, since)
    return (usage.appliances if kind == "appliance" else usage.stored)(connection, user), 0


def _period(connection: Connection, user: str, frequency: Frequency) -> tuple[datetime, datetime] | tuple[None, None]:
    """The month that counts, by the database's clock."""
    if frequency == "none":
        return None, None
    row = connection.execute(select(USERS.c.created, Now().label("now")).where(USERS.c.name == user)).one()
    return period(row.created, datetime.fromtimestamp(row.now, UTC))
