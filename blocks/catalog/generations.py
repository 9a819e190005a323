"""The generations that succeeded: what counts against the quota of that name, one by one."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, func, select

from blocks.catalog.database import Database
from blocks.catalog.search import MOMENT, NUMBER, TEXT, Selector, find
from blocks.catalog.tables import GENERATIONS, TICKETS
from blocks.model import Search, Words, grammar
from blocks.model.search import Page
from blocks.model.target import TargetName

_ALL = Search()

SELECTORS = {
    "dbId": Selector(GENERATIONS.c.ticket, NUMBER),
    "date": Selector(GENERATIONS.c.finished, MOMENT),
    "created": Selector(GENERATIONS.c.finished, MOMENT),
    "objectId": Selector(GENERATIONS.c.ticket, NUMBER),
    "objectName": Selector(TICKETS.c.name, TEXT),
    "fromObjectId": Selector(TICKETS.c.appliance, NUMBER),
    "fromObjectName": Selector(TICKETS.c.name, TEXT),
    "formatName": Selector(TICKETS.c.target, TEXT),
    "diskSize": Selector(func.coalesce(TICKETS.c.file_size, 0), NUMBER),
}
"""What a query for them can ask for, by UForge's names."""


class Success(Words):
    """A generation that succeeded: its ticket, also of a deleted image, and what was made of which appliance.

    `name` and `version` are the appliance's of that time, `size` is in bytes.
    """

    ticket: int
    user: grammar.UserName
    appliance: int
    name: str
    version: str
    target: TargetName
    size: int
    finished: grammar.Moment


class Generations:
    """Every generation that counts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, user: str, search: Search = _ALL) -> Page[Success]:
        """The user's that match, oldest first unless told otherwise; raises InvalidInput."""
        made = GENERATIONS.join(TICKETS, TICKETS.c.id == GENERATIONS.c.ticket)
        columns = (TICKETS.c.appliance, TICKETS.c.name, TICKETS.c.version, TICKETS.c.target)
        size = func.coalesce(TICKETS.c.file_size, 0).label("size")
        query = select(GENERATIONS, *columns, size).select_from(made)
        with self._database.reading() as connection:
            found = find(connection, query.where(GENERATIONS.c.user == user), search, SELECTORS, GENERATIONS.c.ticket)
        return Page(tuple(map(_success, found.rows)), found.total)


def _success(row: Row[Any]) -> Success:
    return Success.model_validate({name: getattr(row, name) for name in Success.model_fields})
