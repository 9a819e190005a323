"""Release: an attempt gives back what it holds in catalog and store, and its ended ticket gets the receipt."""

from __future__ import annotations

from blocks.ports import Ports


def release(ports: Ports, ticket: int, attempt: int, released: list[str]) -> None:
    """Give back what this attempt of the ticket, and those before it, hold; what a newer one holds is its own.

    Once the ticket has ended without an image, that is everything, and its receipt tells what was released: what is
    in the list already, and what is added to it here. After a failure it can be asked for again.

    Raises Unavailable.
    """
    for intent in ports.catalog.intents.pending(ticket):
        if intent.attempt <= attempt:
            ports.store.abort(intent.key)
            ports.catalog.intents.close(intent.key)
            released.append(f"unfinished upload {intent.key}")
    if ports.catalog.tickets.get(ticket).state in ("error", "cancelled"):
        for number in range(1, attempt + 1):
            ports.store.remove_record(ticket, number)
        if unneeded := ports.catalog.blobs.drop(ticket):
            released.append(f"{len(unneeded)} stored files that no other image needs")
        ports.catalog.receipts.add(ticket, tuple(released))
