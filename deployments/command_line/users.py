"""Users: who there is, what they may do, and their passwords, which are read from standard input alone."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from blocks.errors import InvalidInput
from blocks.model.role import Entitlement, RoleName
from deployments.command_line.home import opened
from deployments.command_line.output import PLAIN, Output, fields, table

if TYPE_CHECKING:
    from pydantic import SecretStr

    from blocks.catalog import Account

user = App(name="user", help="Who may use this installation.")
_STANDARD: tuple[Entitlement, ...] = ("image_generate", "appliance_create")
_COLUMNS = ("name", "organization", "active", "has_password", "roles", "entitlements")
_LINE_LIMIT = 4096


@user.command
def add(
    name: str,
    /,
    *,
    password_stdin: Annotated[bool, Parameter(negative=())] = False,
    entitlement: tuple[Entitlement, ...] | None = None,
    role: tuple[RoleName, ...] = (),
    organization: str = "default",
    output: Output = PLAIN,
) -> None:
    """Add a user; with neither role nor entitlement it may own appliances and have images made of them.

    Args:
        name: The new user's name.
        password_stdin: Read the user's password from the first line of standard input; without it there is none.
        entitlement: What the user may do beside what its roles allow; can be given several times.
        role: A named set of entitlements; can be given several times. An administrator may act for the other users of
            its organisation, a platform_administrator for those of all.
        organization: The organisation that the user belongs to; what belongs to another doesn't exist for it.
    """
    password = _password() if password_stdin else None
    granted = (() if role else _STANDARD) if entitlement is None else entitlement
    with opened() as ports:
        made = ports.catalog.users.add(name, granted, password, roles=role, organization=organization)
    _show(made, output)


@user.command
def change(
    name: str,
    /,
    *,
    entitlement: tuple[Entitlement, ...] | None = None,
    role: tuple[RoleName, ...] | None = None,
    organization: str | None = None,
    active: bool | None = None,
    output: Output = PLAIN,
) -> None:
    """Change what a user may do; what isn't given stays.

    Args:
        name: The user's name.
        entitlement: What the user may do beside what its roles allow, instead of what was granted before.
        role: Its roles, instead of those it had.
        organization: The organisation that it moves to, with its appliances and images.
        active: Whether it may do anything at all.
    """
    with opened() as ports:
        changed = ports.catalog.users.change(
            name, entitlements=entitlement, roles=role, organization=organization, active=active
        )
    _show(changed, output)


@user.command(name="list")
def list_(organization: str | None = None, /, *, output: Output = PLAIN) -> None:
    """List the users, by name.

    Args:
        organization: Only those of this organisation.
    """
    with opened() as ports:
        found = [_document(account) for account in ports.catalog.users.list(organization)]
    output.show(found, table(*_COLUMNS, rows=[[row[column] for column in _COLUMNS] for row in found]))


@user.command
def password(name: str, /, *, password_stdin: Annotated[bool, Parameter(negative=())], output: Output = PLAIN) -> None:
    """Change a user's password.

    Args:
        name: The user's name.
        password_stdin: Read the new password from the first line of standard input: there is no other way.
    """
    del password_stdin
    with opened() as ports:
        ports.catalog.users.get(name)
        ports.catalog.users.set_password(name, _password())
        changed = ports.catalog.users.get(name)
    _show(changed, output)


def _password() -> SecretStr:
    from pydantic import SecretStr  # noqa: PLC0415 - heavy

    try:
        line = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline(_LINE_LIMIT)
        line.encode()
    except UnicodeError:
        raise InvalidInput("The password is not valid text", "Give it in the encoding of your terminal") from None
    return SecretStr(line.rstrip("\r\n"))


def _show(account: Account, output: Output) -> None:
    """`{"name", "has_password", "active", "entitlements", "created", "organization", "roles", "granted"}`."""
    document = _document(account)
    output.show(document, fields(**document))


def _document(account: Account) -> dict[str, Any]:
    sets = {"entitlements": sorted(account.entitlements), "granted": sorted(account.granted)}
    return account.document() | sets
