"""API keys: pairs of a public and a secret key, with which a user's programs sign what they ask of the HTTP gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cyclopts import App

from deployments.command_line.home import Number, opened
from deployments.command_line.output import PLAIN, Output, fields, table

if TYPE_CHECKING:
    from blocks.catalog.keys import ApiKey

key = App(name="key", help="The API keys with which programs sign what they ask of the HTTP gateway.")
_COLUMNS = ("id", "user", "name", "description", "public", "created")


@key.command
def add(user: str, /, *, name: str = "", description: str = "", output: Output = PLAIN) -> None:
    """Make a user a pair of keys, and show the secret one: this once and never again.

    Args:
        user: Whose keys they are.
        name: What to call the pair.
        description: What it is for.
    """
    with opened() as ports:
        made = ports.catalog.keys.create(user, name, description)
    document = {**_document(made), "secret": made.secret.get_secret_value()}
    output.show(document, fields(**document))


@key.command(name="list")
def list_(user: str, /, *, output: Output = PLAIN) -> None:
    """List a user's pairs of keys, oldest first, without the secret ones.

    Args:
        user: Whose keys they are.
    """
    with opened() as ports:
        ports.catalog.users.get(user)
        found = [_document(each) for each in ports.catalog.keys.list(user)]
    output.show(found, table(*_COLUMNS, rows=[[row[column] for column in _COLUMNS] for row in found]))


@key.command
def delete(user: str, number: Number, /, *, output: Output = PLAIN) -> None:
    """Delete a pair of keys: from now on nothing that is signed with it is taken.

    Args:
        user: Whose keys they are.
        number: The pair's number, as `reforge key list` shows it.
    """
    with opened() as ports:
        ports.catalog.keys.delete(user, number)
    document = {"id": number, "user": user, "deleted": True}
    output.show(document, fields(**document))


def _document(made: ApiKey) -> dict[str, Any]:
    """`{"id", "user", "name", "description", "public", "created"}`."""
    document = made.document()
    return {name: document[name] for name in _COLUMNS}
