"""The users: who may do what. Passwords are kept as argon2id hashes and never leave this module."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal, get_args

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import SecretStr
from sqlalchemy import Connection, Row, select, update

from blocks.catalog.clock import Now
from blocks.catalog.database import Database, insert_missing
from blocks.catalog.tables import APPLIANCES, USERS
from blocks.errors import (
    ForeignAppliance,
    InactiveUser,
    InvalidInput,
    MissingEntitlement,
    NotFound,
    Refused,
    UnknownUser,
)
from blocks.model import Words, canonical, grammar

Entitlement = Literal["image_generate", "appliance_create", "image_publish", "api_key_access"]
ENTITLEMENTS: tuple[str, ...] = get_args(Entitlement)

_HASHER = PasswordHasher()


class Account(Words):
    """A user as others may see it; the password hash stays in the catalog."""

    name: grammar.UserName
    has_password: bool
    active: bool
    entitlements: frozenset[Entitlement]
    created: datetime


class _NewUser(Words):
    name: grammar.UserName


class Users:
    """Accounts, their passwords and what they are entitled to."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, name: str, entitlements: Iterable[str] = (), password: SecretStr | None = None, *, active: bool = True
    ) -> Account:
        """Make an account; raises InvalidInput for a bad name or entitlement, Refused if the name is taken."""
        values = {
            "name": _NewUser.parse({"name": name}, "user").name,
            "entitlements": _document(entitlements),
            "password_hash": None if password is None else _hash(password),
            "active": active,
            "created": Now(),
        }
        with self._database.writing() as connection:
            added = connection.execute(insert_missing(connection, USERS).values(values).returning(USERS.c.name)).first()
            if added is None:
                raise Refused(f"A user named {name} exists already", "Choose another name, or change that user")
            return _account(_row(connection, name))

    def get(self, name: str) -> Account:
        """The account; raises UnknownUser."""
        with self._database.reading() as connection:
            return _account(_row(connection, name))

    def list(self) -> list[Account]:
        """Every account, sorted by name."""
        with self._database.reading() as connection:
            rows = connection.execute(select(USERS).order_by(USERS.c.name)).all()
        return [_account(row) for row in rows]

    def set_password(self, name: str, password: SecretStr) -> None:
        """Replace the password; raises UnknownUser, InvalidInput for an empty one."""
        self._change(name, password_hash=_hash(password))

    def set_active(self, name: str, *, active: bool) -> None:
        """Let the user in or keep it out; raises UnknownUser."""
        self._change(name, active=active)

    def set_entitlements(self, name: str, entitlements: Iterable[str]) -> None:
        """Replace what the user is entitled to; raises UnknownUser, InvalidInput."""
        self._change(name, entitlements=_document(entitlements))

    def verify(self, name: str, password: SecretStr) -> bool:
        """Whether this is the user's password. Takes as long for a user that doesn't exist or has none."""
        with self._database.reading() as connection:
            stored = connection.scalar(select(USERS.c.password_hash).where(USERS.c.name == name))
        if stored is None:
            _HASHER.hash(password.get_secret_value())
            return False
        try:
            return _HASHER.verify(stored, password.get_secret_value())
        except (VerificationError, InvalidHashError):
            return False

    def authorise(self, name: str, entitlement: Entitlement, appliance: int | None = None) -> Account:
        """The account, if it may do this (and on this appliance).

        Raises UnknownUser, InactiveUser, MissingEntitlement, NotFound (no such appliance) or ForeignAppliance.
        """
        with self._database.reading() as connection:
            account = _account(_row(connection, name))
            owner = connection.scalar(select(APPLIANCES.c.user).where(APPLIANCES.c.id == appliance))
        _check(account, entitlement)
        if appliance is not None:
            _check_owner(account, appliance, owner)
        return account

    def _change(self, name: str, **values: Any) -> None:
        with self._database.writing() as connection:
            _row(connection, name)
            connection.execute(update(USERS).where(USERS.c.name == name).values(**values))


def require(connection: Connection, name: str) -> None:
    """Raise UnknownUser unless the user exists."""
    _row(connection, name)


def _row(connection: Connection, name: str) -> Row[Any]:
    row = connection.execute(select(USERS).where(USERS.c.name == name)).first()
    if row is None:
        raise UnknownUser(
            f"There is no user named {name}", "`reforge user list` shows all, `reforge user add` makes one"
        )
    return row


def _account(row: Row[Any]) -> Account:
    return Account(
        name=row.name,
        has_password=row.password_hash is not None,
        active=row.active,
        entitlements=frozenset(json.loads(row.entitlements)),
        created=row.created,
    )


def _check(account: Account, entitlement: Entitlement) -> None:
    if not account.active:
        raise InactiveUser(f"The user {account.name} is not active", "An operator can activate the account")
    if entitlement not in account.entitlements:
        raise MissingEntitlement(
            f"The user {account.name} lacks the entitlement {entitlement}", "An operator can grant it"
        )


def _check_owner(account: Account, appliance: int, owner: str | None) -> None:
    if owner is None:
        raise NotFound(f"There is no appliance {appliance}", "`reforge appliance list` shows those that exist")
    if owner != account.name:
        raise ForeignAppliance(
            f"Appliance {appliance} doesn't belong to {account.name}", "Name one of the user's own appliances"
        )


def _document(entitlements: Iterable[str]) -> str:
    wanted = sorted(set(entitlements))
    unknown = [name for name in wanted if name not in ENTITLEMENTS]
    if unknown:
        raise InvalidInput(f"No such entitlement: {', '.join(unknown)}", f"There are: {', '.join(ENTITLEMENTS)}")
    return canonical(wanted).decode()


def _hash(password: SecretStr) -> str:
    if not password.get_secret_value():
        raise InvalidInput("The password is empty", "Give one with at least one character")
    return _HASHER.hash(password.get_secret_value())
