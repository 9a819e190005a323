"""Images as their owners see them: the tickets that aren't deleted, each with its file, in one statement however many.

An image's owner is that of its appliance, or if that is gone whoever it was made for.
"""

from __future__ import annotations

import functools
import hmac
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    String,
    bindparam,
    case,
    exists,
    func,
    literal,
    or_,
    select,
)

from blocks.catalog.database import Database, bounded, whole
from blocks.catalog.descriptions import new_key
from blocks.catalog.search import MOMENT, NUMBER, TEXT, TRUTH, Selector, find
from blocks.catalog.states import SHOWN, TICKET_COLUMNS, tell
from blocks.catalog.tables import LOCKS, RECORDS, TICKETS, USERS
from blocks.errors import NotFound
from blocks.model import Lock, Package, Recipe, Record, Search, Ticket
from blocks.model.search import Page
from blocks.model.target import TARGETS

_EVERY = Search()
_SIZE = func.coalesce(TICKETS.c.file_size, 0)
_PRIMITIVE = case({label: each.primitive for label, each in TARGETS.items()}, value=TICKETS.c.target, else_="")
_COMPLETE = TICKETS.c.state == "complete"
_ENDED_AT_LAST = or_(_COMPLETE, TICKETS.c.state == "error")
_PERCENT = case((_COMPLETE, 100), (TICKETS.c.percent > 99, 99), else_=TICKETS.c.percent)


def _flag(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """A condition as a value that can be compared and sorted on every database."""
    return case((condition, True), else_=False)


SELECTORS = {
    "dbId": Selector(TICKETS.c.id, NUMBER),
    "name": Selector(TICKETS.c.name, TEXT),
    "version": Selector(TICKETS.c.version, TEXT),
    "revision": Selector(TICKETS.c.revision, NUMBER),
    "created": Selector(TICKETS.c.created, MOMENT),
    "lastModified": Selector(TICKETS.c.changed, MOMENT),
    "compress": Selector(TICKETS.c.compress, TRUTH),
    "simulated": Selector(TICKETS.c.simulated, TRUTH),
    "size": Selector(_SIZE, NUMBER),
    "fileSize": Selector(_SIZE, NUMBER),
    "fileName": Selector(func.coalesce(TICKETS.c.file_name, ""), TEXT),
    "sha256sum": Selector(func.coalesce(TICKETS.c.file, ""), TEXT),
    "uploaded": Selector(_flag(TICKETS.c.file.is_not(None)), TRUTH),
    "imageCreated": Selector(_flag(TICKETS.c.file.is_not(None)), TRUTH),
    "format.name": Selector(_PRIMITIVE, TEXT),
    "targetFormat.name": Selector(TICKETS.c.target, TEXT),
    "targetFormat.format.name": Selector(_PRIMITIVE, TEXT),
    "status.complete": Selector(_flag(_ENDED_AT_LAST), TRUTH),
    "status.error": Selector(_flag(TICKETS.c.state == "error"), TRUTH),
    "status.cancelled": Selector(_flag(TICKETS.c.state == "cancelled"), TRUTH),
    "status.percentage": Selector(_PERCENT, NUMBER),
    "tag": Selector(literal("", String), TEXT),
}
"""What a query for images can ask for, by UForge's names."""

_FILE = (TICKETS.c.file, TICKETS.c.file_name, TICKETS.c.file_size)
_OWN = (TICKETS.c.owner, TICKETS.c.changed, TICKETS.c.download_key, TICKETS.c.recipe)
_ALL = select(*TICKET_COLUMNS, *_OWN, *_FILE).where(SHOWN)
_ONE = _ALL.where(
    TICKETS.c.id == bindparam("number", type_=BigInteger),
    TICKETS.c.appliance == bindparam("of", type_=BigInteger),
    TICKETS.c.owner == bindparam("owned"),
)


@dataclass(frozen=True)
class StoredFile:
    """An image's file in the store; `size` in bytes."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class ImageRow:
    """An image with all that a document needs of it.

    `changed` is when anything of it last did, `record` the attempt that its record was written by, `file` what the
    store has of it; both None until the ticket is complete. `download_key` is good for one download of the file.
    """

    ticket: Ticket
    owner: str
    changed: datetime
    download_key: str = field(repr=False)
    record: int | None
    file: StoredFile | None
    document: str = field(repr=False)

    @functools.cached_property
    def recipe(self) -> Recipe:
        """What it is made from."""
        return Recipe.parse_json(self.document, "stored recipe")


class Images:
    """What owners have had made and not deleted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, owner: str, appliance: int, number: int) -> ImageRow:
        """The image; raises NotFound, also if it is another owner's, another appliance's, or deleted."""
        wanted = {"number": bounded(number), "of": bounded(appliance), "owned": owner}
        with self._database.reading() as connection:
            found = connection.execute(_ONE, wanted).first()
        if found is None:
            raise NotFound(f"Appliance {appliance} of {owner} has no image {number}", "See the list of its images")
        return _image(found)

    def list(
        self,
        owner: str,
        appliance: int | None = None,
        numbers: Collection[int] | None = None,
        search: Search = _EVERY,
    ) -> Page[ImageRow]:
        """The owner's images (of the appliance, of these numbers) that match, oldest first unless told otherwise.

        Raises InvalidInput for a search that isn't allowed.
        """
        query = _ALL.where(TICKETS.c.owner == owner)
        if appliance is not None:
            query = query.where(TICKETS.c.appliance == whole(appliance))
        if numbers is not None:
            query = query.where(TICKETS.c.id.in_([whole(number) for number in sorted(set(numbers))]))
        with self._database.reading() as connection:
            found = find(connection, query, search, SELECTORS, TICKETS.c.id)
            return Page(tuple(map(_image, found.rows)), found.total)

    def numbers(self, owner: str, appliance: int) -> tuple[int, ...]:
        """The numbers of the owner's images of the appliance, oldest first."""
        query = select(TICKETS.c.id).where(SHOWN, TICKETS.c.owner == owner, TICKETS.c.appliance == whole(appliance))
        with self._database.reading() as connection:
            return tuple(connection.scalars(query.order_by(TICKETS.c.id)))

    def packages(self, number: int) -> tuple[Package, ...]:
        """The image's packages; none until they are resolved."""
        with self._database.reading() as connection:
            lock = connection.scalar(select(LOCKS.c.lock).where(LOCKS.c.ticket == whole(number)))
            if lock is not None:
                return Lock.parse_json(lock, "stored lock").packages
            record = connection.scalar(select(RECORDS.c.document).where(RECORDS.c.ticket == whole(number)))
        return () if record is None else Record.parse_json(record, "stored record").generation.lock.packages

    def by_key(self, number: int, key: str) -> bool:
        """Whether this is the image's present key, in a time that doesn't tell how much of it is right."""
        with self._database.reading() as connection:
            return _fits(_key(connection, number), key)

    def spend(self, number: int, key: str) -> bool:
        """Use the key up: the image has another one now. True only for one of all who spend it."""
        with self._database.writing() as connection:
            if not _fits(_key(connection, number), key):
                return False
            return tell(connection, number, SHOWN, TICKETS.c.download_key == key, download_key=new_key())


def _key(connection: Connection, number: int) -> str | None:
    """The image's key; none while its owner is not active."""
    active = exists().where(USERS.c.name == TICKETS.c.owner, USERS.c.active)
    query = select(TICKETS.c.download_key).where(TICKETS.c.id == whole(number), SHOWN, active)
    kept: str | None = connection.scalar(query)
    return kept


def _fits(kept: str | None, key: str) -> bool:
    """Whether it is the key that is kept; that of an image that isn't there fits nothing."""
    given = key.encode(errors="replace")
    return hmac.compare_digest((kept or "").encode(), given) and kept is not None


def _image(row: Row[Any]) -> ImageRow:
    ticket = Ticket.model_validate({name: getattr(row, name) for name in Ticket.model_fields})
    return ImageRow(
        ticket=ticket,
        owner=row.owner,
        changed=row.changed,
        download_key=row.download_key,
        record=ticket.attempt if ticket.state == "complete" else None,
        file=None if row.file is None else StoredFile(row.file_name, row.file_size, row.file),
        document=row.recipe,
    )
