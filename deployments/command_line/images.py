"""Images: which there are, what is in them, and their files."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from blocks.errors import BuildFailed, ForeignAppliance, NotFound, Refused, Unavailable
from blocks.model import ImageFile, Lock, PackageChanges, Record, Ticket
from deployments.command_line.differences import counts, differences
from deployments.command_line.home import Number, find, lock, opened, settled
from deployments.command_line.output import PLAIN, Output, fields, table, waiting

if TYPE_CHECKING:
    from blocks.catalog import Listed
    from blocks.ports import Ports

_COLUMNS = ("ticket", "user", "appliance", "parent", "state", "policy", "format", "size", "created")


def images(user: str | None = None, appliance: Number | None = None, /, *, output: Output = PLAIN) -> None:
    """List the images that there are or that are being made, oldest first.

    Args:
        user: Only those of this user.
        appliance: Only those of this appliance of the user.
    """
    with opened() as ports:
        tickets = _tickets(ports, user, appliance)
        listed = ports.catalog.tickets.listed()
    found = [_row(ticket, listed[ticket.id]) for ticket in tickets if ticket.id in listed]
    output.show(found, table(*_COLUMNS, rows=[[row[name] for name in _COLUMNS] for row in found]))


def packages(user: str, appliance: Number, image: Number, /, *, output: Output = PLAIN) -> None:
    """List the packages of an image.

    Args:
        user: Whose image it is.
        appliance: The appliance that it belongs to.
        image: Its ticket's number.
    """
    with opened() as ports:
        found = lock(ports, find(ports, user, appliance, image).id).packages
    rows = [(each.name, each.version, each.architecture, each.size) for each in found]
    output.show([each.document() for each in found], table("package", "version", "architecture", "size", rows=rows))


def diff(user: str, appliance: Number, image: Number, other: Number, /, *, output: Output = PLAIN) -> None:
    """Show the package differences between two images of an appliance.

    Args:
        user: Whose images they are.
        appliance: The appliance that they belong to.
        image: The ticket's number of the image to start from.
        other: The ticket's number of the image to compare with it.
    """
    from blocks.model.changes import changes  # noqa: PLC0415 - heavy

    with opened() as ports:
        before, after = (lock(ports, find(ports, user, appliance, number).id) for number in (image, other))
        moved = _explained(ports, other, after, changes(before.packages, after.packages))
    text = fields(packages=counts(moved.counts()))
    output.show({"image": image, "other": other, "packages": moved.document()}, text, differences(moved))


def _explained(ports: Ports, image: int, after: Lock, moved: PackageChanges) -> PackageChanges:
    """With what the upgrades fix, as far as the package files can still be had."""
    from blocks.builder import Job  # noqa: PLC0415 - heavy

    try:
        return ports.builder.explained(ports.catalog.tickets.recipe(image), after, moved, Job())
    except (BuildFailed, Unavailable):
        return moved


def verify(user: str, appliance: Number, image: Number, /, *, output: Output = PLAIN) -> None:
    """Read an image's stored file back and see that its bytes are what they should be.

    Args:
        user: Whose image it is.
        appliance: The appliance that it belongs to.
        image: Its ticket's number.
    """
    with opened() as ports:
        file = _file(ports, find(ports, user, appliance, image))
        with waiting(f"Reading {file.name} back …"):
            ports.store.verify(file.sha256, file.size, _go_on)
    document = {"ticket": image, "file": file.name, "size": file.size, "sha256": file.sha256, "verified": True}
    output.show(document, fields(**document))


def download(
    user: str,
    appliance: Number,
    image: Number,
    /,
    *,
    target: Annotated[Path, Parameter(name="--output")],
    output: Output = PLAIN,
) -> None:
    """Copy an image's file to a folder, verified; another file of that name is left as it is.

    Args:
        user: Whose image it is.
        appliance: The appliance that it belongs to.
        image: Its ticket's number.
        target: The folder; it is made if it isn't there.
    """
    with opened() as ports:
        file = _file(ports, find(ports, user, appliance, image))
        target.mkdir(parents=True, exist_ok=True)
        path = target / file.name
        with waiting(f"Copying {file.name}, {file.size / 1e6:.0f} MB …"):
            if not _there(path, file):
                ports.store.fetch(file.sha256, path, _go_on)
    document = {"file": str(path), "size": file.size, "sha256": file.sha256}
    output.show(document, fields(**document))


def _tickets(ports: Ports, user: str | None, appliance: int | None) -> list[Ticket]:
    if user is not None:
        ports.catalog.users.get(user)
    found = ports.catalog.tickets.list(user, appliance)
    if not found and appliance is not None:
        owner = ports.catalog.appliances.get(appliance).user
        if owner != user:
            raise ForeignAppliance(
                f"Appliance {appliance} doesn't belong to {user}", "`reforge appliance list` shows whose it is"
            )
    return [ticket if ticket.terminal else settled(ports, ticket.id) for ticket in found]


def _row(ticket: Ticket, listed: Listed) -> dict[str, Any]:
    document = ticket.document()
    return {
        "ticket": ticket.id,
        **{name: document[name] for name in ("user", "appliance", "parent", "state", "policy")},
        **asdict(listed),
        "created": document["created"],
    }


def _file(ports: Ports, ticket: Ticket) -> ImageFile:
    record = ports.catalog.tickets.record(ticket.id)
    file = record.generation.file if record and ports.catalog.tickets.has_file(ticket.id) else None
    if file is None:
        told = _without(record) if record else f"it is {ticket.state}"
        raise NotFound(f"Image {ticket.id} has no file: {told}", "Choose another, or regenerate it")
    return file


def _without(record: Record) -> str:
    return "it was simulated" if record.generation.recipe.simulated else "it came without its file"


def _there(target: Path, file: ImageFile) -> bool:
    """Whether the file is there already; another one of its name is refused."""
    if not target.exists():
        return False
    with target.open("rb") as there:
        if hashlib.file_digest(there, "sha256").hexdigest() == file.sha256:
            return True
    raise Refused(f"{target} exists already and is another file", "Move it away, or name another folder")


def _go_on() -> None:
    """Nobody stops it but the terminal."""
