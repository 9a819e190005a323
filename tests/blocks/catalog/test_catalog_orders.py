"""Orders: what a run is handed with its ticket, which tickets nobody works on, and the head of a lineage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from blocks.catalog import Catalog, TicketRequest
from blocks.catalog.tables import TICKETS
from blocks.errors import NotFound
from blocks.model import Record, Ticket

PLAN = "0123456789abcdef"
Make = Callable[..., int]


@pytest.fixture
def complete(catalog: Catalog, order: TicketRequest, make_record: Callable[..., Record]) -> Make:
    """Makes a complete ticket with a parent; gives its number."""

    def make(parent: int | None = None, **changes: Any) -> int:
        ticket = catalog.tickets.create(order.model_copy(update={"parent": parent, **changes}))
        lease = catalog.attempts.begin(ticket.id, "home", in_process=True)
        return catalog.attempts.complete(lease, make_record(ticket.id, parent=parent, user=ticket.user), "done").id

    return make


def test_an_order_has_what_a_run_needs(catalog: Catalog, order: TicketRequest, ticket: Ticket) -> None:
    """Everything that was asked for, and the token of its dispatch."""
    wanted = order.model_copy(update={"parent": ticket.id, "policy": "exact", "rebuild": True, "plan": PLAN})
    catalog.tickets.cancel(ticket.id, "enough")
    made = catalog.tickets.create(wanted)
    found = catalog.orders.get(made.id)
    assert (found.user, found.appliance, found.image, found.policy) == ("alice", 7, ticket.id, "exact")
    assert (found.rebuild, found.plan, found.token) == (True, PLAN, catalog.tickets.token(made.id))
    first = catalog.orders.get(ticket.id)
    assert (first.image, first.plan, first.rebuild, found.asked) == (None, None, False, {})
    same = ("format", "compress", "target", "simulated", "check_dependencies")
    sizes = {"disk_size": 2048, "memory_size": 1024, "swap_size": 0}
    assert first.asked == {name: getattr(order.recipe, name) for name in same} | sizes


def test_an_unknown_ticket_has_no_order(catalog: Catalog) -> None:
    """It is not found."""
    with pytest.raises(NotFound):
        catalog.orders.get(99)


@pytest.mark.parametrize("plan", ["", "x" * 16, PLAN.upper(), PLAN * 2])
def test_a_plan_outside_its_grammar_is_refused(order: TicketRequest, plan: str) -> None:
    """A plan is named by sixteen hexadecimal digits."""
    with pytest.raises(ValidationError):
        TicketRequest.model_validate(order.model_dump() | {"plan": plan})


def test_tickets_that_nobody_works_on_are_told_apart(catalog: Catalog, order: TicketRequest) -> None:
    """Those that no run was found for, only once they are old enough, and those whose run hasn't begun."""
    lost, waiting, begun, ended = (catalog.tickets.create(order).id for _ in range(4))
    catalog.tickets.set_flow_run(waiting, "run-1")
    catalog.attempts.begin(begun, "home", in_process=True)
    catalog.tickets.cancel(ended, "enough")
    assert catalog.orders.undispatched(60) == []
    with catalog.database.writing() as connection:
        connection.execute(TICKETS.update().values(created=catalog.tickets.get(lost).created.replace(year=2020)))
    assert catalog.orders.undispatched(60) == [lost]
    assert [each.id for each in catalog.orders.waiting()] == [waiting]


def test_the_head_is_the_newest_complete_image(catalog: Catalog, order: TicketRequest, complete: Make) -> None:
    """Asked from anywhere in the lineage, whatever was made in between or isn't complete."""
    root = complete()
    left, right = complete(root), complete(root)
    newest = complete(left)
    complete()
    catalog.tickets.create(order.model_copy(update={"parent": newest}))
    for image in (root, left, right, newest):
        assert catalog.tickets.head(image).id == newest


def test_the_head_may_be_the_image_itself(catalog: Catalog, complete: Make) -> None:
    """When nothing was made of it."""
    image = complete()
    assert catalog.tickets.head(image).id == image


def test_a_lineage_without_a_complete_image_has_no_head(catalog: Catalog, ticket: Ticket) -> None:
    """It is not found, like an image that doesn't exist."""
    for number in (ticket.id, 99):
        with pytest.raises(NotFound):
            catalog.tickets.head(number)


def test_somebody_else_s_image_is_not_the_head(catalog: Catalog, complete: Make) -> None:
    """What another user made of the image belongs to another line."""
    root = complete()
    complete(root, user="bob")
    assert catalog.tickets.head(root).id == root


def test_who_acts_for_others_follows_its_own_images_too(catalog: Catalog, complete: Make) -> None:
    """From the owner's image and from its own; the owner's line goes on without it."""
    root = complete()
    own = complete(root, user="bob")
    assert catalog.tickets.head(root, "bob").id == own
    assert catalog.tickets.head(own).id == own
    assert catalog.tickets.head(root, "alice").id == root
    assert catalog.tickets.head(own, "alice").id == own
    newest = complete(own, user="bob")
    assert {catalog.tickets.head(number, "bob").id for number in (root, own, newest)} == {newest}


def test_only_a_ticket_whose_run_has_not_begun_is_ended_in_error(catalog: Catalog, order: TicketRequest) -> None:
    """A run that begins in the meantime wins."""
    idle, begun = (catalog.tickets.create(order).id for _ in range(2))
    catalog.attempts.begin(begun, "home", in_process=True)
    assert [catalog.orders.end(number, "its run failed") for number in (idle, begun, idle)] == [True, False, False]
    ended = catalog.tickets.get(idle)
    assert (ended.state, ended.error, catalog.tickets.get(begun).state) == ("error", "its run failed", "planning")


def test_a_ticket_that_has_its_run_keeps_it(catalog: Catalog, ticket: Ticket) -> None:
    """Whoever hands it over too late changes nothing."""
    catalog.attempts.begin(ticket.id, "home", "run-1", in_process=True)
    catalog.tickets.set_flow_run(ticket.id, "run-2")
    assert catalog.tickets.get(ticket.id).flow_run == "run-1"


def test_a_ticket_that_waits_for_its_restart_waits(catalog: Catalog, ticket: Ticket) -> None:
    """It is among those whose run has not begun, and can be ended in error like them."""
    lease = catalog.attempts.begin(ticket.id, "home", "run-1", in_process=False)
    assert catalog.orders.waiting() == []
    catalog.attempts.hand_back(lease)
    (waiting,) = catalog.orders.waiting()
    assert (waiting.id, waiting.attempt, waiting.flow_run) == (ticket.id, 1, "run-1")
    assert catalog.orders.undispatched(-1) == []
    assert catalog.orders.end(ticket.id, "its run was deleted")
    assert catalog.tickets.get(ticket.id).error == "its run was deleted"


def test_a_ticket_remembers_the_blocks_it_was_asked_with(catalog: Catalog, ticket: Ticket) -> None:
    """The first time counts; without any there are none."""
    assert catalog.orders.get(ticket.id).blocks == {}
    catalog.orders.ask_with(ticket.id, {"store": None, "catalog": "main"})
    catalog.orders.ask_with(ticket.id, {"store": "other"})
    assert catalog.orders.get(ticket.id).blocks == {"catalog": "main", "store": None}
    with pytest.raises(NotFound):
        catalog.orders.ask_with(99, {})
