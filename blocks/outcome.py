"""The outcome of a ticket: the one summary that the flow, the command line and other flows give of it."""

from __future__ import annotations

from blocks.model import Ticket
from blocks.model.summary import Summary, summarise
from blocks.ports import Ports


def outcome(ports: Ports, ticket: Ticket) -> Summary:
    """What has come of the ticket; without a record (not complete) it has no file."""
    record = ports.catalog.tickets.record(ticket.id)
    parent = ports.catalog.tickets.record(ticket.parent) if ticket.parent else None
    file = record.generation.file if record else None
    return summarise(ticket, record, parent, ports.store.uri(file.sha256) if file else "")
