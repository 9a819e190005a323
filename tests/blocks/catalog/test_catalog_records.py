"""What is kept beside tickets: receipts, intents, stage outputs and references to blobs."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from blocks.catalog import Catalog, Lease, TicketRequest
from blocks.errors import Contradiction, StoreUnavailable
from blocks.model import Ticket

A, B, C = "a" * 64, "b" * 64, "c" * 64


def test_a_receipt_is_written_once(catalog: Catalog, ticket: Ticket) -> None:
    """A second receipt gives the first one back: nothing is released twice."""
    assert catalog.receipts.get(ticket.id) is None
    first = catalog.receipts.add(ticket.id, ("process 1", "folder work"))
    assert first.released == ("process 1", "folder work")
    assert catalog.receipts.add(ticket.id, ()) == first == catalog.receipts.get(ticket.id)


def test_what_ended_without_an_image_and_has_no_receipt_is_known(
    catalog: Catalog, lease: Lease, order: TicketRequest
) -> None:
    """Not while it lives, not at once, not if nobody has worked on it, and not once it has its receipt."""
    catalog.tickets.cancel(catalog.tickets.create(order).id, "before anybody worked on it")
    assert catalog.receipts.missing(-1) == ()
    catalog.attempts.fail(lease, "the test ends it")
    assert catalog.receipts.missing(60) == ()
    assert catalog.receipts.missing(-1) == ((lease.ticket, lease.number),)
    catalog.receipts.add(lease.ticket, ())
    assert catalog.receipts.missing(-1) == ()


def test_an_intent_is_pending_until_it_is_closed(catalog: Catalog, ticket: Ticket) -> None:
    """What was begun is found again, by its ticket too, and closing it twice is fine."""
    intent = catalog.intents.open("1/1/image", "upload", ticket.id, 1)
    assert catalog.intents.pending() == catalog.intents.pending(ticket.id) == [intent]
    assert catalog.intents.pending(ticket.id + 1) == []
    for _ in range(2):
        catalog.intents.close("1/1/image")
    assert catalog.intents.pending() == []


def test_the_same_intent_again_is_one_intent(catalog: Catalog, ticket: Ticket) -> None:
    """Opening again after a retry keeps the first, another meaning of the key is a contradiction."""
    first = catalog.intents.open("key", "upload", ticket.id, 1)
    assert catalog.intents.open("key", "upload", ticket.id, 1) == first
    with pytest.raises(Contradiction, match="key"):
        catalog.intents.open("key", "upload", ticket.id, 2)
    assert catalog.intents.pending() == [first]


def test_the_first_output_owns_its_digest(catalog: Catalog, ticket: Ticket) -> None:
    """A later output of the same digest never replaces the first, and its maker is told of the owner."""
    first = catalog.outputs.record(A, "rootfs", B, 5_000_000_000, 1.5, ticket.id)
    assert (first.sha256, first.size, first.seconds, first.ticket) == (B, 5_000_000_000, 1.5, ticket.id)
    assert catalog.outputs.record(A, "rootfs", C, 1, 9.0, ticket.id) == first == catalog.outputs.get(A)
    assert catalog.outputs.get(B) is None


def test_what_a_ticket_built_is_known_whoever_built_it_first(catalog: Catalog, order: TicketRequest) -> None:
    """A later attempt of a rebuild goes on from there, and of others' stages it knows nothing."""
    first, second = catalog.tickets.create(order).id, catalog.tickets.create(order).id
    catalog.outputs.record(A, "rootfs", B, 1, 1.0, first)
    assert catalog.outputs.built(second) == frozenset()
    for digest in (A, C):
        catalog.outputs.record(digest, "rootfs", B, 1, 1.0, second)
    assert (catalog.outputs.built(first), catalog.outputs.built(second)) == (frozenset({A}), frozenset({A, C}))


def test_stage_times_come_newest_first(catalog: Catalog, ticket: Ticket) -> None:
    """Expected times are told from the last outputs of that stage alone."""
    for digest, seconds in ((A, 1.0), (B, 2.0), (C, 3.0)):
        catalog.outputs.record(digest, "disk", digest, 1, seconds, ticket.id)
    assert catalog.outputs.seconds("disk") == [3.0, 2.0, 1.0]
    assert catalog.outputs.seconds("disk", limit=1) == [3.0]
    assert catalog.outputs.seconds("pack") == []


def test_references_need_their_ticket(catalog: Catalog) -> None:
    """The database itself refuses rows of tickets that don't exist."""
    with pytest.raises(IntegrityError):
        catalog.outputs.record(A, "disk", B, 1, 1.0, 99)


def test_a_blob_is_doomed_when_nobody_needs_it(catalog: Catalog, order: TicketRequest) -> None:
    """Dropping gives back only those that no other record references, and only once."""
    first, second = catalog.tickets.create(order).id, catalog.tickets.create(order).id
    assert catalog.blobs.take(first, {A: 1, B: 2}) == ()
    assert catalog.blobs.take(second, {B: 2, C: 3}) == ()
    assert catalog.blobs.drop(first) == (A,)
    assert catalog.blobs.drop(first) == ()
    assert catalog.blobs.drop(second) == (B, C)


def test_an_attempt_releases_what_the_store_has_not(catalog: Catalog, lease: Lease, order: TicketRequest) -> None:
    """Only those that it names, only its own, and whatever another record needs stays."""
    other = catalog.tickets.create(order).id
    catalog.blobs.take(other, {B: 2})
    catalog.blobs.take(lease.ticket, {A: 1, B: 2, C: 3}, lease)
    catalog.blobs.release([A, B], lease)
    assert catalog.blobs.doomed() == (A,)
    assert catalog.blobs.drop(lease.ticket) == (C,)
    assert catalog.blobs.drop(other) == (B,)


def test_a_doomed_blob_cannot_be_taken_until_it_is_forgotten(catalog: Catalog, order: TicketRequest) -> None:
    """Who needs a doomed blob is told, takes the others, and may take it after the store removed it."""
    first, second = catalog.tickets.create(order).id, catalog.tickets.create(order).id
    catalog.blobs.take(first, {A: 1})
    catalog.blobs.drop(first)
    assert catalog.blobs.doomed() == (A,)
    assert catalog.blobs.take(second, {A: 1, B: 2}) == (A,)
    catalog.blobs.forget(A)
    assert catalog.blobs.doomed() == ()
    assert catalog.blobs.take(second, {A: 1, B: 2}) == ()
    assert catalog.blobs.drop(second) == (A, B)


def test_an_attempt_claims_a_doomed_blob_once_it_is_removed(catalog: Catalog, lease: Lease) -> None:
    """It has the store remove it first, so that what it stores anew is its own; no more than the doomed one goes."""
    catalog.blobs.take(lease.ticket, {A: 1})
    catalog.blobs.drop(lease.ticket)
    gone: list[str] = []
    catalog.blobs.claim({A: 1, B: 2}, lease, gone.append)
    assert gone == [A]
    assert catalog.blobs.doomed() == ()
    assert catalog.blobs.drop(lease.ticket) == (A, B)


def test_a_blob_that_stays_doomed_is_given_up(catalog: Catalog, lease: Lease, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody tries for ever to claim what others doom each time."""
    catalog.blobs.take(lease.ticket, {A: 1})
    catalog.blobs.drop(lease.ticket)
    monkeypatch.setattr(catalog.blobs, "forget", lambda _sha256: None)
    gone: list[str] = []
    with pytest.raises(Contradiction, match="as often"):
        catalog.blobs.claim({A: 1}, lease, gone.append)
    assert gone == [A, A, A]


def test_a_needed_blob_is_not_forgotten(catalog: Catalog, ticket: Ticket) -> None:
    """Forgetting a blob that somebody needs changes nothing."""
    catalog.blobs.take(ticket.id, {A: 1})
    catalog.blobs.forget(A)
    assert catalog.blobs.drop(ticket.id) == (A,)


def test_a_doomed_blob_is_removed_by_one(catalog: Catalog, ticket: Ticket) -> None:
    """From the store and from the books, once; a needed or unknown one is left alone."""
    removed: list[str] = []
    catalog.blobs.take(ticket.id, {A: 1})
    assert not catalog.blobs.remove(A, removed.append)
    catalog.blobs.drop(ticket.id)
    assert [catalog.blobs.remove(A, removed.append) for _ in range(2)] == [True, False]
    assert removed == [A]
    assert catalog.blobs.take(ticket.id, {A: 1}) == ()


def test_the_catalog_is_used_while_a_blob_is_removed(catalog: Catalog, ticket: Ticket) -> None:
    """A store that takes long keeps nobody waiting: the blob is still doomed for who wants it."""
    wanted: list[tuple[str, ...]] = []
    catalog.blobs.take(ticket.id, {A: 1})
    catalog.blobs.drop(ticket.id)
    assert catalog.blobs.remove(A, lambda _sha256: wanted.append(catalog.blobs.take(ticket.id, {A: 1, B: 1})))
    assert wanted == [(A,)]


def test_a_blob_that_the_store_keeps_stays_doomed(catalog: Catalog, ticket: Ticket) -> None:
    """When removing it fails, whoever comes next tries again."""

    def fail(_sha256: str) -> None:
        raise StoreUnavailable("no answer")

    catalog.blobs.take(ticket.id, {A: 1})
    catalog.blobs.drop(ticket.id)
    with pytest.raises(StoreUnavailable):
        catalog.blobs.remove(A, fail)
    assert catalog.blobs.doomed() == (A,)


def test_an_attempt_takes_and_opens_by_its_lease(catalog: Catalog, lease: Lease) -> None:
    """As long as it may write it is as without."""
    intent = catalog.intents.open("key", "upload", lease.ticket, lease.number, lease)
    assert catalog.intents.pending() == [intent]
    assert catalog.blobs.take(lease.ticket, {A: 1}, lease) == ()
    assert catalog.blobs.drop(lease.ticket) == (A,)


def test_taking_twice_is_one_reference(catalog: Catalog, ticket: Ticket) -> None:
    """A retried take changes nothing, and nothing at all can be taken too."""
    for _ in range(2):
        assert catalog.blobs.take(ticket.id, {A: 1}) == ()
    assert catalog.blobs.take(ticket.id, {}) == ()
    assert catalog.blobs.drop(ticket.id) == (A,)


def test_a_blob_has_one_size(catalog: Catalog, ticket: Ticket) -> None:
    """Another size for the same sha256 can't be, and takes nothing."""
    catalog.blobs.take(ticket.id, {A: 1})
    with pytest.raises(Contradiction, match="1 bytes"):
        catalog.blobs.take(ticket.id, {A: 2, B: 1})
    assert catalog.blobs.drop(ticket.id) == (A,)
