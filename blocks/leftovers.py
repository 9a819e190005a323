"""Leftovers in catalog and store: what nobody needs any more, each with the reason and with what gives it back.

What is live is never among them. The store is looked at before the catalog, and a deed that needs it looks again
when it is done; so what begins meanwhile is seen, and several who look at the same time are no danger to each other.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from blocks import liveness
from blocks.catalog import Catalog
from blocks.deed import Deed
from blocks.errors import CorruptFile, NotFound
from blocks.ports import Ports
from blocks.release import release

UPLOAD = timedelta(hours=1)
"""An upload that no intent tells of is left alone for so long."""
RETURN = timedelta(minutes=1)
"""So long a ticket that ended may take to give back what it holds."""
NAMELESS = timedelta(days=1)
"""And for so long, if its key names no ticket: that of a package file."""
KEY = timedelta(days=7)
"""A ticket's idempotency key is good for so long after its end."""
LOG = timedelta(days=90)
"""A ticket's stage logs are kept for so long after its end."""
LOOK = timedelta(days=1)
"""So often each machine looks through the names of all logs, which takes long in a large store."""
_LOOKED = Path("cache/logs-looked-through")


def holdings(ports: Ports) -> Iterator[Deed]:
    """What tickets that ended without an image hold: the machine that was to give it back, or the store, was away."""
    for ticket, attempt in ports.catalog.receipts.missing(RETURN.total_seconds()):
        if not liveness.lives(ports.home, ticket, attempt):
            act = functools.partial(_release, ports, ticket, attempt)
            yield Deed(f"what ticket {ticket} held", "it ended without an image, and nobody gave that back", act)


def uploads(ports: Ports) -> Iterator[Deed]:
    """The unfinished uploads that no live attempt owns."""
    begun: dict[str, datetime] = {}
    for upload in ports.store.unfinished():
        begun[upload.key] = max(upload.started, begun.get(upload.key, upload.started))
    intents = ports.catalog.intents.pending()
    for intent in intents:
        if (why := _ownerless(ports.catalog, intent.ticket, intent.attempt)) is not None:
            yield Deed(f"unfinished upload {intent.key}", why, functools.partial(_abort, ports, intent.key))
    for key in begun.keys() - {intent.key for intent in intents}:
        if (why := _forgotten(ports.catalog, key, datetime.now(UTC) - begun[key])) is not None:
            yield Deed(f"unfinished upload {key}", why, functools.partial(_abort, ports, key))


def files(ports: Ports) -> Iterator[Deed]:
    """The stored files that nothing needs, as whoever dropped the last reference has decided."""
    for sha256 in ports.catalog.blobs.doomed():
        act = functools.partial(ports.catalog.blobs.remove, sha256, ports.store.remove)
        yield Deed(f"stored file {sha256}", "no image and no shared stage needs it", act)


def checkpoints(ports: Ports) -> Iterator[Deed]:
    """The shared checkpoints beyond their limit; their files become such as nothing needs."""
    limit = ports.sharing.limit
    why = f"shared stages may take {limit / 1e9:.1f} GB, and it was used longest ago"
    for digest in ports.catalog.checkpoints.excess(limit):
        yield Deed(f"shared stage {digest}", why, functools.partial(_drop, ports.catalog, digest))


def logs(ports: Ports) -> Iterator[Deed]:
    """The stage logs of tickets that ended long ago, or that the catalog had and has no more: reads all their names."""
    ended = ports.catalog.tickets.ended_before(LOG.total_seconds())
    known = {ticket.id for ticket in ports.catalog.tickets.list(deleted=True)}
    newest = max(known, default=0)
    for ticket, attempt in ports.store.logs():
        why = None
        if ticket in ended:
            why = f"its ticket ended more than {LOG.days} days ago"
        elif ticket not in known and ticket < newest and _gone(ports, ticket):
            why = "there is no such ticket, and no record of it"
        if why is not None:
            act = functools.partial(_prune, ports, ticket, attempt)
            yield Deed(f"stage logs of ticket {ticket}, attempt {attempt}", why, act)


def due(home: Path) -> bool:
    """Whether this machine has not looked through the logs for a day."""
    try:
        return time.time() - (home / _LOOKED).stat().st_mtime > LOOK.total_seconds()
    except FileNotFoundError:
        return True


def looked(home: Path) -> None:
    """Note that it just has."""
    (home / _LOOKED).touch()


def _ownerless(catalog: Catalog, ticket: int, attempt: int) -> str | None:
    """Why nobody will finish what this attempt began; None if it may."""
    try:
        found = catalog.tickets.get(ticket)
    except NotFound:
        return f"there is no ticket {ticket}"
    if found.terminal:
        return f"its ticket is {found.state}"
    return f"attempt {found.attempt} superseded its attempt" if attempt < found.attempt else None


def _forgotten(catalog: Catalog, key: str, age: timedelta) -> str | None:
    """Why an upload that no intent tells of is nobody's; None if it may be somebody's."""
    ticket, attempt = (*key.split("/"), "")[:2]
    if ticket.isdigit() and attempt.isdigit():
        return _ownerless(catalog, int(ticket), int(attempt)) if age > UPLOAD else None
    return f"it names no ticket, and was begun more than {NAMELESS.days} day ago" if age > NAMELESS else None


def _gone(ports: Ports, ticket: int) -> bool:
    """Whether neither catalog nor store know of the ticket: a catalog that was lost or restored knows less."""
    try:
        ports.catalog.tickets.get(ticket)
    except NotFound:
        pass
    else:
        return False
    try:
        ports.store.record(ticket)
    except NotFound:
        return True
    except CorruptFile:
        return False
    return False


def _abort(ports: Ports, key: str) -> bool:
    ports.store.abort(key)
    ports.catalog.intents.close(key)
    return True


def _drop(catalog: Catalog, digest: str) -> bool:
    catalog.checkpoints.drop(digest)
    return True


def _release(ports: Ports, ticket: int, attempt: int) -> bool:
    release(ports, ticket, attempt, [])
    return True


def _prune(ports: Ports, ticket: int, attempt: int) -> bool:
    ports.store.remove_logs(ticket, attempt)
    return True
