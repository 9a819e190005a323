"""The organisations: each user belongs to one, and knows nothing of what belongs to the users of another.

An organisation is never removed, so a name that was checked stays right.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from blocks.catalog.clock import Now
from blocks.catalog.database import Database, insert_missing
from blocks.catalog.tables import ORGANIZATIONS
from blocks.errors import NotFound, Refused
from blocks.model import Words, grammar

DEFAULT = "default"
"""The organisation that exists from the beginning."""


class Organization(Words):
    """A tenant."""

    name: grammar.UserName
    created: datetime


class _NewOrganization(Words):
    name: grammar.UserName


class Organizations:
    """The tenants of the installation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str) -> Organization:
        """Make an organisation; raises InvalidInput for a bad name, Refused if it is taken."""
        values = {"name": _NewOrganization.parse({"name": name}, "organisation").name, "created": Now()}
        new = insert_missing
        with self._database.writing() as connection:
            added = connection.execute(new(connection, ORGANIZATIONS).values(values).returning(ORGANIZATIONS)).first()
        if added is None:
            raise Refused(f"An organisation named {name} exists already", "Choose another name, or use that one")
        return Organization(name=added.name, created=added.created)

    def list(self) -> list[Organization]:
        """Every organisation, sorted by name."""
        with self._database.reading() as connection:
            rows = connection.execute(select(ORGANIZATIONS).order_by(ORGANIZATIONS.c.name)).all()
        return [Organization(name=row.name, created=row.created) for row in rows]


def require_organization(connection: Connection, name: str) -> None:
    """Raise NotFound unless the organisation exists."""
    if connection.scalar(select(ORGANIZATIONS.c.name).where(ORGANIZATIONS.c.name == name)) is None:
        raise NotFound(
            f"There is no organisation named {name}",
            "`reforge organization list` shows all, `reforge organization add` makes one",
        )
