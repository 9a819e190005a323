"""The users: who may do what. Passwords are kept as argon2id hashes and never leave this module."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import SecretStr
from sqlalchemy import Connection, Row, select, update

from blocks.catalog.clock import Now
from blocks.catalog.database import Database, insert_missing, whole
from blocks.catalog.organizations import DEFAULT, require_organization
from blocks.catalog.tables import APPLIANCES, ORGANIZATIONS, USERS
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
from blocks.model.role import ENTITLEMENTS, ROLES, Entitlement, RoleName, united

_HASHER = PasswordHasher()


class Account(Words):
    """A user as others may see it; the password hash stays in the catalog.

    `entitlements` is all that the user may do: what was `granted` to it, and what its roles entitle to.
    """

    name: grammar.UserName
    has_password: bool
    active: bool
    entitlements: frozenset[Entitlement]
    created: datetime
    organization: grammar.UserName
    roles: tuple[RoleName, ...]
    granted: frozenset[Entitlement]

    @property
    def everywhere(self) -> bool:
        """Whether every organisation is there for this user."""
        return "platform_administrator" in self.roles

    def sees(self, organization: str) -> bool:
        """Whether what belongs to users of that organisation exists for this one."""
        return self.everywhere or organization == self.organization

    def supervises(self, organization: str) -> bool:
        """Whether it may act for the users of that organisation."""
        return self.sees(organization) and "supervisor_access" in self.entitlements


class _NewUser(Words):
    name: grammar.UserName


class Users:
    """Accounts, their passwords and what they are entitled to."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        name: str,
        entitlements: Iterable[str] = (),
        password: SecretStr | None = None,
        *,
        active: bool = True,
        roles: Iterable[str] = (),
        organization: str = DEFAULT,
    ) -> Account:
        """Make an account.

        Raises InvalidInput for a bad name, entitlement or role, Refused if the name is taken, NotFound (organisation).
        """
        values = {
            "name": _NewUser.parse({"name": name}, "user").name,
            "entitlements": _document("entitlement", entitlements, ENTITLEMENTS),
            "password_hash": None if password is None else _hash(password),
            "active": active,
            "created": Now(),
            "organization": organization,
            "roles": _document("role", roles, ROLES),
        }
        with self._database.writing() as connection:
            require_organization(connection, organization)
            added = connection.execute(insert_missing(connection, USERS).values(values).returning(USERS.c.name)).first()
            if added is None:
                raise Refused(f"A user named {name} exists already", "Choose another name, or change that user")
            return _account(_row(connection, name))

    def restore(self, name: str, organization: str = DEFAULT) -> Account:
        """The account, made again inactive and without password or right unless there is one; its organisation too."""
        values = {
            "name": _NewUser.parse({"name": name}, "user").name,
            "entitlements": "[]",
            "roles": "[]",
            "active": False,
            "created": Now(),
            "organization": organization,
        }
        with self._database.writing() as connection:
            tenant = {"name": organization, "created": Now()}
            connection.execute(insert_missing(connection, ORGANIZATIONS).values(tenant))
            connection.execute(insert_missing(connection, USERS).values(values))
            return _account(_row(connection, name))

    def get(self, name: str) -> Account:
        """The account; raises UnknownUser."""
        with self._database.reading() as connection:
            return _account(_row(connection, name))

    def list(self, organization: str | None = None) -> list[Account]:
        """Every account (of the organisation), sorted by name."""
        query = select(USERS).order_by(USERS.c.name)
        if organization is not None:
            query = query.where(USERS.c.organization == organization)
        with self._database.reading() as connection:
            return [_account(row) for row in connection.execute(query)]

    def set_password(self, name: str, password: SecretStr) -> None:
        """Replace the password; raises UnknownUser, InvalidInput for an empty one."""
        self._change(name, password_hash=_hash(password))

    def set_active(self, name: str, *, active: bool) -> None:
        """Let the user in or keep it out; raises UnknownUser."""
        self.change(name, active=active)

    def set_entitlements(self, name: str, entitlements: Iterable[str]) -> None:
        """Replace what the user is granted; raises UnknownUser, InvalidInput."""
        self.change(name, entitlements=entitlements)

    def change(
        self,
        name: str,
        *,
        entitlements: Iterable[str] | None = None,
        roles: Iterable[str] | None = None,
        organization: str | None = None,
        active: bool | None = None,
    ) -> Account:
        """Replace what is given and leave the rest; appliances and images go with the user to another organisation.

        Raises UnknownUser, InvalidInput, NotFound (no such organisation).
        """
        values = {
            "entitlements": None if entitlements is None else _document("entitlement", entitlements, ENTITLEMENTS),
            "roles": None if roles is None else _document("role", roles, ROLES),
            "organization": organization,
            "active": active,
        }
        return self._change(name, **{column: value for column, value in values.items() if value is not None})

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

    def login(self, name: str) -> tuple[Account, str] | None:
        """An account that has a password, with what changes whenever that does, and tells nothing else; None else."""
        with self._database.reading() as connection:
            row = connection.execute(select(USERS).where(USERS.c.name == name)).first()
        if row is None or row.password_hash is None:
            return None
        return _account(row), hashlib.sha256(row.password_hash.encode()).hexdigest()

    def authorise(self, name: str, entitlement: Entitlement, appliance: int | None = None) -> Account:
        """The account, if it may do this (and on this appliance: its own, or that of a user it may act for).

        Raises UnknownUser, InactiveUser, MissingEntitlement, NotFound (no such appliance, or one of an organisation
        that the user doesn't see) or ForeignAppliance.
        """
        with self._database.reading() as connection:
            account = _account(_row(connection, name))
            owner = None if appliance is None else _owner(connection, appliance)
        _check(account, entitlement)
        if appliance is not None:
            _check_owner(account, appliance, owner)
        return account

    def supervise(self, name: str, other: str) -> Account:
        """The other's account, if this user may act for it; raises UnknownUser, InactiveUser, MissingEntitlement.

        Nobody comes to other organisations by acting for a user who sees them.
        """
        with self._database.reading() as connection:
            account, target = _account(_row(connection, name)), _account(_row(connection, other))
        if not account.sees(target.organization):
            raise _unknown(other)
        _check(account, "supervisor_access")
        if target.everywhere and not account.everywhere:
            raise MissingEntitlement(f"{name} may not act for {other}, who may do more", "Ask a platform administrator")
        return target

    def _change(self, name: str, **values: Any) -> Account:
        with self._database.writing() as connection:
            if "organization" in values:
                require_organization(connection, values["organization"])
            require(connection, name)
            if values:
                connection.execute(update(USERS).where(USERS.c.name == name).values(**values))
            return _account(_row(connection, name))


def require(connection: Connection, name: str) -> None:
    """Raise UnknownUser unless the user exists; when writing, whoever counts what is the user's waits for the others.

    A transaction that locks tickets as well does this first.
    """
    _row(connection, name, lock=bool(connection.get_execution_options().get("writing")))


def _row(connection: Connection, name: str, *, lock: bool = False) -> Row[Any]:
    query = select(USERS).where(USERS.c.name == name)
    row = connection.execute(query.with_for_update(key_share=True) if lock else query).first()
    if row is None:
        raise _unknown(name)
    return row


def _unknown(name: str) -> UnknownUser:
    return UnknownUser(f"There is no user named {name}", "`reforge user list` shows all, `reforge user add` makes one")


def _owner(connection: Connection, appliance: int) -> Row[tuple[str, str]] | None:
    owners = APPLIANCES.join(USERS, USERS.c.name == APPLIANCES.c.user)
    query = select(USERS.c.name, USERS.c.organization).select_from(owners).where(APPLIANCES.c.id == whole(appliance))
    return connection.execute(query).first()


def _account(row: Row[Any]) -> Account:
    granted, roles = frozenset(json.loads(row.entitlements)), tuple(json.loads(row.roles))
    return Account(
        name=row.name,
        has_password=row.password_hash is not None,
        active=row.active,
        entitlements=granted | united(roles),
        created=row.created,
        organization=row.organization,
        roles=roles,
        granted=granted,
    )


def _check(account: Account, entitlement: Entitlement) -> None:
    if not account.active:
        raise InactiveUser(
            f"The user {account.name} is not active",
            f"An operator can let it in: `reforge user change {account.name} --active`",
        )
    if entitlement not in account.entitlements:
        raise MissingEntitlement(
            f"The user {account.name} lacks the entitlement {entitlement}",
            "An operator can grant it, or give a role that has it: `reforge user change`",
        )


def _check_owner(account: Account, appliance: int, owner: Row[tuple[str, str]] | None) -> None:
    if owner is None or not account.sees(owner.organization):
        raise NotFound(f"There is no appliance {appliance}", "`reforge appliance list` shows those that exist")
    if owner.name != account.name and not account.supervises(owner.organization):
        raise ForeignAppliance(
            f"Appliance {appliance} doesn't belong to {account.name}", "Name one of the user's own appliances"
        )


def _document(what: str, names: Iterable[str], known: Iterable[str]) -> str:
    wanted = sorted(set(names))
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise InvalidInput(f"No such {what}: {', '.join(unknown)}", f"There are: {', '.join(known)}")
    return canonical(wanted).decode()


def _hash(password: SecretStr) -> str:
    if not password.get_secret_value():
        raise InvalidInput("The password is empty", "Give one with at least one character")
    return _HASHER.hash(password.get_secret_value())
