"""Tickets: made once for each request, accepted only by the run they were made for, cancelled once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from blocks.catalog import Catalog, Lease, TicketRequest
from blocks.catalog.clock import Now
from blocks.catalog.tables import TICKETS
from blocks.errors import InvalidInput, KeyReused, NotFound, ParentRunning, Refused, UnknownUser
from blocks.model import Record, Ticket


def _reasons(catalog: Catalog, ticket: int) -> list[tuple[str, str]]:
    return [(event.state, event.reason) for event in catalog.events.list(ticket)]


def _child(order: TicketRequest, parent: int, **changes: Any) -> TicketRequest:
    return order.model_copy(update={"parent": parent, **changes})


def _finish(catalog: Catalog, ticket: int, make_record: Callable[..., Record]) -> None:
    lease = catalog.attempts.begin(ticket, "home", in_process=True)
    catalog.attempts.complete(lease, make_record(ticket), "done")


def test_a_new_ticket_is_requested(catalog: Catalog, order: TicketRequest) -> None:
    """A new ticket is as it was asked for, and waits."""
    ticket = catalog.tickets.create(order)
    assert (ticket.user, ticket.appliance, ticket.parent, ticket.policy) == ("alice", 7, None, "refresh")
    assert (ticket.state, ticket.percent, ticket.attempt, ticket.terminal) == ("requested", 0, 0, False)
    assert ticket == catalog.tickets.get(ticket.id)


def test_the_recipe_is_copied(catalog: Catalog, ticket: Ticket, order: TicketRequest) -> None:
    """The ticket keeps the recipe it was made with."""
    assert catalog.tickets.recipe(ticket.id) == order.recipe


def test_the_request_is_the_first_event(catalog: Catalog, ticket: Ticket) -> None:
    """Who asked, and when, is the beginning of the ticket's history."""
    (event,) = catalog.events.list(ticket.id)
    assert (event.state, event.reason) == ("requested", "requested by alice")
    assert abs(event.time - ticket.created) < timedelta(seconds=10)


def test_a_ticket_needs_a_user(catalog: Catalog, order: TicketRequest) -> None:
    """A request of a user that doesn't exist makes no ticket."""
    with pytest.raises(UnknownUser):
        catalog.tickets.create(order.model_copy(update={"user": "nobody"}))
    assert catalog.tickets.list() == []


def test_the_same_key_gives_the_same_ticket(catalog: Catalog, order: TicketRequest) -> None:
    """Asking again with the key makes nothing new, also after the ticket has moved on."""
    first = catalog.tickets.create(order, "key-1")
    catalog.tickets.cancel(first.id, "enough")
    assert catalog.tickets.create(order, "key-1") == catalog.tickets.get(first.id)
    assert len(catalog.tickets.list()) == 1


def test_a_key_for_another_request_is_refused(catalog: Catalog, order: TicketRequest) -> None:
    """The key names one request for ever, and the refusal names its ticket."""
    first = catalog.tickets.create(order, "key-1")
    with pytest.raises(KeyReused, match=f"ticket {first.id}"):
        catalog.tickets.create(order.model_copy(update={"policy": "exact"}), "key-1")
    assert len(catalog.tickets.list()) == 1


def test_a_malformed_key_is_refused(catalog: Catalog, order: TicketRequest) -> None:
    """A key outside its grammar makes no ticket."""
    with pytest.raises(InvalidInput, match="key"):
        catalog.tickets.create(order, "not a key")


def test_without_a_key_each_request_is_new(catalog: Catalog, order: TicketRequest) -> None:
    """Two equal requests without a key are two tickets with rising ids."""
    assert catalog.tickets.create(order).id < catalog.tickets.create(order).id


def test_a_running_parent_is_refused(catalog: Catalog, ticket: Ticket, order: TicketRequest) -> None:
    """Without force a parent that is still being made stays, and no ticket is made."""
    with pytest.raises(ParentRunning, match="requested") as refusal:
        catalog.tickets.create(_child(order, ticket.id))
    assert "force" in refusal.value.hint
    assert catalog.tickets.list() == [ticket]


def test_force_cancels_a_running_parent(catalog: Catalog, lease: Lease, order: TicketRequest) -> None:
    """With force the parent is cancelled, and its history says which request did it."""
    child = catalog.tickets.create(_child(order, lease.ticket, force=True))
    assert child.parent == lease.ticket
    assert catalog.tickets.get(lease.ticket).state == "cancelled"
    state, reason = _reasons(catalog, lease.ticket)[-1]
    assert state == "cancelled"
    assert f"superseded by ticket {child.id}" in reason


def test_an_ended_parent_stays_as_it_is(
    catalog: Catalog, ticket: Ticket, order: TicketRequest, make_record: Callable[..., Record]
) -> None:
    """A complete parent is regenerated with or without force and never changed."""
    _finish(catalog, ticket.id, make_record)
    for force in (False, True):
        assert catalog.tickets.create(_child(order, ticket.id, force=force)).parent == ticket.id
    assert catalog.tickets.get(ticket.id).state == "complete"


@pytest.mark.parametrize(("parent", "appliance"), [(99, 7), (1, 8)])
def test_a_parent_must_be_an_image_of_the_appliance(
    catalog: Catalog, order: TicketRequest, parent: int, appliance: int
) -> None:
    """An unknown image, or one of another appliance, is not found."""
    assert catalog.tickets.create(order).id == 1
    with pytest.raises(NotFound, match=f"Appliance {appliance} has no image {parent}"):
        catalog.tickets.create(_child(order, parent, appliance=appliance))
    assert len(catalog.tickets.list()) == 1


def test_tokens_are_secrets_of_their_tickets(catalog: Catalog, order: TicketRequest) -> None:
    """Every ticket has a long token of its own, which the ticket itself doesn't show."""
    tickets = [catalog.tickets.create(order) for _ in range(3)]
    tokens = {catalog.tickets.token(ticket.id) for ticket in tickets}
    assert len(tokens) == 3
    assert all(len(token) >= 32 for token in tokens)
    assert not any(token in repr(tickets) for token in tokens)


def test_the_run_it_was_made_for_is_accepted(catalog: Catalog, ticket: Ticket) -> None:
    """User, appliance, image and token together give the ticket."""
    assert catalog.tickets.accept(ticket.id, "alice", 7, None, catalog.tickets.token(ticket.id)) == ticket


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"user": "bob"}, "user"),
        ({"appliance": 8}, "appliance"),
        ({"image": 1}, "image"),
        ({"token": "guess"}, "token"),
        ({"user": "bob", "appliance": 8, "image": 1, "token": "gueß"}, "user, appliance, image, token"),
    ],
)
def test_any_other_run_is_refused_with_what_is_wrong(
    catalog: Catalog, ticket: Ticket, changes: dict[str, Any], wrong: str
) -> None:
    """The refusal lists each parameter that doesn't match, and never the right token."""
    token = catalog.tickets.token(ticket.id)
    right: dict[str, Any] = {"user": "alice", "appliance": 7, "image": None, "token": token}
    with pytest.raises(Refused, match="another") as refusal:
        catalog.tickets.accept(ticket.id, **right | changes)
    assert refusal.value.what.endswith(f"another {wrong}")
    assert token not in str(refusal.value)


def test_an_ended_ticket_is_not_accepted(catalog: Catalog, ticket: Ticket) -> None:
    """A run that comes too late is refused with the state."""
    catalog.tickets.cancel(ticket.id, "enough")
    with pytest.raises(Refused, match="cancelled"):
        catalog.tickets.accept(ticket.id, "alice", 7, None, catalog.tickets.token(ticket.id))


def test_only_the_first_cancel_does_it(catalog: Catalog, ticket: Ticket) -> None:
    """Cancelling twice cancels once, and the first reason stays."""
    assert catalog.tickets.cancel(ticket.id, "first")
    assert not catalog.tickets.cancel(ticket.id, "second")
    assert _reasons(catalog, ticket.id)[1:] == [("cancelled", "first")]
    assert catalog.tickets.get(ticket.id).finished is not None


def test_a_complete_ticket_cannot_be_cancelled(
    catalog: Catalog, ticket: Ticket, make_record: Callable[..., Record]
) -> None:
    """A late cancel changes nothing."""
    _finish(catalog, ticket.id, make_record)
    assert not catalog.tickets.cancel(ticket.id, "too late")
    assert catalog.tickets.get(ticket.id).state == "complete"


def test_an_unknown_ticket_is_not_found(catalog: Catalog) -> None:
    """Every question about a ticket that doesn't exist says so."""
    for ask in (
        lambda: catalog.tickets.get(5),
        lambda: catalog.tickets.cancel(5, "no"),
        lambda: catalog.tickets.recipe(5),
        lambda: catalog.tickets.token(5),
        lambda: catalog.tickets.accept(5, "alice", 7, None, "token"),
        lambda: catalog.tickets.set_flow_run(5, "run"),
        lambda: catalog.receipts.add(5, ()),
        lambda: catalog.blobs.take(5, {}),
    ):
        with pytest.raises(NotFound, match="ticket 5"):
            ask()


def test_a_flow_run_is_noted(catalog: Catalog, ticket: Ticket) -> None:
    """The ticket tells which flow run works on it."""
    catalog.tickets.set_flow_run(ticket.id, "run-9")
    assert catalog.tickets.get(ticket.id).flow_run == "run-9"


def test_tickets_are_listed_oldest_first_and_filtered(catalog: Catalog, order: TicketRequest) -> None:
    """User, appliance, parent and being unfinished each narrow the list."""
    first = catalog.tickets.create(order)
    catalog.tickets.cancel(first.id, "enough")
    child = catalog.tickets.create(_child(order, first.id))
    other = catalog.tickets.create(order.model_copy(update={"user": "bob", "appliance": 8}))
    listed = {
        "all": catalog.tickets.list(),
        "user": catalog.tickets.list(user="bob"),
        "appliance": catalog.tickets.list(appliance=7),
        "parent": catalog.tickets.list(parent=first.id),
        "live": catalog.tickets.list(live=True),
    }
    assert {name: [ticket.id for ticket in tickets] for name, tickets in listed.items()} == {
        "all": [first.id, child.id, other.id],
        "user": [other.id],
        "appliance": [first.id, child.id],
        "parent": [child.id],
        "live": [child.id, other.id],
    }


def test_an_imported_record_becomes_a_complete_ticket(catalog: Catalog, make_record: Callable[..., Record]) -> None:
    """Adopting gives a new id, keeps the generation as it is, and notes whether there is a file."""
    record = make_record(41, attempt=3)
    ticket = catalog.tickets.adopt(record, has_file=False)
    assert (ticket.state, ticket.percent, ticket.user, ticket.appliance) == ("complete", 100, "alice", 7)
    assert ticket.created == record.generation.created
    stored = catalog.tickets.record(ticket.id)
    assert stored == record.model_copy(update={"ticket": ticket.id})
    assert not catalog.tickets.has_file(ticket.id)
    assert catalog.tickets.recipe(ticket.id) == record.generation.recipe
    assert _reasons(catalog, ticket.id) == [("complete", "imported from its record")]


def test_an_imported_record_keeps_its_lineage_only_here(catalog: Catalog, make_record: Callable[..., Record]) -> None:
    """A parent is kept if it is an image of the same owner and appliance, and dropped if it is unknown or foreign."""
    parent = catalog.tickets.adopt(make_record(41), has_file=True)
    assert catalog.tickets.has_file(parent.id)
    assert catalog.tickets.adopt(make_record(42, parent=parent.id), has_file=True).parent == parent.id
    assert catalog.tickets.adopt(make_record(42, parent=99), has_file=True).parent is None
    assert catalog.tickets.adopt(make_record(42, parent=parent.id, user="bob"), has_file=True).parent is None


def test_an_unfinished_ticket_has_neither_record_nor_lock(catalog: Catalog, ticket: Ticket) -> None:
    """What isn't known yet is None."""
    assert catalog.tickets.record(ticket.id) is None
    assert catalog.tickets.lock(ticket.id) is None
    assert not catalog.tickets.has_file(ticket.id)


def _end_ago(catalog: Catalog, seconds: dict[int, float]) -> None:
    with catalog.database.writing() as connection:
        for number, ago in seconds.items():
            connection.execute(update(TICKETS).where(TICKETS.c.id == number).values(finished=Now() - ago))


def test_a_key_is_forgotten_long_after_its_ticket_s_end(catalog: Catalog, order: TicketRequest) -> None:
    """Then it may be used again, once; that of a ticket that goes on, or ended lately, is kept."""
    old, new, live = (catalog.tickets.create(order, key).id for key in ("old", "new", "live"))
    nameless = catalog.tickets.create(order).id
    for number in (old, new, nameless):
        catalog.tickets.cancel(number, "enough")
    _end_ago(catalog, {old: 100.0, nameless: 100.0})
    assert catalog.tickets.forget_keys(60) == (old,)
    assert catalog.tickets.forget_keys(60) == ()
    assert [catalog.tickets.keyed(key) for key in ("old", "new", "live")] == [None, new, live]
    assert catalog.tickets.create(order, "old").id not in (old, new, live)


def test_tickets_are_told_by_when_they_ended(catalog: Catalog, order: TicketRequest) -> None:
    """Lately or long ago; those that go on by neither."""
    old, new, _live = (catalog.tickets.create(order).id for _ in range(3))
    for number in (old, new):
        catalog.tickets.cancel(number, "enough")
    _end_ago(catalog, {old: 100.0})
    assert [ticket.id for ticket in catalog.tickets.ended(60)] == [new]
    assert [ticket.id for ticket in catalog.tickets.ended(200)] == [old, new]
    assert catalog.tickets.ended_before(60) == {old}
    assert catalog.tickets.ended_before(200) == set()
