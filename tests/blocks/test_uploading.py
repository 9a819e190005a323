"""Uploading for a ticket: at whatever point it ends, the catalog tells what the store may have of it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from blocks import admission
from blocks.catalog import Lease
from blocks.errors import StoreUnavailable
from blocks.model import Appliance, OSProfile
from blocks.model.request import FirstGeneration
from blocks.ports import Ports
from blocks.settings import Settings
from blocks.store import Blob, names
from blocks.uploading import uploading

_BYTES = b"the bytes of an image"
_BLOB = Blob(hashlib.sha256(_BYTES).hexdigest(), len(_BYTES))


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[Ports]:
    """An installation with one user."""
    with Ports.open(Settings(home=tmp_path / "home", catalog_url=None, store_url=None), prepare=True) as opened:
        opened.catalog.users.add("alice", roles=["developer"])
        yield opened


@pytest.fixture
def lease(ports: Ports) -> Lease:
    """The attempt that uploads."""
    appliance = ports.catalog.appliances.add("alice", Appliance(name="server", os_profile=OSProfile(suite="bookworm")))
    ticket, _ = admission.admit(ports, FirstGeneration(user="alice", appliance=appliance))
    return ports.catalog.attempts.begin(ticket.id, ports.home_id, in_process=True)


@pytest.fixture
def key(lease: Lease) -> str:
    """What its upload is found by."""
    return f"{lease.ticket}/{lease.number}/image.raw"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """What is stored."""
    path = tmp_path / "image.raw"
    path.write_bytes(_BYTES)
    return path


def _pending(ports: Ports) -> list[str]:
    return [intent.key for intent in ports.catalog.intents.pending()]


def test_intent_and_reference_come_before_the_bytes(ports: Ports, lease: Lease, key: str, source: Path) -> None:
    """The intent before the first one is sent, the reference before the store has them; the intent ends with it."""
    seen = []
    with uploading(ports.catalog, ports.store, key, lease) as claim:

        def announce(blob: Blob) -> None:
            claim(blob)
            seen.append(ports.store.has(blob.sha256))

        ports.store.upload(source, key, lambda: seen.append(_pending(ports) == [key]), announce=announce)
        assert _pending(ports) == [key]
    assert seen == [True, False]
    assert _pending(ports) == []
    assert ports.catalog.blobs.drop(lease.ticket) == (_BLOB.sha256,)


def test_what_breaks_off_stays_in_the_books(ports: Ports, lease: Lease, key: str, source: Path) -> None:
    """And the next try under the key ends what this one left."""

    def fail() -> None:
        raise StoreUnavailable("The test's store is away")

    with pytest.raises(StoreUnavailable), uploading(ports.catalog, ports.store, key, lease) as claim:
        ports.store.upload(source, key, fail, announce=claim)
    assert _pending(ports) == [key]
    left = names.upload(key, datetime.now(UTC), secrets.token_hex(8))
    (ports.home / "store" / "uploads" / left).touch()
    with uploading(ports.catalog, ports.store, key, lease) as claim:
        ports.store.upload(source, key, lambda: None, announce=claim)
    assert _pending(ports) == []
    assert ports.store.unfinished() == ()
    assert ports.store.has(_BLOB.sha256)


def test_what_is_about_to_be_removed_is_stored_anew(ports: Ports, lease: Lease, key: str, source: Path) -> None:
    """Bytes that somebody has given up are there, and nobody's: they go before they are referenced."""
    ports.store.put(_BYTES)
    ports.catalog.blobs.take(lease.ticket, {_BLOB.sha256: _BLOB.size})
    ports.catalog.blobs.drop(lease.ticket)
    with uploading(ports.catalog, ports.store, key, lease) as claim:
        ports.store.upload(source, key, lambda: None, expected=_BLOB.sha256, announce=claim)
    assert ports.catalog.blobs.doomed() == ()
    assert ports.store.has(_BLOB.sha256)
    assert ports.catalog.blobs.drop(lease.ticket) == (_BLOB.sha256,)
