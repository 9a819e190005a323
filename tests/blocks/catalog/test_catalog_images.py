"""Images as their owners see them: each with its file and its key, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import update

from blocks.catalog import Catalog, Lease, TicketRequest
from blocks.catalog.tables import TICKETS
from blocks.errors import NotFound
from blocks.model import Appliance, Evidence, Lock, OSProfile, Record, Search, Ticket
from blocks.model.record import Generation
from tests.blocks.catalog.conftest import RECIPE

_MANY = 10**30


@pytest.fixture
def appliance(catalog: Catalog) -> int:
    """An appliance of alice's."""
    return catalog.appliances.add("alice", Appliance(name="server", os_profile=OSProfile(suite="bookworm")))


def _age(catalog: Catalog, number: int) -> None:
    """Have the ticket changed an hour ago."""
    with catalog.database.writing() as connection:
        connection.execute(
            update(TICKETS)
            .where(TICKETS.c.id == number)
            .values(changed=catalog.images.get("alice", 7, number).changed - timedelta(hours=1))
        )


def test_an_image_is_shown_with_its_ticket_and_its_recipe(catalog: Catalog, ticket: Ticket) -> None:
    """Before anything was made of it: the ticket's owner, when it was asked for, a key, and no file."""
    row = catalog.images.get("alice", 7, ticket.id)
    assert (row.ticket, row.owner, row.recipe) == (ticket, "alice", RECIPE)
    assert abs(row.changed - ticket.created) < timedelta(seconds=5)
    assert (row.record, row.file) == (None, None)
    assert len(row.download_key) > 30
    assert row.download_key not in repr(row)


def test_a_complete_image_has_its_file(catalog: Catalog, lease: Lease, make_record: Callable[..., Record]) -> None:
    """Name, size and digest as in the record, and the attempt that wrote that."""
    record = make_record(lease.ticket)
    catalog.attempts.complete(lease, record, "Done")
    row = catalog.images.get("alice", 7, lease.ticket)
    file = record.generation.file
    assert file is not None
    assert row.file is not None
    assert (row.file.name, row.file.size, row.file.sha256) == (file.name, file.size, file.sha256)
    assert (row.record, row.ticket.state) == (1, "complete")


def test_a_record_without_its_file_shows_none(catalog: Catalog, make_record: Callable[..., Record]) -> None:
    """Imported or restored from a record, an image has the file only if the store has it; each has a key."""
    rows = [
        catalog.images.get("alice", 7, catalog.tickets.adopt(make_record(50), has_file=False).id),
        catalog.images.get("alice", 7, catalog.tickets.restore(make_record(60, attempt=3), has_file=True).id),
    ]
    assert [row.file is None for row in rows] == [True, False]
    assert [row.record for row in rows] == [1, 3]
    assert len({row.download_key for row in rows}) == 2


@pytest.mark.parametrize(
    "place", [("bob", 7, 1), ("alice", 8, 1), ("alice", 7, 2), ("alice", 7, _MANY), ("alice", _MANY, 1)]
)
def test_what_is_not_the_owner_s_is_not_there(catalog: Catalog, ticket: Ticket, place: tuple[str, int, int]) -> None:
    """Another user's, another appliance's, an unknown one, and numbers beyond all bounds."""
    assert ticket.id == 1
    with pytest.raises(NotFound):
        catalog.images.get(*place)


def test_the_owner_is_the_appliance_s(catalog: Catalog, order: TicketRequest, appliance: int) -> None:
    """What a supervisor has made of an appliance is its owner's image, also when the appliance is restored later."""
    mine = order.model_copy(update={"appliance": appliance, "user": "bob"})
    ticket = catalog.tickets.create(mine)
    assert catalog.images.get("alice", appliance, ticket.id).ticket.user == "bob"
    assert catalog.images.list("bob").total == 0
    early = catalog.tickets.create(mine.model_copy(update={"appliance": 90}))
    assert catalog.images.list("bob").total == 1
    catalog.appliances.restore(90, "alice", Appliance(name="restored"))
    assert catalog.images.get("alice", 90, early.id).owner == "alice"


def test_without_its_appliance_an_image_is_its_user_s(catalog: Catalog, order: TicketRequest, appliance: int) -> None:
    """When the appliance goes, what wasn't deleted with it belongs to whom it was made for, at once."""
    ticket = catalog.tickets.create(order.model_copy(update={"appliance": appliance, "user": "bob"}))
    before = catalog.images.get("alice", appliance, ticket.id)
    catalog.appliances.delete(appliance)
    after = catalog.images.get("bob", appliance, ticket.id)
    assert (after.ticket, after.owner) == (before.ticket, "bob")
    assert after.changed >= before.changed
    assert catalog.images.list("alice").total == 0


def test_lists_are_of_an_owner_an_appliance_and_numbers(catalog: Catalog, order: TicketRequest) -> None:
    """Oldest first, whole unless a page is asked for; numbers that are nobody's are left out."""
    numbers = [catalog.tickets.create(order.model_copy(update={"appliance": which})).id for which in (7, 8, 7, 7)]
    catalog.tickets.create(order.model_copy(update={"user": "bob"}))

    def found(*what: object, **how: object) -> list[int]:
        return [row.ticket.id for row in catalog.images.list("alice", *what, **how).rows]  # type: ignore[arg-type]

    assert found() == numbers
    assert found(7) == [1, 3, 4]
    assert found(_MANY) == []
    assert found(numbers=[4, 1, 99, _MANY, -_MANY, 5]) == [1, 4]
    assert found(numbers=[]) == []
    assert found(7, [4, 2]) == [4]
    assert found(search=Search(query="name==server", descending=True, count=2, offset=1)) == [3, 2]
    assert catalog.images.list("alice", 7, search=Search(count=1)).total == 3


@pytest.mark.parametrize("step", ["move", "milestone", "end", "cancel", "spend"])
def test_whatever_changes_is_told_as_changed(catalog: Catalog, lease: Lease, step: str) -> None:
    """A new state, percent or message, the end and another key: a reader sees that the image is another one now."""
    number = lease.ticket
    catalog.attempts.advance(lease, "building", 10, "disk", "Laying out")
    _age(catalog, number)
    before = catalog.images.get("alice", 7, number)
    steps: dict[str, Callable[[], object]] = {
        "move": lambda: catalog.attempts.advance(lease, "storing", 10, "upload", "Storing"),
        "milestone": lambda: catalog.attempts.advance(lease, "building", 20, "disk", "Copying"),
        "end": lambda: catalog.attempts.fail(lease, "it broke"),
        "cancel": lambda: catalog.tickets.cancel(number, "enough"),
        "spend": lambda: catalog.images.spend(number, before.download_key),
    }
    steps[step]()
    assert catalog.images.get("alice", 7, number).changed - before.changed > timedelta(minutes=59)


def test_what_no_reader_sees_changes_nothing(catalog: Catalog, lease: Lease) -> None:
    """A lease that is renewed, and reading, leave an image as it was."""
    _age(catalog, lease.ticket)
    before = catalog.images.get("alice", 7, lease.ticket)
    catalog.attempts.renew(lease)
    assert catalog.images.get("alice", 7, lease.ticket) == before


def test_packages_are_known_once_they_are_resolved(
    catalog: Catalog, lease: Lease, lock: Lock, make_record: Callable[..., Record]
) -> None:
    """None before, the lock's while it is made, the record's where nothing was resolved here, none of no image."""
    assert catalog.images.packages(lease.ticket) == ()
    catalog.attempts.write_lock(lease, lock, Evidence(archives=()))
    assert catalog.images.packages(lease.ticket) == lock.packages
    assert catalog.images.packages(catalog.tickets.adopt(make_record(9), has_file=False).id) == lock.packages
    assert catalog.images.packages(_MANY) == ()


def test_a_key_is_good_for_one_download(catalog: Catalog, ticket: Ticket) -> None:
    """It stays until it is spent however often the image is read; then there is another, and the old one is dead."""
    key = catalog.images.get("alice", 7, ticket.id).download_key
    assert catalog.images.get("alice", 7, ticket.id).download_key == key
    assert catalog.images.by_key(ticket.id, key)
    assert catalog.images.spend(ticket.id, key)
    assert not catalog.images.by_key(ticket.id, key)
    assert not catalog.images.spend(ticket.id, key)
    after = catalog.images.get("alice", 7, ticket.id).download_key
    assert after != key
    assert catalog.images.by_key(ticket.id, after)


def test_a_key_opens_nothing_while_its_owner_is_not_active(catalog: Catalog, ticket: Ticket) -> None:
    """It is good again once the owner is."""
    key = catalog.images.get("alice", 7, ticket.id).download_key
    catalog.users.set_active("alice", active=False)
    assert not catalog.images.by_key(ticket.id, key)
    assert not catalog.images.spend(ticket.id, key)
    catalog.users.set_active("alice", active=True)
    assert catalog.images.by_key(ticket.id, key)


@pytest.mark.parametrize("key", ["", "no", "\0", "\ud800", "ü" * 50])
def test_any_other_key_opens_nothing(catalog: Catalog, ticket: Ticket, key: str) -> None:
    """Whatever is sent instead of a key, and for an image that isn't there, is just wrong."""
    for number in (ticket.id, 99, _MANY):
        assert not catalog.images.by_key(number, key)
        assert not catalog.images.spend(number, key)


def test_a_key_is_spent_once_by_a_hundred(catalog: Catalog, ticket: Ticket) -> None:
    """However many spend a key at the same time, one of them did."""
    key = catalog.images.get("alice", 7, ticket.id).download_key
    with ThreadPoolExecutor(10) as threads:
        spent = list(threads.map(lambda _: catalog.images.spend(ticket.id, key), range(100)))
    assert spent.count(True) == 1


def test_generations_that_count_are_listed(
    catalog: Catalog, order: TicketRequest, make_record: Callable[..., Record]
) -> None:
    """Each success with its appliance, target and size, also when its image is deleted; nothing else is."""

    def make(outcome: str | None, *, simulated: bool = False) -> int:
        recipe = RECIPE.model_copy(update={"simulated": simulated})
        lease = catalog.attempts.begin(
            catalog.tickets.create(order.model_copy(update={"recipe": recipe})).id, "home-1", in_process=True
        )
        record = make_record(lease.ticket)
        told = {"outcome": outcome, "recipe": recipe, **({"file": None} if simulated else {})}
        generation = Generation.model_validate({**dict(record.generation), **told})
        catalog.attempts.complete(lease, record.model_copy(update={"generation": generation}), "Done")
        return lease.ticket

    made = [make("rebuilt"), make("reused")]
    make("unchanged")
    make("rebuilt", simulated=True)
    catalog.tickets.delete(made[0], "not needed")
    page = catalog.generations.list("alice")
    assert [success.ticket for success in page.rows] == made
    first = page.rows[0]
    assert (first.appliance, first.name, first.version, first.target, first.size) == (7, "server", "1.0", "QCOW2", 1000)
    assert catalog.generations.list("alice", Search(query="formatName==QCOW2;diskSize=gt=5", count=1)).total == 2
    assert catalog.generations.list("alice", Search(query=f"objectId=={made[1]}")).rows[0].ticket == made[1]
    assert catalog.generations.list("bob").total == 0
    assert next(quota.used for quota in catalog.quotas.list("alice") if quota.kind == "generation") == 2
