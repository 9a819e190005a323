"""The pairs of API keys: a request names the public key and is signed with the secret one, which is kept encrypted."""

from __future__ import annotations

import secrets
from typing import Any

from pydantic import Field, SecretStr
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from blocks.catalog.clock import Now
from blocks.catalog.database import Database, whole
from blocks.catalog.tables import API_KEYS
from blocks.catalog.users import require
from blocks.cipher import Cipher
from blocks.errors import NotFound, QuotaExceeded
from blocks.model import Words, grammar

LIMIT = 10
"""So many pairs a user may have."""


class ApiKey(Words):
    """A user's pair of keys."""

    id: int
    user: grammar.UserName
    name: str
    description: str
    public: str
    secret: SecretStr
    created: grammar.Moment
    changed: grammar.Moment


class _Told(Words):
    """What a user says of a pair."""

    name: str = Field(max_length=100, pattern=r"^\P{Cc}*$")
    description: str = Field(max_length=1000, pattern=r"^[\t\n\r\P{Cc}]*$")


class ApiKeys:
    """The pairs of all users."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._cipher = cipher

    def create(self, user: str, name: str = "", description: str = "") -> ApiKey:
        """Make a pair; raises UnknownUser, InvalidInput, and QuotaExceeded if the user has 10 already."""
        told = _told(name, description)
        secret = self._cipher.encrypt(SecretStr(secrets.token_urlsafe(40)))
        values = {**told, "user": user, "public": secrets.token_urlsafe(20), "secret": secret}
        new = insert(API_KEYS).values(**values, created=Now(), changed=Now()).returning(API_KEYS)
        with self._database.writing() as connection:
            require(connection, user)
            if _count(connection, user) >= LIMIT:
                raise QuotaExceeded(f"The user {user} has {LIMIT} API keys already", "Delete one that is not needed")
            return self._pair(connection.execute(new).one())

    def list(self, user: str) -> list[ApiKey]:
        """The user's pairs, oldest first."""
        query = select(API_KEYS).where(API_KEYS.c.user == user).order_by(API_KEYS.c.id)
        with self._database.reading() as connection:
            return [self._pair(row) for row in connection.execute(query)]

    def get(self, user: str, number: int) -> ApiKey:
        """The user's pair; raises NotFound."""
        with self._database.reading() as connection:
            found = connection.execute(select(API_KEYS).where(*_one(user, number))).first()
        return self._pair(_found(user, number, found))

    def update(self, user: str, number: int, name: str, description: str) -> ApiKey:
        """Say something else of a pair, whose keys stay; raises NotFound, InvalidInput."""
        change = update(API_KEYS).where(*_one(user, number)).values(**_told(name, description), changed=Now())
        with self._database.writing() as connection:
            found = connection.execute(change.returning(API_KEYS)).first()
        return self._pair(_found(user, number, found))

    def delete(self, user: str, number: int) -> None:
        """Remove a pair: what is signed with it is refused from now on; raises NotFound."""
        with self._database.writing() as connection:
            gone = connection.execute(delete(API_KEYS).where(*_one(user, number)).returning(API_KEYS)).first()
        _found(user, number, gone)

    def find(self, public: str) -> ApiKey | None:
        """The pair of that public key; raises MachineUnfit if its secret is encrypted with another key than ours."""
        if not public.isascii() or not public.isprintable():
            return None
        with self._database.reading() as connection:
            found = connection.execute(select(API_KEYS).where(API_KEYS.c.public == public)).first()
        return None if found is None else self._pair(found)

    def _pair(self, row: Row[Any]) -> ApiKey:
        return ApiKey.model_validate({**row._mapping, "secret": self._cipher.decrypt(row.secret)})  # noqa: SLF001 - public


def _told(name: str, description: str) -> dict[str, str]:
    return _Told.parse({"name": name, "description": description}, "the API key").model_dump()


def _count(connection: Connection, user: str) -> int:
    return int(connection.scalar(select(func.count()).where(API_KEYS.c.user == user)) or 0)


def _one(user: str, number: int) -> tuple[Any, ...]:
    return API_KEYS.c.user == user, API_KEYS.c.id == whole(number)


def _found(user: str, number: int, row: Row[Any] | None) -> Row[Any]:
    if row is None:
        raise NotFound(f"The user {user} has no API key {number}", "See the list of its keys")
    return row
