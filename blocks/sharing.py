"""The library of finished stages: their bytes in the store, what is known of them in the catalog."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from blocks.builder import Built, Shared
from blocks.catalog import Catalog, Lease
from blocks.catalog.checkpoints import SharedCheckpoint
from blocks.store import Blob, Store
from blocks.uploading import uploading


class Sharing:
    """What machines leave each other, if this installation shares; `limit` in bytes is kept by housekeeping."""

    def __init__(self, catalog: Catalog, store: Store, *, on: bool, limit: int) -> None:
        self._catalog = catalog
        self._store = store
        self.on = on
        self.limit = limit

    def find(self, digest: str) -> Shared | None:
        """What is there for a stage's digest."""
        found = self._catalog.checkpoints.get(digest) if self.on else None
        return None if found is None else Shared(**found.model_dump())

    def fetch(self, shared: Shared, target: Path, stop: Callable[[], None]) -> None:
        """Copy the parcel, verified; raises NotFound or CorruptFile."""
        self._store.fetch(shared.sha256, target, stop)

    def drop(self, shared: Shared) -> None:
        """Forget a stage, and remove its parcel if nobody else needs that."""
        for sha256 in self._catalog.checkpoints.drop(shared.digest):
            self._catalog.blobs.remove(sha256, self._store.remove)

    def add(self, parcel: Path, built: Built, key: str, lease: Lease, stop: Callable[[], None]) -> Blob:
        """Store a finished stage's parcel for others, under the key; the ticket references it until it is shared.

        Raises Stopped, Contradiction, and what the store raises.
        """
        with uploading(self._catalog, self._store, key, lease) as claim:
            blob = self._store.upload(parcel, key, stop, announce=claim)
        self._catalog.checkpoints.add(_told(built, blob), lease)
        self._catalog.blobs.release((blob.sha256,), lease)
        return blob


def _told(built: Built, blob: Blob) -> SharedCheckpoint:
    made = built.checkpoint
    return SharedCheckpoint(
        digest=made.digest,
        stage=made.stage,
        sha256=blob.sha256,
        size=blob.size,
        content=made.sha256,
        content_size=made.size,
        facts=dict(made.facts),
    )
