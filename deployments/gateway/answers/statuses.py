"""The status of a generation: three flags that end it, a percentage, and words that are never missing."""

from __future__ import annotations

from datetime import datetime

from blocks.catalog.images import ImageRow
from blocks.model import Ticket
from deployments.gateway.answers import uris
from deployments.gateway.answers.sealing import sealed
from deployments.gateway.wire import OpStatus

_WORDS = {
    "requested": "Waiting to be started",
    "planning": "Calculating dependencies",
    "building": "Building the image",
    "storing": "Copying the image to the store",
    "verifying": "Verifying the stored image",
    "error": "The generation failed",
    "cancelled": "Cancelled",
}


def status(row: ImageRow) -> OpStatus:
    """The status of an image; the same alone, in a list and inside of its image."""
    ticket = row.ticket
    uri = uris.image(row.owner, ticket.appliance, ticket.id)
    failed = ticket.state == "error"
    return sealed(
        OpStatus(
            created=ticket.created,
            db_id=ticket.id,
            last_modified=row.changed,
            cancelled=ticket.state == "cancelled",
            complete=ticket.state in {"complete", "error"},
            detailed_error=False,
            error=failed,
            error_message=(ticket.error or ticket.message or _WORDS["error"]) if failed else None,
            message=_message(ticket, ticket.finished or row.changed),
            parent_uri=uri,
            percentage=100 if ticket.state == "complete" else min(ticket.percent, 99),
            uri=f"{uri}/status",
        )
    )


def _message(ticket: Ticket, finished: datetime) -> str:
    if ticket.state == "complete":
        return f"Done, created on {finished:%Y-%m-%d %H:%M:%S} UTC"
    if ticket.state == "error":
        return _WORDS["error"]
    return ticket.message.strip() or _WORDS[ticket.state]
