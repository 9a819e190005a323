"""Users: who there is, what they may do, and their passwords, which are read from standard input alone."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from blocks.errors import InvalidInput
from deployments.command_line.home import opened
from deployments.command_line.output import PLAIN, Output, fields, table

if TYPE_CHECKING:
    from pydantic import SecretStr

    from blocks.catalog import Account

user = App(name="user", help="Who may use this installation.")
_STANDARD = ("image_generate", "appliance_create")
_LINE_LIMIT = 4096


@user.command
def add(
    name: str,
    /,
    *,
    password_stdin: Annotated[bool, Parameter(negative=())] = False,
    entitlement: tuple[str, ...] = _STANDARD,
    output: Output = PLAIN,
) -> None:
    """Add a user.

    Args:
        name: The new user's name.
        password_stdin: Read the user's password from the first line of standard input; without it there is none.
        entitlement: What the user may do; can be given several times.
    """
    password = _password() if password_stdin else None
    with opened() as ports:
        account = _document(ports.catalog.users.add(name, entitlement, password))
    output.show(account, fields(**account))


@user.command(name="list")
def list_(*, output: Output = PLAIN) -> None:
    """List the users, by name."""
    with opened() as ports:
        found = [_document(account) for account in ports.catalog.users.list()]
    rows = [(row["name"], row["active"], row["has_password"], row["entitlements"]) for row in found]
    output.show(found, table("name", "active", "password", "entitlements", rows=rows))


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
        account = _document(ports.catalog.users.get(name))
    output.show(account, fields(**account))


def _password() -> SecretStr:
    from pydantic import SecretStr  # noqa: PLC0415 - heavy

    try:
        line = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline(_LINE_LIMIT)
        line.encode()
    except UnicodeError:
        raise InvalidInput("The password is not valid text", "Give it in the encoding of your terminal") from None
    return SecretStr(line.rstrip("\r\n"))


def _document(account: Account) -> dict[str, Any]:
    return account.document() | {"entitlements": sorted(account.entitlements)}
