"""Appliances: one for each user, name and version."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from blocks.catalog import Catalog, TicketRequest
from blocks.catalog.tables import APPLIANCES
from blocks.errors import NotFound, Refused, UnknownUser
from blocks.model import Appliance, OSProfile, Search

SERVER = Appliance(name="server", os_profile=OSProfile(suite="bookworm"))
_BEFORE = datetime(2026, 1, 2, tzinfo=UTC)
CHANGED = SERVER.model_copy(update={"policy": "exact"})


def test_an_appliance_comes_back_as_it_was_imported(catalog: Catalog) -> None:
    """Owner and content are what was given."""
    stored = catalog.appliances.get(catalog.appliances.add("alice", SERVER))
    assert (stored.user, stored.appliance) == ("alice", SERVER)


def test_the_same_import_again_is_the_same_appliance(catalog: Catalog) -> None:
    """An identical import keeps id and revision."""
    number = catalog.appliances.add("alice", SERVER)
    assert catalog.appliances.add("alice", SERVER) == number
    assert catalog.appliances.get(number).appliance.revision == 1


def test_a_changed_import_raises_the_revision(catalog: Catalog) -> None:
    """A changed import replaces the content under the same id, with the next revision."""
    number = catalog.appliances.add("alice", SERVER)
    assert catalog.appliances.add("alice", CHANGED) == number
    stored = catalog.appliances.get(number).appliance
    assert (stored.policy, stored.revision) == ("exact", 2)


def test_users_do_not_share_appliances(catalog: Catalog) -> None:
    """The same name and version of two users are two appliances."""
    first, second = catalog.appliances.add("alice", SERVER), catalog.appliances.add("bob", SERVER)
    assert first != second
    assert [stored.id for stored in catalog.appliances.list("bob")] == [second]
    assert [stored.id for stored in catalog.appliances.list()] == [first, second]


def test_an_appliance_needs_a_user(catalog: Catalog) -> None:
    """Nobody's appliance isn't taken."""
    with pytest.raises(UnknownUser):
        catalog.appliances.add("nobody", SERVER)


def test_replacing_raises_the_revision_only_for_a_change(catalog: Catalog) -> None:
    """Replacing by the same content changes nothing."""
    number = catalog.appliances.add("alice", SERVER)
    assert catalog.appliances.replace(number, SERVER).appliance.revision == 1
    assert catalog.appliances.replace(number, CHANGED).appliance.revision == 2
    assert catalog.appliances.get(number).appliance == CHANGED.model_copy(update={"revision": 2})


def test_an_appliance_tells_its_age(catalog: Catalog) -> None:
    """When it was made stays; when it changed last is told, and the same again is no change."""
    number = catalog.appliances.add("alice", SERVER)
    with catalog.database.writing() as connection:
        connection.execute(update(APPLIANCES).values(created=_BEFORE, changed=_BEFORE))
    assert catalog.appliances.replace(number, SERVER).changed == _BEFORE
    changed = catalog.appliances.replace(number, CHANGED)
    assert changed.created == _BEFORE
    assert changed.changed > _BEFORE
    assert catalog.appliances.get(number) == changed


def test_what_is_searched_by_follows_what_changes(catalog: Catalog) -> None:
    """A new revision, another suite and no OS profile at all are found at once."""
    number = catalog.appliances.add("alice", SERVER)
    for appliance, query in (
        (CHANGED, "revision==2;distributionName=='Debian bookworm'"),
        (SERVER.model_copy(update={"os_profile": OSProfile(suite="trixie")}), "distributionName==*trixie"),
        (Appliance(name="other", version="2"), "name==other;version==2;archName=='';revision==4"),
    ):
        catalog.appliances.replace(number, appliance)
        assert [row.id for row in catalog.appliances.search("alice", Search(query=query)).rows] == [number]


def test_a_name_of_another_appliance_is_refused(catalog: Catalog) -> None:
    """Renaming onto another appliance of the user is refused and changes nothing."""
    catalog.appliances.add("alice", SERVER)
    other = catalog.appliances.add("alice", Appliance(name="other"))
    with pytest.raises(Refused, match="another appliance"):
        catalog.appliances.replace(other, SERVER)
    assert catalog.appliances.get(other).appliance.name == "other"


def test_what_is_not_there_is_not_found(catalog: Catalog) -> None:
    """Reading, replacing and deleting an unknown appliance says so."""
    for use in (
        lambda: catalog.appliances.get(5),
        lambda: catalog.appliances.replace(5, SERVER),
        lambda: catalog.appliances.delete(5),
    ):
        with pytest.raises(NotFound, match="5"):
            use()


def test_an_id_is_never_used_again(catalog: Catalog) -> None:
    """A deleted appliance's id stays its own."""
    number = catalog.appliances.add("alice", SERVER)
    catalog.appliances.delete(number)
    assert catalog.appliances.add("alice", SERVER) > number


def test_tickets_outlive_their_appliance(catalog: Catalog, order: TicketRequest) -> None:
    """Deleting an appliance keeps its image tickets, with its id."""
    number = catalog.appliances.add("alice", SERVER)
    ticket = catalog.tickets.create(order.model_copy(update={"appliance": number}))
    catalog.appliances.delete(number)
    assert catalog.tickets.get(ticket.id).appliance == number
