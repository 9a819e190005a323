"""Restoration: an empty catalog gets back what records tell, with the ids that it had."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from blocks.catalog import Catalog, TicketRequest
from blocks.errors import Contradiction, Refused, UnknownUser
from blocks.model import Appliance, Record


def test_a_ticket_is_again_what_it_was(catalog: Catalog, make_record: Callable[..., Record]) -> None:
    """Complete, with its id, its attempt, its parent, its record and its file; children may come before parents."""
    child, parent = make_record(41, attempt=3, parent=40), make_record(40)
    for record in (child, parent):
        catalog.tickets.restore(record, has_file=record is child)
    found = catalog.tickets.get(41)
    assert (found.user, found.appliance, found.parent, found.attempt) == ("alice", 7, 40, 3)
    assert (found.state, found.percent, found.created) == ("complete", 100, child.generation.created)
    assert found.finished == found.created
    assert catalog.tickets.record(41) == child
    assert [catalog.tickets.has_file(number) for number in (40, 41)] == [False, True]
    assert [(event.state, event.reason) for event in catalog.events.list(41)] == [
        ("complete", "restored from its record")
    ]
    assert catalog.tickets.head(40).id == 41
    assert catalog.tickets.recipe(41) == child.generation.recipe


def test_what_was_made_counts_when_it_was_made(catalog: Catalog, make_record: Callable[..., Record]) -> None:
    """Restoring is refused by no quota, and gives none back; what was unchanged never counted."""
    catalog.quotas.set("alice", "generation", 1)
    unchanged = make_record(3)
    generation = unchanged.generation.model_copy(update={"outcome": "unchanged"})
    for record in (make_record(1), make_record(2), unchanged.model_copy(update={"generation": generation})):
        catalog.tickets.restore(record, has_file=True)
    assert next(each.used for each in catalog.quotas.list("alice") if each.kind == "generation") == 2


def test_nothing_that_is_there_is_restored_over(
    catalog: Catalog, order: TicketRequest, make_record: Callable[..., Record]
) -> None:
    """A ticket or an appliance of that id stays what it is, and nothing of the record is written."""
    ticket = catalog.tickets.create(order)
    with pytest.raises(Contradiction, match="a ticket 1 already"):
        catalog.tickets.restore(make_record(ticket.id), has_file=True)
    assert catalog.tickets.get(ticket.id) == ticket
    assert catalog.tickets.record(ticket.id) is None
    kept = catalog.appliances.get(catalog.appliances.add("alice", Appliance(name="one", version="1")))
    with pytest.raises(Contradiction, match="an appliance 1 already"):
        catalog.appliances.restore(1, "alice", Appliance(name="other", version="1"))
    with pytest.raises(Refused, match="another appliance one 1"):
        catalog.appliances.restore(2, "alice", Appliance(name="one", version="1"))
    assert catalog.appliances.list() == [kept]


def test_who_owns_it_comes_first(catalog: Catalog, make_record: Callable[..., Record]) -> None:
    """A record or an appliance of a user that isn't there is not restored."""
    with pytest.raises(UnknownUser):
        catalog.tickets.restore(make_record(1, user="carol"), has_file=True)
    with pytest.raises(UnknownUser):
        catalog.appliances.restore(1, "carol", Appliance(name="one", version="1"))


def test_a_user_comes_back_with_no_right(catalog: Catalog) -> None:
    """Inactive and without password, its organisation with it; one that is there stays as it is."""
    restored = catalog.users.restore("carol", "laboratory")
    assert (restored.active, restored.has_password, restored.entitlements) == (False, False, frozenset())
    assert restored.organization == "laboratory"
    assert [each.name for each in catalog.organizations.list()] == ["default", "laboratory"]
    before = catalog.users.get("alice")
    assert catalog.users.restore("alice") == before


def test_an_appliance_has_its_id_again(catalog: Catalog) -> None:
    """And its revision."""
    appliance = Appliance(name="one", version="1", revision=5)
    restored = catalog.appliances.restore(12, "alice", appliance)
    assert (restored.id, restored.user, restored.appliance) == (12, "alice", appliance)
    assert catalog.appliances.get(12) == restored


def test_new_ids_keep_their_distance(
    catalog: Catalog, order: TicketRequest, make_record: Callable[..., Record]
) -> None:
    """From 1000 above the greatest that ever was, or that the store tells of; so no old link leads to another."""
    catalog.tickets.restore(make_record(40), has_file=True)
    catalog.appliances.restore(12, "alice", Appliance(name="one", version="1"))
    catalog.leap()
    assert catalog.tickets.create(order).id == 1040
    assert catalog.appliances.add("alice", Appliance(name="two", version="1")) == 1012
    catalog.appliances.delete(1012)
    catalog.leap(beyond=5000)
    assert catalog.tickets.create(order).id == 6000
    assert catalog.appliances.add("alice", Appliance(name="two", version="1")) == 2012


def test_an_empty_catalog_leaps_too(catalog: Catalog, order: TicketRequest) -> None:
    """For the images of a store whose files are all broken existed as well."""
    catalog.leap()
    assert catalog.tickets.create(order).id >= 1000
