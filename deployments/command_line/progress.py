"""Progress: what the catalog says of a ticket, shown to whoever waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from blocks.errors import CatalogUnavailable
from blocks.model import Ticket
from deployments.command_line.interruption import REASON, Interruption
from deployments.command_line.output import tell

if TYPE_CHECKING:
    from blocks.ports import Ports

_SECONDS = 1.0
Show = Callable[[Ticket], None]


@contextmanager
def followed(ports: Ports, ticket: int, interruption: Interruption) -> Iterator[None]:
    """Show the ticket's progress meanwhile, and cancel it if the one who waits wants that."""
    ended = threading.Event()
    with _display() as show:
        arguments = (ports, ticket, interruption, ended, show)
        thread = threading.Thread(target=_follow, args=arguments, name=f"follow {ticket}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def _follow(ports: Ports, ticket: int, interruption: Interruption, ended: threading.Event, show: Show) -> None:
    while not ended.wait(_SECONDS):
        with suppress(CatalogUnavailable):
            if interruption.pending and ports.catalog.tickets.cancel(ticket, REASON):
                tell("Cancelling: interrupt once more to break it off")
            show(ports.catalog.tickets.get(ticket))


@contextmanager
def _display() -> Iterator[Show]:
    console = Console(stderr=True, markup=False, highlight=False)
    if not console.is_terminal:
        yield _lines()
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, redirect_stdout=False) as bar:
        task = bar.add_task("Waiting for the run to begin", total=100)
        yield lambda ticket: bar.update(task, completed=ticket.percent, description=_told(ticket))


def _lines() -> Show:
    """One line each time that there is something new to tell."""
    shown: list[str] = []

    def show(ticket: Ticket) -> None:
        if shown != [told := _told(ticket)]:
            shown[:] = [told]
            tell(f"{ticket.percent:3} % {told}")

    return show


def _told(ticket: Ticket) -> str:
    return ": ".join(part for part in (ticket.state, ticket.message or ticket.stage) if part)
