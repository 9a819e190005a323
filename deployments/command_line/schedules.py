"""Schedules: images that are made again and again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cyclopts import App
from rich.table import Table

from blocks.model import Policy
from blocks.model.request import Regeneration
from deployments.command_line.home import Number, opened
from deployments.command_line.output import PLAIN, Output, fields, table, tell

if TYPE_CHECKING:
    from blocks.ports import Ports
    from deployments.schedules import Entry

schedule = App(name="schedule", help="Images that are made again and again; `reforge up` or a worker runs them.")


@schedule.command
def add(  # noqa: PLR0913 - the command's options
    user: str,
    appliance: Number,
    image: Number,
    /,
    *,
    cron: str,
    timezone: str = "UTC",
    policy: Policy | None = None,
    rebuild: bool = False,
    newest: bool = False,
    name: str | None = None,
    output: Output = PLAIN,
) -> None:
    """Make an image again whenever a cron line says so. A missed run is caught up once.

    Args:
        user: Who asks; needs the entitlement image_generate, and owns the appliance or may act for its owner.
        appliance: The appliance that the image belongs to.
        image: The image to regenerate: its ticket's number.
        cron: Minute, hour, day of month, month and day of week, as in "0 3 * * *".
        timezone: The time zone whose clock is meant, as in Europe/Berlin.
        policy: refresh takes the newest packages, exact the same ones byte for byte; the appliance's own unless given.
        rebuild: Build although nothing has changed; it must arrive at the same bytes.
        newest: Take the newest complete image of this image's lineage each time.
        name: What the schedule is called; USER-APPLIANCE-IMAGE unless given.
    """
    values = {"user": user, "appliance": appliance, "image": image, "policy": policy, "rebuild": rebuild}
    request = Regeneration.parse(values | {"newest": newest}, "the request")
    with _prefect() as ports:
        from deployments import schedules  # noqa: PLC0415 - Prefect is imported after its server is named

        made = schedules.add(ports, request, name or f"{user}-{appliance}-{image}", cron, timezone)
    output.show(made.document(), _told(made))


@schedule.command(name="list")
def list_(*, output: Output = PLAIN) -> None:
    """List the schedules, also those that were made in Prefect's UI."""
    with _prefect():
        from deployments import schedules  # noqa: PLC0415 - Prefect is imported after its server is named

        found = schedules.entries()
    rows = [(each.name or each.id, each.rhythm, each.timezone, _what(each), each.active, each.next) for each in found]
    told = table("name", "rhythm", "time zone", "what", "active", "next", rows=rows)
    output.show([each.document() for each in found], told)


@schedule.command
def remove(name: str, /, *, output: Output = PLAIN) -> None:
    """Remove a schedule; runs that have begun go on.

    Args:
        name: Its name or its id.
    """
    with _prefect():
        from deployments import schedules  # noqa: PLC0415 - Prefect is imported after its server is named

        gone = schedules.remove(name)
    output.show(gone.document(), _told(gone))


@contextmanager
def _prefect() -> Iterator[Ports]:
    from deployments import embedded  # noqa: PLC0415 - heavy

    with opened() as ports, embedded.server(ports.home, tell):
        yield ports


def _told(entry: Entry) -> Table:
    return fields(**entry.model_dump(exclude={"parameters"}), what=_what(entry))


def _what(entry: Entry) -> str:
    return ", ".join(f"{key} {value}" for key, value in entry.parameters.items() if value not in (None, False))
