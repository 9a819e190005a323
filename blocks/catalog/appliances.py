"""The appliances: one for each user, name and version; a change raises its revision."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, String, case, delete, func, literal, select, update
from sqlalchemy.exc import IntegrityError

from blocks.catalog.clock import Now
from blocks.catalog.database import Database, insert_missing, whole
from blocks.catalog.descriptions import ARCHITECTURES, columns
from blocks.catalog.quotas import check_appliance
from blocks.catalog.search import MOMENT, NUMBER, TEXT, Selector, find
from blocks.catalog.tables import APPLIANCES, TICKETS
from blocks.catalog.users import require
from blocks.errors import Contradiction, NotFound, Refused
from blocks.model import Appliance, Search, Words, grammar
from blocks.model.search import Page

SELECTORS = {
    "dbId": Selector(APPLIANCES.c.id, NUMBER),
    "name": Selector(APPLIANCES.c.name, TEXT),
    "version": Selector(APPLIANCES.c.version, TEXT),
    "revision": Selector(APPLIANCES.c.revision, NUMBER),
    "created": Selector(APPLIANCES.c.created, MOMENT),
    "lastModified": Selector(APPLIANCES.c.changed, MOMENT),
    "archName": Selector(case(ARCHITECTURES, value=APPLIANCES.c.architecture, else_=""), TEXT),
    "distributionName": Selector(func.coalesce(APPLIANCES.c.distribution, ""), TEXT),
    "tag": Selector(literal("", String), TEXT),
}
"""What a query for appliances can ask for, by UForge's names."""


class StoredAppliance(Words):
    """An appliance with its id and owner, and when it was made and last changed."""

    id: int
    user: grammar.UserName
    appliance: Appliance
    created: grammar.Moment
    changed: grammar.Moment


class Appliances:
    """What users own; image tickets outlive it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, user: str, appliance: Appliance) -> int:
        """Import an appliance, returns its id. One of the same name and version is replaced.

        Raises UnknownUser, QuotaExceeded.
        """
        with self._database.writing() as connection:
            require(connection, user)
            new = insert_missing(connection, APPLIANCES).values(user=user, **_new(appliance))
            added = connection.execute(new.returning(APPLIANCES.c.id)).first()
            if added is not None:
                check_appliance(connection, user)
                return int(added.id)
            same = (APPLIANCES.c.user == user, APPLIANCES.c.name == appliance.name)
            query = select(APPLIANCES).where(*same, APPLIANCES.c.version == appliance.version)
            return _replace(connection, connection.execute(query.with_for_update()).one(), appliance).id

    def restore(self, number: int, user: str, appliance: Appliance) -> StoredAppliance:
        """Make an appliance again with its id, the owner of its images; no quota is asked.

        Raises UnknownUser, Contradiction if the id is taken, Refused if the user has another of that name and version.
        """
        with self._database.writing() as connection:
            require(connection, user)
            values = {"id": number, "user": user, **_new(appliance)}
            new = insert_missing(connection, APPLIANCES).values(values).returning(APPLIANCES.c.id)
            if connection.execute(new).first() is not None:
                _own(connection, number, user)
                return _stored(_row(connection, number))
            if connection.scalar(select(APPLIANCES.c.id).where(APPLIANCES.c.id == number)) is not None:
                raise Contradiction(f"There is an appliance {number} already", "Restore into an empty catalog")
            raise _another(appliance)

    def get(self, appliance: int) -> StoredAppliance:
        """The appliance; raises NotFound."""
        with self._database.reading() as connection:
            return _stored(_row(connection, appliance))

    def list(self, user: str | None = None) -> list[StoredAppliance]:
        """Every appliance (of the user), oldest first."""
        query = select(APPLIANCES).order_by(APPLIANCES.c.id)
        if user is not None:
            query = query.where(APPLIANCES.c.user == user)
        with self._database.reading() as connection:
            return [_stored(row) for row in connection.execute(query)]

    def search(self, user: str, search: Search) -> Page[StoredAppliance]:
        """Those of the user's appliances that match, oldest first unless told otherwise; raises InvalidInput."""
        query = select(APPLIANCES).where(APPLIANCES.c.user == user)
        with self._database.reading() as connection:
            found = find(connection, query, search, SELECTORS, APPLIANCES.c.id)
            return Page(tuple(_stored(row) for row in found.rows), found.total)

    def replace(self, number: int, appliance: Appliance) -> StoredAppliance:
        """Change the appliance; raises NotFound, Refused if the user has another of that name and version."""
        try:
            with self._database.writing() as connection:
                return _replace(connection, _row(connection, number), appliance)
        except IntegrityError:
            raise _another(appliance) from None

    def delete(self, appliance: int) -> None:
        """Remove the appliance and none of its images, each of which is then its user's; raises NotFound."""
        with self._database.writing() as connection:
            _row(connection, appliance)
            connection.execute(delete(APPLIANCES).where(APPLIANCES.c.id == appliance))
            _own(connection, appliance, TICKETS.c.user)


def _another(appliance: Appliance) -> Refused:
    return Refused(f"There is another appliance {appliance.name} {appliance.version}", "Choose another name or version")


def _replace(connection: Connection, row: Row[Any], appliance: Appliance) -> StoredAppliance:
    before = _stored(row)
    after = appliance.model_copy(update={"revision": before.appliance.revision})
    if after == before.appliance:
        return before
    after = after.model_copy(update={"revision": after.revision + 1})
    change = update(APPLIANCES).where(APPLIANCES.c.id == before.id).values(changed=Now(), **columns(after))
    return _stored(connection.execute(change.returning(APPLIANCES)).one())


def _row(connection: Connection, appliance: int) -> Row[Any]:
    row = connection.execute(select(APPLIANCES).where(APPLIANCES.c.id == whole(appliance)).with_for_update()).first()
    if row is None:
        raise NotFound(f"There is no appliance {appliance}", "`reforge appliance list` shows those that exist")
    return row


def _stored(row: Row[Any]) -> StoredAppliance:
    appliance = Appliance.parse_json(row.document, "stored appliance")
    return StoredAppliance(id=row.id, user=row.user, appliance=appliance, created=row.created, changed=row.changed)


def _new(appliance: Appliance) -> dict[str, Any]:
    return {**columns(appliance), "created": Now(), "changed": Now()}


def _own(connection: Connection, appliance: int, owner: str | ColumnElement[str]) -> None:
    """Have the appliance's images belong to the owner."""
    change = update(TICKETS).where(TICKETS.c.appliance == appliance, TICKETS.c.owner != owner)
    connection.execute(change.values(owner=owner, changed=Now()))
