"""Records: an earlier generation as a file that travels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.types import ExistingFile

from deployments.command_line.home import Number, find, opened
from deployments.command_line.output import PLAIN, Output, fields, waiting

record = App(name="record", help="Earlier generations as files that travel.")


@record.command
def export(
    user: str,
    appliance: Number,
    image: Number,
    /,
    *,
    target: Annotated[Path, Parameter(name="--output")],
    with_packages: bool = False,
    output: Output = PLAIN,
) -> None:
    """Write the record of an image to a file. It is as confidential as the image.

    Args:
        user: Whose image it is.
        appliance: The appliance that it belongs to.
        image: Its ticket's number.
        target: The file to write to.
        with_packages: Write a tar that holds the package files as well, so that it can be made again exactly.
    """
    from blocks import portable  # noqa: PLC0415 - heavy

    with opened() as ports:
        ticket = find(ports, user, appliance, image)
        with waiting(f"Writing {target} …"):
            portable.export_record(ports, ticket.id, target, with_packages=with_packages)
    document = {"image": ticket.id, "file": str(target), "size": target.stat().st_size}
    output.show(document, fields(**document))


@record.command(name="import")
def import_(file: ExistingFile, /, *, user: str, appliance: Number | None = None, output: Output = PLAIN) -> None:
    """Make an image of a record, from which it can be regenerated; the image's own file does not come along.

    Args:
        file: What `reforge record export` wrote.
        user: Whose image it becomes.
        appliance: The appliance it becomes part of; without it the user's of that name and version, or a new one.
    """
    from blocks import portable  # noqa: PLC0415 - heavy

    with opened() as ports:
        ports.catalog.users.authorise(user, "appliance_create", appliance)
        with waiting(f"Reading {file} …"):
            ticket = portable.import_record(ports, file, user, appliance)
    document = {"user": ticket.user, "appliance": ticket.appliance, "image": ticket.id}
    output.show(document, fields(**document))
