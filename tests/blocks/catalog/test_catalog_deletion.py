"""Deleted images: out of their users' sight, and still there for what was made of them and for what counts."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from blocks.catalog import Catalog, Lease, TicketRequest
from blocks.errors import NotFound, Stopped
from blocks.model import Record, Ticket


@pytest.fixture
def image(catalog: Catalog, lease: Lease, make_record: Callable[..., Record]) -> int:
    """A complete image of alice's, with a file that it references."""
    catalog.blobs.take(lease.ticket, {"f" * 64: 1000, "d" * 64: 10}, lease)
    catalog.attempts.complete(lease, make_record(lease.ticket), "Done")
    return lease.ticket


def test_a_deleted_image_is_in_no_list_and_under_no_number(catalog: Catalog, image: int) -> None:
    """Whatever a user looks at, it isn't there."""
    key = catalog.images.get("alice", 7, image).download_key
    assert catalog.tickets.delete(image, "not needed")
    with pytest.raises(NotFound):
        catalog.images.get("alice", 7, image)
    with pytest.raises(NotFound):
        catalog.tickets.visible(image)
    assert catalog.images.list("alice").total == 0
    assert catalog.tickets.list("alice") == []
    assert catalog.tickets.listed() == {}
    assert not catalog.images.by_key(image, key)
    assert not catalog.images.spend(image, key)


def test_it_is_deleted_once(catalog: Catalog, image: int) -> None:
    """The second time nothing is done; what never was can't be deleted."""
    assert catalog.tickets.delete(image, "not needed")
    events = catalog.events.list(image)
    assert not catalog.tickets.delete(image, "again")
    assert catalog.events.list(image) == events
    assert (events[-1].state, events[-1].reason) == ("complete", "deleted: not needed")
    with pytest.raises(NotFound):
        catalog.tickets.delete(99, "never was")


def test_many_delete_it_once(catalog: Catalog, image: int) -> None:
    """Of all who delete an image at the same time one did."""
    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(lambda _: catalog.tickets.delete(image, "not needed"), range(16)))
    assert done.count(True) == 1


def test_what_is_being_made_is_cancelled(catalog: Catalog, lease: Lease) -> None:
    """Whoever works on it is stopped, and what it claims is free."""
    assert catalog.claims.take("c" * 64, lease) is None
    assert catalog.tickets.delete(lease.ticket, "not needed")
    assert catalog.tickets.get(lease.ticket).state == "cancelled"
    with pytest.raises(Stopped):
        catalog.attempts.renew(lease)
    with pytest.raises(Stopped):
        catalog.blobs.take(lease.ticket, {"a" * 64: 1}, lease)
    assert [event.reason for event in catalog.events.list(lease.ticket)][-2:] == ["not needed", "deleted: not needed"]


def test_its_idempotency_key_is_free_again(catalog: Catalog, order: TicketRequest) -> None:
    """The same request with the same key makes a new image then."""
    first = catalog.tickets.create(order, "key")
    assert catalog.tickets.create(order, "key") == first
    catalog.tickets.delete(first.id, "not needed")
    assert catalog.tickets.keyed("key") is None
    assert catalog.tickets.create(order, "key").id != first.id


def test_nothing_new_is_made_from_it(catalog: Catalog, order: TicketRequest, image: int) -> None:
    """Regenerating it is refused as if it weren't there, with force as well."""
    catalog.tickets.delete(image, "not needed")
    for force in (False, True):
        with pytest.raises(NotFound, match=f"no image {image}"):
            catalog.tickets.create(order.model_copy(update={"parent": image, "force": force}))


def test_what_was_made_from_it_keeps_its_lineage(
    catalog: Catalog, order: TicketRequest, image: int, make_record: Callable[..., Record]
) -> None:
    """The parent's record can be read, and the newest of the lineage is one that isn't deleted."""
    child = catalog.tickets.create(order.model_copy(update={"parent": image}))
    lease = catalog.attempts.begin(child.id, "home-1", in_process=True)
    catalog.attempts.complete(lease, make_record(child.id, parent=image), "Done")
    catalog.tickets.delete(image, "not needed")
    assert catalog.tickets.get(child.id).parent == image
    assert catalog.tickets.record(image) == make_record(image)
    assert catalog.tickets.head(image).id == child.id
    catalog.tickets.delete(child.id, "not needed")
    with pytest.raises(NotFound, match="lineage"):
        catalog.tickets.head(image)


def test_its_place_is_given_back_and_its_success_is_not(catalog: Catalog, image: int) -> None:
    """Its file takes no space of the user's at once; that it was made counts for good."""
    used = {quota.kind: quota.used for quota in catalog.quotas.list("alice")}
    assert (used["diskusage"], used["generation"]) == (1000, 1)
    catalog.tickets.delete(image, "not needed")
    used = {quota.kind: quota.used for quota in catalog.quotas.list("alice")}
    assert (used["diskusage"], used["generation"]) == (0, 1)


def test_what_the_store_still_has_of_it_is_remembered(catalog: Catalog, image: int) -> None:
    """Until somebody notes that it is gone, whatever happens in between."""
    assert catalog.tickets.remains() == ()
    catalog.tickets.cleared(image)
    catalog.tickets.delete(image, "not needed")
    assert catalog.tickets.remains() == ((image, 1),)
    assert catalog.blobs.drop(image) == ("d" * 64, "f" * 64)
    assert catalog.tickets.remains() == ((image, 1),)
    catalog.tickets.cleared(image)
    assert catalog.tickets.remains() == ()


def test_with_its_appliance_only_the_file_goes(catalog: Catalog, image: int) -> None:
    """Record and package files are kept for good, so nothing remains to be removed but the file."""
    assert catalog.tickets.delete(image, "its appliance was deleted", keep=True)
    assert catalog.tickets.remains() == ()
    assert catalog.blobs.doomed() == ("f" * 64,)
    assert catalog.blobs.drop(image) == ("d" * 64,)


def test_housekeeping_still_sees_it(catalog: Catalog, ticket: Ticket) -> None:
    """Its number is known to whoever asks for the deleted ones as well, and is never given again."""
    catalog.tickets.delete(ticket.id, "not needed")
    assert [each.id for each in catalog.tickets.list(deleted=True)] == [ticket.id]
    assert catalog.tickets.list(live=True) == []
    assert catalog.tickets.get(ticket.id).id == ticket.id
    assert catalog.orders.waiting() == []
