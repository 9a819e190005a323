"""Tickets: how far an image is, and how it is cancelled or deleted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from blocks.errors import ReforgeError
from blocks.model import Receipt, Ticket
from deployments.command_line import prefect_run
from deployments.command_line.home import Number, find, opened
from deployments.command_line.output import PLAIN, Output, fields, table, waiting

if TYPE_CHECKING:
    from blocks.ports import Ports

_PATIENCE = 10.0
_POLL = 0.25


def status(user: str, appliance: Number, image: Number, /, *, output: Output = PLAIN) -> None:
    """Show how far an image is, and what has happened to it.

    Args:
        user: Whose image it is.
        appliance: The appliance that it belongs to.
        image: Its ticket's number.
    """
    with opened() as ports:
        ticket = find(ports, user, appliance, image)
        receipt = ports.catalog.receipts.get(ticket.id)
        events = [event.document() for event in ports.catalog.events.list(ticket.id)]
    document: dict[str, object] = {
        "ticket": ticket.id,
        "state": ticket.state,
        "percent": ticket.percent,
        "stage": ticket.stage,
    }
    document |= {"message": ticket.message, "error": ticket.error, "attempt": ticket.attempt}
    document |= {"receipt": receipt.document() if receipt else None}
    rows = [(event["time"], event["state"], event["reason"]) for event in events]
    shown = {"percent": f"{ticket.percent} %", "receipt": _told(receipt), "flow_run": ticket.flow_run}
    told = fields(**{**document, **shown, "page": _page(ports, ticket)})
    output.show({**document, "events": events}, told, table("time", "state", "reason", rows=rows))


def cancel(user: str, appliance: Number, image: Number, /, *, output: Output = PLAIN) -> None:
    """Cancel an image that is being made, and show what was released.

    Args:
        user: Whose image it is.
        appliance: The appliance that it belongs to.
        image: Its ticket's number.
    """
    from blocks import cancellation  # noqa: PLC0415 - heavy

    with opened() as ports:
        ticket = find(ports, user, appliance, image)
        waited = ticket.state == "requested"
        cancellation.cancel(ports, ticket.id, "cancelled at the command line", prefect_run.told(ports.home))
        ticket = ports.catalog.tickets.get(ticket.id)
        if ticket.state != "cancelled":
            raise ReforgeError(f"Ticket {ticket.id} has ended already: {ticket.state}", "There is nothing to cancel")
        receipt = ports.catalog.receipts.get(ticket.id) if waited else _receipt(ports, ticket)
    document = {"ticket": ticket.id, "state": ticket.state, "message": ticket.message}
    told = fields(**document, released=_told(receipt))
    output.show({**document, "receipt": receipt.document() if receipt else None}, told)


def delete(user: str, appliance: Number, image: Number, /, *, output: Output = PLAIN) -> None:
    """Delete an image with its file, its record and its logs; one that is being made is cancelled first.

    Args:
        user: Whose image it is.
        appliance: The appliance that it belongs to.
        image: Its ticket's number.
    """
    from blocks import deletion  # noqa: PLC0415 - heavy

    with opened() as ports:
        ticket = find(ports, user, appliance, image)
        deletion.delete(ports, image, "deleted at the command line", prefect_run.told(ports.home))
        state = ports.catalog.tickets.get(image).state
    told = "it was cancelled first" if state == "cancelled" and not ticket.terminal else f"it was {state}"
    document = {"ticket": image, "state": state, "deleted": True}
    output.show(document, fields(ticket=image, deleted=told, files="removed unless another image has the same"))


def _page(ports: Ports, ticket: Ticket) -> str | None:
    """The run's page in Prefect's UI, if a server is there."""
    from deployments import embedded  # noqa: PLC0415 - heavy

    address = embedded.address(ports.home)
    return f"{address.removesuffix('/api')}/runs/flow-run/{ticket.flow_run}" if address and ticket.flow_run else None


def _told(receipt: Receipt | None) -> str:
    return "" if receipt is None else "\n".join(receipt.released) or "nothing was held"


def _receipt(ports: Ports, ticket: Ticket) -> Receipt | None:
    """What was released, awaited for a while if somebody works on the ticket and has to let go first."""
    receipt = ports.catalog.receipts.get(ticket.id)
    if receipt is not None or not _worked_on(ports, ticket.id):
        return receipt
    with waiting("Waiting for what it held to be released …"):
        end = time.monotonic() + _PATIENCE
        while receipt is None and time.monotonic() < end and _worked_on(ports, ticket.id):
            time.sleep(_POLL)
            receipt = ports.catalog.receipts.get(ticket.id)
    return receipt or ports.catalog.receipts.get(ticket.id)


def _worked_on(ports: Ports, number: int) -> bool:
    from blocks import liveness  # noqa: PLC0415 - heavy

    lease = ports.catalog.attempts.current(number)
    return lease is not None and liveness.judge(ports.home, ports.home_id)(lease) is not False
