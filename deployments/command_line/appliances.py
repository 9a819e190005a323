"""Appliances: the templates that users own, imported from and exported to YAML."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import yaml
from cyclopts import App, Parameter
from cyclopts.types import ExistingFile

from blocks.errors import InvalidInput
from blocks.model import Appliance
from deployments.command_line import prefect_run
from deployments.command_line.home import Number, opened
from deployments.command_line.output import PLAIN, Output, fields, table

if TYPE_CHECKING:
    from blocks.catalog import StoredAppliance

appliance = App(name="appliance", help="The templates that images are made of.")


@appliance.command(name="import")
def import_(file: ExistingFile, /, *, user: str, output: Output = PLAIN) -> None:
    """Import an appliance; one of the user's of that name and version is replaced.

    Args:
        file: The appliance as YAML.
        user: Whose appliance it becomes.
    """
    made = Appliance.parse(_read(file), str(file))
    with opened() as ports:
        ports.catalog.users.authorise(user, "appliance_create")
        stored = ports.catalog.appliances.get(ports.catalog.appliances.add(user, made))
    output.show(_row(stored), fields(**_row(stored)))


@appliance.command
def export(
    number: Number, /, *, target: Annotated[Path | None, Parameter(name="--output")] = None, output: Output = PLAIN
) -> None:
    """Write an appliance as YAML, from which it can be imported again.

    Args:
        number: The appliance's number.
        target: The file to write to; standard output unless given.
    """
    with opened() as ports:
        stored = ports.catalog.appliances.get(number)
    document = stored.appliance.document()
    text = written(document)
    if target is not None:
        target.write_text(text, "utf-8")
        output.show({**_row(stored), "file": str(target)}, f"Written to {target}")
    elif output.json:
        output.show(document)
    else:
        sys.stdout.write(text)


@appliance.command
def delete(
    number: Number, /, *, force: Annotated[bool, Parameter(negative=())] = False, output: Output = PLAIN
) -> None:
    """Delete an appliance with its images; records and package files of those stay in the store.

    Args:
        number: The appliance's number.
        force: Cancel those of its images that are being made; without it that is refused.
    """
    from blocks import deletion  # noqa: PLC0415 - heavy

    with opened() as ports:
        row = _row(ports.catalog.appliances.get(number))
        images = deletion.delete_appliance(ports, number, force=force, tell=prefect_run.told(ports.home))
    output.show({**row, "images": list(images)}, fields(**row, deleted_images=images))


@appliance.command(name="list")
def list_(*, output: Output = PLAIN) -> None:
    """List the appliances, oldest first."""
    with opened() as ports:
        found = [_row(stored) for stored in ports.catalog.appliances.list()]
    columns = ("id", "user", "name", "version", "revision")
    output.show(found, table(*columns, rows=[row.values() for row in found]))


def written(document: object) -> str:
    """Plain data as YAML that a person can edit."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=sys.maxsize)


class _Dumper(yaml.SafeDumper):
    """Texts of several lines are written as such."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=_style(value))


def _style(value: str) -> str | None:
    """Only in double quotes does YAML keep all characters: outside of them it takes some for the end of a line."""
    if not all(character.isprintable() or character in "\t\n" for character in value):
        return '"'
    return "|" if "\n" in value else None


_Dumper.add_representer(str, _text)


def _read(file: Path) -> object:
    try:
        return yaml.safe_load(file.read_bytes())
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{file} is not YAML: {error}", "Correct it at the named place") from None


def _row(stored: StoredAppliance) -> dict[str, object]:
    made = stored.appliance
    return {
        "id": stored.id,
        "user": stored.user,
        "name": made.name,
        "version": made.version,
        "revision": made.revision,
    }
