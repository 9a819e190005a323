"""Shared checkpoints: the first of a digest counts, each keeps its blob, and those used longest ago go first."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from blocks.catalog import Catalog, Lease, SharedCheckpoint
from blocks.catalog.clock import Now
from blocks.catalog.tables import CHECKPOINTS
from blocks.errors import Contradiction

A, B, C = "a" * 64, "b" * 64, "c" * 64


def _shared(digest: str, blob: str, size: int = 100) -> SharedCheckpoint:
    return SharedCheckpoint(
        digest=digest,
        stage="rootfs",
        sha256=blob,
        size=size,
        content="d" * 64,
        content_size=5_000_000_000,
        facts={"used": 2**40},
    )


def test_what_is_shared_is_found(catalog: Catalog, lease: Lease) -> None:
    """As it was, by its digest."""
    assert catalog.checkpoints.get(A) is None
    assert catalog.checkpoints.add(_shared(A, B), lease)
    assert catalog.checkpoints.get(A) == _shared(A, B)
    assert catalog.checkpoints.drop(A) == (B,)
    assert catalog.checkpoints.drop(A) == ()
    assert catalog.checkpoints.get(A) is None


def test_the_first_of_a_digest_counts(catalog: Catalog, lease: Lease) -> None:
    """Sharing it again is fine; another blob for it is given up, unless somebody needs it."""
    for _ in range(2):
        assert catalog.checkpoints.add(_shared(A, B), lease)
    assert catalog.blobs.doomed() == ()
    assert catalog.checkpoints.add(_shared(A, C), lease)
    assert catalog.checkpoints.get(A) == _shared(A, B)
    assert catalog.blobs.doomed() == (C,)
    catalog.blobs.take(lease.ticket, {"e" * 64: 100})
    assert catalog.checkpoints.add(_shared(A, "e" * 64), lease)
    assert catalog.blobs.doomed() == (C,)


def test_a_checkpoint_needs_its_blob(catalog: Catalog, lease: Lease) -> None:
    """As a record does: it is doomed with the last of them that goes."""
    catalog.blobs.take(lease.ticket, {B: 100, C: 1})
    catalog.checkpoints.add(_shared(A, B), lease)
    catalog.checkpoints.add(_shared(C, B), lease)
    assert catalog.blobs.drop(lease.ticket) == (C,)
    assert catalog.checkpoints.drop(A) == ()
    catalog.blobs.take(lease.ticket, {B: 100})
    assert catalog.checkpoints.drop(C) == ()
    assert catalog.blobs.drop(lease.ticket) == (B,)


def test_a_doomed_blob_is_not_shared(catalog: Catalog, lease: Lease) -> None:
    """Once it is forgotten it may be stored and shared again."""
    catalog.checkpoints.add(_shared(A, B), lease)
    catalog.checkpoints.drop(A)
    assert not catalog.checkpoints.add(_shared(A, B), lease)
    assert catalog.checkpoints.get(A) is None
    assert catalog.blobs.remove(B, str)
    assert catalog.checkpoints.add(_shared(A, B), lease)
    assert catalog.blobs.doomed() == ()


def test_a_shared_blob_has_one_size(catalog: Catalog, lease: Lease) -> None:
    """Another size for the same sha256 can't be, and shares nothing."""
    catalog.blobs.take(lease.ticket, {B: 1})
    with pytest.raises(Contradiction, match="1 bytes"):
        catalog.checkpoints.add(_shared(A, B), lease)
    assert catalog.checkpoints.get(A) is None


def test_what_was_used_longest_ago_is_too_much_first(catalog: Catalog, lease: Lease) -> None:
    """As many as exceed the limit; asking for one makes it the one used last."""
    for digest, size, ago in ((A, 30, 90.0), (B, 20, 60.0), (C, 10, 30.0)):
        catalog.checkpoints.add(_shared(digest, digest, size), lease)
        with catalog.database.writing() as connection:
            connection.execute(update(CHECKPOINTS).where(CHECKPOINTS.c.digest == digest).values(used=Now() - ago))
    limits = (60, 59, 30, 29, 10, 9, 0)
    assert [catalog.checkpoints.excess(limit) for limit in limits] == [
        (),
        (A,),
        (A,),
        (A, B),
        (A, B),
        (A, B, C),
        (A, B, C),
    ]
    catalog.checkpoints.get(A)
    assert [catalog.checkpoints.excess(limit) for limit in (59, 30, 29)] == [(B,), (B, C), (B, C, A)]
