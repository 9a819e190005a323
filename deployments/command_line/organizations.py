"""Organisations: the tenants that users belong to."""

from __future__ import annotations

from cyclopts import App

from deployments.command_line.home import opened
from deployments.command_line.output import PLAIN, Output, fields, table

organization = App(name="organization", help="The tenants of this installation.")


@organization.command
def add(name: str, /, *, output: Output = PLAIN) -> None:
    """Add an organisation: `{"name", "created"}`.

    Args:
        name: Its name; `reforge user add --organization` puts a user into it.
    """
    with opened() as ports:
        document = ports.catalog.organizations.add(name).document()
    output.show(document, fields(**document))


@organization.command(name="list")
def list_(*, output: Output = PLAIN) -> None:
    """List the organisations, by name; there is always one named default."""
    with opened() as ports:
        found = [each.document() for each in ports.catalog.organizations.list()]
    output.show(found, table("name", "created", rows=[row.values() for row in found]))
