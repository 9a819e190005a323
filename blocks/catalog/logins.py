"""Failed logins, counted for all processes together, so that passwords can't be tried one after the other.

They are counted for a name at one address, for an address, and for a name. After some failures each further one makes
who asks wait, twice as long each time up to a limit. The name alone makes nobody wait for long, for whoever knows it
could lock its user out. Names and addresses are kept as digests: people type passwords where a name belongs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from blocks.catalog.clock import Now
from blocks.catalog.database import Database
from blocks.catalog.tables import FAILURES
from blocks.errors import TooManyFailures

FORGOTTEN = 3600.0
"""A count begins anew when nothing failed for so many seconds."""


@dataclass(frozen=True)
class Bound:
    """After `free` failures who asks waits, at most `longest` seconds."""

    free: int
    longest: float

    def wait(self, failures: int) -> float:
        """So many seconds after the last one."""
        over = failures - self.free
        return 0.0 if over < 0 else min(self.longest, 2.0 ** min(over, 20))


BOTH = Bound(free=5, longest=900)
ADDRESS = Bound(free=50, longest=300)
NAME = Bound(free=100, longest=30)


class Logins:
    """Who failed to log in, and how often."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def check(self, name: str, peer: str) -> None:
        """Raise TooManyFailures, with the seconds to wait, if this name or this address has failed too often."""
        bounds = dict(_subjects(name, peer))
        query = select(FAILURES, (Now() - FAILURES.c.last).label("age")).where(FAILURES.c.subject.in_(bounds))
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        seconds = max(
            (bounds[row.subject].wait(row.number) - row.age for row in rows if row.age < FORGOTTEN), default=0
        )
        if seconds > 0:
            raise TooManyFailures("Too many logins failed", f"Wait {seconds:.0f} seconds and try again", seconds)

    def failed(self, name: str, peer: str) -> None:
        """Count a failure."""
        with self._database.writing() as connection:
            connection.execute(delete(FAILURES).where(FAILURES.c.last < Now() - FORGOTTEN))
            added = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
            for subject in sorted(dict(_subjects(name, peer))):
                new = added(FAILURES).values(subject=subject, number=1, last=Now())
                more = {"number": FAILURES.c.number + 1, "last": Now()}
                connection.execute(new.on_conflict_do_update(index_elements=[FAILURES.c.subject], set_=more))

    def succeeded(self, name: str, peer: str) -> None:
        """Forget what failed for this name at this address; the other counts stay, for they may be somebody else's."""
        mine = FAILURES.c.subject == _digest("both", name, peer)
        with self._database.reading() as connection:
            if connection.scalar(select(FAILURES.c.number).where(mine)) is None:
                return
        with self._database.writing() as connection:
            connection.execute(delete(FAILURES).where(mine))


def _subjects(name: str, peer: str) -> Iterator[tuple[str, Bound]]:
    yield _digest("both", name, peer), BOTH
    yield _digest("address", peer), ADDRESS
    yield _digest("name", name), NAME


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()
