"""The census: how many tickets there are in each state, and how long stages took, for whoever watches over it all."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from blocks.catalog.database import Database
from blocks.catalog.tables import OUTPUTS, TICKETS


@dataclass(frozen=True)
class Took:
    """How often a stage made something, and how many seconds that took in all."""

    times: int
    seconds: float


class Census:
    """Counts, each of one statement."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def states(self) -> dict[str, int]:
        """How many tickets are in each state; a state without any isn't named."""
        query = select(TICKETS.c.state, func.count()).group_by(TICKETS.c.state)
        with self._database.reading() as connection:
            return {row[0]: int(row[1]) for row in connection.execute(query)}

    def stages(self) -> dict[str, Took]:
        """What each stage took, of all that was made and not taken from what is kept."""
        query = select(OUTPUTS.c.stage, func.count(), func.sum(OUTPUTS.c.seconds)).group_by(OUTPUTS.c.stage)
        with self._database.reading() as connection:
            return {row[0]: Took(int(row[1]), float(row[2])) for row in connection.execute(query)}
