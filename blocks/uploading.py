"""Uploading for a ticket: whatever ends it at whatever point, the books tell what the store may have of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from blocks.catalog import Catalog, Lease
from blocks.store import Blob, Store
from blocks.store.store import Announce


@contextmanager
def uploading(catalog: Catalog, store: Store, key: str, lease: Lease) -> Iterator[Announce]:
    """An upload under the key: the intent is committed before it begins, and closed once it is done.

    Gives what the store announces the blob to: the ticket references it before the store has it. What earlier tries
    began under the key and couldn't end is ended. Raises Stopped, Contradiction.
    """

    def claim(blob: Blob) -> None:
        catalog.blobs.claim({blob.sha256: blob.size}, lease, store.remove)

    catalog.intents.open(key, "upload", lease.ticket, lease.number, lease)
    yield claim
    store.abort(key)
    catalog.intents.close(key)
