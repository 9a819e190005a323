"""Quotas: what counts, what gives back, and that nothing gets past them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from blocks.catalog import Catalog, Lease, TicketRequest
from blocks.catalog.tables import GENERATIONS, USERS
from blocks.errors import InvalidInput, QuotaExceeded, UnknownUser
from blocks.model import Appliance, ImageFile, Record, Ticket
from blocks.model.quota import Quota, QuotaKind
from blocks.model.record import Outcome

Made = Callable[..., Record]


def _quota(catalog: Catalog, kind: QuotaKind, user: str = "alice") -> Quota:
    return next(each for each in catalog.quotas.list(user) if each.kind == kind)


def _begin(catalog: Catalog, order: TicketRequest) -> Lease:
    return catalog.attempts.begin(catalog.tickets.create(order).id, "home", in_process=True)


def _complete(
    catalog: Catalog,
    order: TicketRequest,
    made: Made,
    content: str = "f",
    size: int = 1000,
    outcome: Outcome = "rebuilt",
) -> Ticket:
    lease = _begin(catalog, order)
    return _settle(catalog, lease, made, content, size, outcome)


def _settle(
    catalog: Catalog, lease: Lease, made: Made, content: str = "f", size: int = 1000, outcome: Outcome = "rebuilt"
) -> Ticket:
    file = ImageFile(name="server.qcow2", format="qcow2", compression="zstd", size=size, sha256=content * 64)
    record = made(lease.ticket)
    generation = record.generation.model_copy(update={"file": file, "outcome": outcome})
    catalog.blobs.take(lease.ticket, {file.sha256: size, "a" * 64: 77})
    return catalog.attempts.complete(lease, record.model_copy(update={"generation": generation}), "done")


def test_without_a_quota_there_is_no_limit(catalog: Catalog, order: TicketRequest, make_record: Made) -> None:
    """Everything is counted all the same."""
    _complete(catalog, order, make_record)
    catalog.tickets.create(order)
    catalog.appliances.add("alice", Appliance(name="server"))
    catalog.quotas.check("alice")
    assert [(each.kind, each.limit, each.used, each.reserved) for each in catalog.quotas.list("alice")] == [
        ("appliance", None, 1, 0),
        ("generation", None, 1, 1),
        ("diskusage", None, 1000, 0),
    ]


def test_a_quota_is_set_replaced_and_lifted(catalog: Catalog) -> None:
    """Each time the whole of it, for one user and one kind."""
    assert catalog.quotas.set("alice", "generation", 3, "monthly").limit == 3
    assert catalog.quotas.set("alice", "generation", 5) == _quota(catalog, "generation")
    assert (_quota(catalog, "generation").limit, _quota(catalog, "generation").frequency) == (5, "none")
    assert catalog.quotas.set("alice", "diskusage", 2**45).limit == 2**45
    assert catalog.quotas.set("alice", "generation", None).limit is None
    assert {each.limit for each in catalog.quotas.list("bob")} == {None}


def test_a_quota_that_cannot_be_is_refused(catalog: Catalog) -> None:
    """For nobody, below nothing, or bytes by the month."""
    with pytest.raises(UnknownUser):
        catalog.quotas.set("nobody", "generation", 1)
    with pytest.raises(UnknownUser):
        catalog.quotas.list("nobody")
    with pytest.raises(InvalidInput):
        catalog.quotas.set("alice", "generation", -1)
    with pytest.raises(InvalidInput):
        catalog.quotas.set("alice", "diskusage", 1, "monthly")


def test_a_ticket_holds_a_place_until_it_ends(catalog: Catalog, order: TicketRequest) -> None:
    """At the limit no ticket is made, the refusal tells the numbers; an error and a cancel give the place back."""
    catalog.quotas.set("alice", "generation", 2)
    first, second = catalog.tickets.create(order), _begin(catalog, order)
    with pytest.raises(QuotaExceeded, match=r"generation of alice .* 0 of 2 are made and 2 not ended") as refusal:
        catalog.tickets.create(order)
    assert "reforge quota set" in refusal.value.hint
    assert len(catalog.tickets.list()) == 2
    catalog.tickets.cancel(first.id, "enough")
    catalog.attempts.fail(second, "broken")
    assert _quota(catalog, "generation").reserved == 0
    catalog.tickets.create(order)
    catalog.tickets.create(order)


def test_only_a_success_counts(catalog: Catalog, order: TicketRequest, make_record: Made) -> None:
    """Rebuilt or put together from what was there; nothing changed counts nothing. Deleting gives nothing back."""
    outcomes: tuple[Outcome, ...] = ("rebuilt", "unchanged", "reused")
    made = [_complete(catalog, order, make_record, outcome=outcome) for outcome in outcomes]
    assert _quota(catalog, "generation").used == 2
    catalog.blobs.drop(made[0].id)
    assert _quota(catalog, "generation").used == 2
    catalog.quotas.set("alice", "generation", 2)
    for refused in (lambda: catalog.tickets.create(order), lambda: catalog.quotas.check("alice")):
        with pytest.raises(QuotaExceeded, match="2 of 2"):
            refused()


def test_completing_twice_counts_once(catalog: Catalog, lease: Lease, make_record: Made) -> None:
    """An answer that was lost and asked for again is the same success."""
    for _ in range(2):
        catalog.attempts.complete(lease, make_record(lease.ticket), "done")
    assert _quota(catalog, "generation").used == 1


def test_an_imported_record_is_no_generation(catalog: Catalog, make_record: Made) -> None:
    """It was made elsewhere."""
    catalog.tickets.adopt(make_record(1), has_file=False)
    assert _quota(catalog, "generation").used == 0


def test_months_begin_anew(catalog: Catalog, order: TicketRequest, make_record: Made) -> None:
    """What was made before the month doesn't count in it; the refusal tells when the next one begins."""
    catalog.quotas.set("alice", "generation", 1, "monthly")
    ticket = _complete(catalog, order, make_record)
    with pytest.raises(QuotaExceeded) as refusal:
        catalog.quotas.check("alice")
    renews = _quota(catalog, "generation").renews
    assert renews is not None
    assert timedelta(0) < renews - ticket.created < timedelta(days=32)
    assert f"until {renews:%Y-%m-%d}" in refusal.value.hint
    with catalog.database.writing() as connection:
        for table, column in ((GENERATIONS, "finished"), (USERS, "created")):
            connection.execute(table.update().values({column: ticket.created - timedelta(days=40)}))
    assert _quota(catalog, "generation").used == 0
    catalog.tickets.create(order)


def test_the_key_of_a_ticket_is_answered_whatever_the_quota(catalog: Catalog, order: TicketRequest) -> None:
    """It asks for nothing new."""
    catalog.quotas.set("alice", "generation", 1)
    ticket = catalog.tickets.create(order, "key-1")
    assert catalog.tickets.create(order, "key-1") == ticket
    assert (catalog.tickets.keyed("key-1"), catalog.tickets.keyed("key-2"), catalog.tickets.keyed(None)) == (
        ticket.id,
        None,
        None,
    )


def test_force_gives_the_new_ticket_the_place_of_the_old(catalog: Catalog, order: TicketRequest) -> None:
    """The parent that it cancels counts no more."""
    catalog.quotas.set("alice", "generation", 1)
    parent = catalog.tickets.create(order)
    child = order.model_copy(update={"parent": parent.id, "force": True})
    assert catalog.tickets.create(child).parent == parent.id
    assert catalog.tickets.get(parent.id).state == "cancelled"


def test_when_run_the_earlier_ticket_goes_first(catalog: Catalog, order: TicketRequest, make_record: Made) -> None:
    """If the limit was lowered, those asked for first may run, and the others may not, until there is room."""
    first, second = catalog.tickets.create(order), catalog.tickets.create(order)
    catalog.quotas.set("alice", "generation", 1)
    catalog.quotas.check("alice", first.id)
    with pytest.raises(QuotaExceeded, match="1 not ended"):
        catalog.quotas.check("alice", second.id)
    catalog.tickets.cancel(first.id, "enough")
    catalog.quotas.check("alice", second.id)
    lease = catalog.attempts.begin(second.id, "home", in_process=True)
    _settle(catalog, lease, make_record)


def test_a_file_counts_once_and_until_it_is_deleted(catalog: Catalog, order: TicketRequest, make_record: Made) -> None:
    """Two tickets on the same bytes occupy them once; when both have given them up, nothing is occupied."""
    first = _complete(catalog, order, make_record)
    second = _complete(catalog, order, make_record, outcome="unchanged")
    _complete(catalog, order, make_record, content="e", size=50)
    _complete(catalog, order.model_copy(update={"user": "bob"}), lambda number: make_record(number, user="bob"))
    assert _quota(catalog, "diskusage").used == 1050
    catalog.blobs.drop(first.id)
    assert _quota(catalog, "diskusage").used == 1050
    catalog.blobs.drop(second.id)
    assert _quota(catalog, "diskusage").used == 50
    assert _quota(catalog, "diskusage", "bob").used == 1000


def test_an_image_that_does_not_fit_is_not_kept(catalog: Catalog, order: TicketRequest, make_record: Made) -> None:
    """Its ticket doesn't become complete, and can end in error; nothing is counted."""
    catalog.quotas.set("alice", "diskusage", 1500)
    _complete(catalog, order, make_record)
    lease = _begin(catalog, order)
    with pytest.raises(QuotaExceeded, match="1000 of 1500 bytes are used, the image needs 501") as refusal:
        _settle(catalog, lease, make_record, content="e", size=501)
    assert "Delete images" in refusal.value.hint
    assert catalog.attempts.fail(lease, "no room").state == "error"
    assert (_quota(catalog, "diskusage").used, _quota(catalog, "generation").used) == (1000, 1)
    catalog.quotas.check("alice")
    _complete(catalog, order, make_record, content="d", size=500)
    with pytest.raises(QuotaExceeded, match="1500 of 1500"):
        catalog.quotas.check("alice")


def test_unchanged_fits_always(catalog: Catalog, order: TicketRequest, make_record: Made) -> None:
    """The same file takes no more room than it has."""
    catalog.quotas.set("alice", "diskusage", 1000)
    _complete(catalog, order, make_record)
    assert _complete(catalog, order, make_record, outcome="unchanged").state == "complete"


def test_an_imported_file_takes_room(catalog: Catalog, make_record: Made) -> None:
    """An image that comes with its file is counted and refused like one that was made."""
    catalog.quotas.set("alice", "diskusage", 999)
    with pytest.raises(QuotaExceeded):
        catalog.tickets.adopt(make_record(1), has_file=True)
    assert catalog.tickets.list() == []
    assert catalog.tickets.adopt(make_record(1), has_file=False).state == "complete"
    catalog.quotas.set("alice", "diskusage", 1000)
    catalog.blobs.take(catalog.tickets.adopt(make_record(1), has_file=True).id, {"f" * 64: 1000})
    assert _quota(catalog, "diskusage").used == 1000


def test_appliances_are_limited(catalog: Catalog) -> None:
    """One too many isn't made, one that is there may change, and deleting one makes room."""
    catalog.quotas.set("alice", "appliance", 1)
    first = catalog.appliances.add("alice", Appliance(name="server"))
    with pytest.raises(QuotaExceeded, match=r"appliance of alice .* 1 of 1 exist"):
        catalog.appliances.add("alice", Appliance(name="desktop"))
    assert catalog.appliances.add("alice", Appliance(name="server")) == first
    catalog.appliances.delete(first)
    catalog.appliances.add("alice", Appliance(name="desktop"))
    assert _quota(catalog, "appliance").used == 1


def test_a_limit_below_what_is_used_takes_nothing_away(catalog: Catalog) -> None:
    """It only refuses what is new."""
    for name in ("one", "two"):
        catalog.appliances.add("alice", Appliance(name=name))
    catalog.quotas.set("alice", "appliance", 0)
    assert len(catalog.appliances.list("alice")) == 2
