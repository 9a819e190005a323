"""Deleting: what is deleted is gone for its user at once, and from the store as soon as that can be."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import update

from blocks import admission, deletion, leftovers
from blocks.catalog.tables import TICKETS
from blocks.deed import carried_out
from blocks.errors import NotFound, Refused, Stopped, StoreUnavailable
from blocks.model import Appliance, Evidence, Generation, ImageFile, Lock, OSProfile, Record, Ticket
from blocks.model.request import FirstGeneration, Regeneration
from blocks.ports import Ports
from blocks.rebuilding import rebuild
from blocks.settings import Settings
from blocks.store import Store

_BYTES = b"the bytes of an image"
_FILE = hashlib.sha256(_BYTES).hexdigest()
_INDEX = b"the stanzas of its packages"
_MADE = Appliance(name="server", os_profile=OSProfile(suite="bookworm"))


class _Down:
    """A store that can't be reached; it counts how often it was tried."""

    tried = 0

    def __getattr__(self, name: str) -> object:
        self.tried += 1
        raise StoreUnavailable(f"The store doesn't answer ({name})")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home of the test's own."""
    return Settings(home=tmp_path / "home", catalog_url=None, store_url=None)


@pytest.fixture
def ports(settings: Settings) -> Iterator[Ports]:
    """An installation with one user."""
    with Ports.open(settings, prepare=True) as opened:
        opened.catalog.users.add("alice", roles=["developer"])
        yield opened


@pytest.fixture
def request_(ports: Ports) -> FirstGeneration:
    """A first image of an appliance of alice's."""
    return FirstGeneration(user="alice", appliance=ports.catalog.appliances.add("alice", _MADE))


@pytest.fixture
def image(ports: Ports, request_: FirstGeneration) -> Ticket:
    """A complete image of it, long ago."""
    return _complete(ports, request_)


def _record(ports: Ports, ticket: Ticket, attempt: int) -> Record:
    index = ports.store.put(_INDEX)
    generation = Generation(
        recipe=ports.catalog.tickets.recipe(ticket.id),
        lock=Lock(packages=(), index=index.sha256, tools=()),
        evidence=Evidence(archives=()),
        policy="refresh",
        file=ImageFile(name="a.qcow2", format="qcow2", compression="zstd", size=len(_BYTES), sha256=_FILE),
        outcome="rebuilt",
        created=datetime(2026, 1, 1, tzinfo=UTC),
    )
    envelope = {"ticket": ticket.id, "attempt": attempt, "appliance": ticket.appliance, "user": ticket.user}
    return Record(**envelope, generation=generation)


def _complete(ports: Ports, request: FirstGeneration) -> Ticket:
    """What a run leaves: the file, the index object, a log and the record."""
    ticket, _token = admission.admit(ports, request)
    lease = ports.catalog.attempts.begin(ticket.id, ports.home_id, in_process=True)
    record = _record(ports, ticket, lease.number)
    blobs = [ports.store.put(_BYTES), ports.store.put(_INDEX)]
    ports.catalog.blobs.take(ticket.id, {blob.sha256: blob.size for blob in blobs}, lease)
    ports.store.put_log(ticket.id, lease.number, "rootfs", ["built"])
    ports.store.put_record(record)
    done = ports.catalog.attempts.complete(lease, record, "done")
    _age(ports, done.id)
    return done


def _age(ports: Ports, number: int) -> None:
    """Let the ticket have ended long ago."""
    long_ago = datetime.now(UTC) - timedelta(days=1)
    with ports.catalog.database.writing() as connection:
        connection.execute(update(TICKETS).where(TICKETS.c.id == number).values(finished=long_ago))


def _kept(ports: Ports) -> tuple[list[int], set[tuple[int, int]], set[str]]:
    """The records, the logs and the files that the store has, once those that nobody needs are removed."""
    carried_out(leftovers.files(ports), dry=False)
    records = [record.ticket for record in ports.store.records()]
    return records, set(ports.store.logs()), {blob.sha256 for blob in ports.store.blobs()}


def test_a_deleted_image_is_gone(ports: Ports, image: Ticket) -> None:
    """From every list and from the store; that it was made still counts, what it took doesn't."""
    used = {quota.kind: quota.used for quota in ports.catalog.quotas.list("alice")}
    assert (used["generation"], used["diskusage"]) == (1, len(_BYTES))
    assert deletion.delete(ports, image.id, "enough")
    assert ports.catalog.tickets.list() == []
    assert _kept(ports) == ([], set(), set())
    used = {quota.kind: quota.used for quota in ports.catalog.quotas.list("alice")}
    assert (used["generation"], used["diskusage"]) == (1, 0)
    assert list(deletion.unfinished(ports)) == []


def test_it_is_deleted_once(ports: Ports, image: Ticket) -> None:
    """Whoever comes second did nothing, and what never was isn't found."""
    deletion.delete(ports, image.id, "enough")
    assert not deletion.delete(ports, image.id, "again")
    with pytest.raises(NotFound):
        deletion.delete(ports, 99, "never there")


def test_it_is_no_longer_made_again(ports: Ports, image: Ticket) -> None:
    """No ticket comes of it."""
    deletion.delete(ports, image.id, "enough")
    with pytest.raises(NotFound):
        admission.admit(ports, Regeneration(user="alice", appliance=image.appliance, image=image.id))
    assert ports.catalog.tickets.list() == []


def test_what_was_admitted_before_goes_on(ports: Ports, image: Ticket) -> None:
    """Its run finds the recipe and the record of an image that was deleted meanwhile, but no file."""
    asked = Regeneration(user="alice", appliance=image.appliance, image=image.id)
    ticket, token = admission.admit(ports, asked)
    deletion.delete(ports, image.id, "enough")
    _kept(ports)
    run = asked.model_copy(update={"ticket": ticket.id, "token": token})
    start = admission.load(ports, run)
    assert start.generation == _record(ports, image, 1).generation
    assert (start.parent, start.has_file) == (image.id, False)
    assert admission.create(ports, run, start).id == ticket.id


def test_what_another_image_needs_stays(ports: Ports, request_: FirstGeneration, image: Ticket) -> None:
    """Two images of the same bytes: the file goes with the second."""
    other = _complete(ports, request_)
    deletion.delete(ports, image.id, "enough")
    assert _kept(ports) == ([other.id], {(other.id, 1)}, {_FILE, hashlib.sha256(_INDEX).hexdigest()})
    deletion.delete(ports, other.id, "enough")
    assert _kept(ports) == ([], set(), set())


def test_an_image_that_is_being_made_is_cancelled_first(ports: Ports, request_: FirstGeneration) -> None:
    """Its run is told, what works on it is stopped, and comes to no end that anybody sees."""
    ticket, _token = admission.admit(ports, request_)
    lease = ports.catalog.attempts.begin(ticket.id, ports.home_id, "run-1", in_process=False)
    told: list[tuple[str, str]] = []
    assert deletion.delete(ports, ticket.id, "enough", lambda run, reason: told.append((run, reason)))
    assert told == [("run-1", "enough")]
    with pytest.raises(Stopped):
        ports.catalog.attempts.complete(lease, _record(ports, ticket, lease.number), "done")
    assert ports.catalog.tickets.list() == []
    assert ports.catalog.tickets.get(ticket.id).state == "cancelled"


def test_what_its_last_attempt_leaves_goes_as_well(ports: Ports, request_: FirstGeneration) -> None:
    """A record that was written in the moment of the delete stays until the attempt has had its time, and no longer."""
    ticket, _token = admission.admit(ports, request_)
    lease = ports.catalog.attempts.begin(ticket.id, ports.home_id, in_process=True)
    deletion.delete(ports, ticket.id, "enough")
    ports.store.put_record(_record(ports, ticket, lease.number))
    assert list(deletion.unfinished(ports)) == []
    _age(ports, ticket.id)
    (done,) = carried_out(deletion.unfinished(ports), dry=False)
    assert (str(ticket.id) in done.what, _kept(ports)[0]) == (True, [])
    assert list(deletion.unfinished(ports)) == []


def test_the_records_of_all_attempts_go(ports: Ports, request_: FirstGeneration) -> None:
    """Also that of an attempt that was lost before it could complete its ticket."""
    ticket, _token = admission.admit(ports, request_)
    ports.catalog.attempts.begin(ticket.id, ports.home_id, "run-1", in_process=False)
    ports.store.put_record(_record(ports, ticket, 1))
    lease = ports.catalog.attempts.begin(ticket.id, ports.home_id, "run-1", in_process=False)
    ports.catalog.attempts.fail(lease, "it broke")
    assert _kept(ports)[0] == [ticket.id]
    deletion.delete(ports, ticket.id, "enough")
    assert _kept(ports)[0] == []


def test_the_store_need_not_answer(ports: Ports, image: Ticket) -> None:
    """The image is out of sight at once; housekeeping does the rest when the store is back, a dry run only tells it."""
    down = replace(ports, store=cast("Store", _Down()))
    assert deletion.delete(down, image.id, "enough")
    assert ports.catalog.tickets.list() == []
    assert _kept(ports)[0] == [image.id]
    (told,) = carried_out(deletion.unfinished(ports), dry=True)
    assert (told.done, _kept(ports)[0]) == (False, [image.id])
    with pytest.raises(StoreUnavailable):
        carried_out(deletion.unfinished(down), dry=False)
    carried_out(deletion.unfinished(ports), dry=False)
    assert _kept(ports) == ([], set(), set())
    assert list(deletion.unfinished(ports)) == []


def test_many_are_out_of_sight_before_the_store_is_asked(
    ports: Ports, request_: FirstGeneration, image: Ticket
) -> None:
    """A store that doesn't answer is tried once for all of them."""
    waiting, _ = admission.admit(ports, request_)
    store = _Down()
    down = replace(ports, store=cast("Store", store))
    assert deletion.delete_all(down, [image.id, waiting.id, image.id], "enough") == (image.id, waiting.id)
    assert (ports.catalog.tickets.list(), store.tried) == ([], 1)
    carried_out(deletion.unfinished(ports), dry=False)
    assert _kept(ports) == ([], set(), set())


def test_an_appliance_goes_with_its_images(ports: Ports, image: Ticket) -> None:
    """Record, package files and logs of them stay for the operator, the image files go."""
    assert deletion.delete_appliance(ports, image.appliance) == (image.id,)
    assert (ports.catalog.tickets.list(), ports.catalog.appliances.list()) == ([], [])
    assert _kept(ports) == ([image.id], {(image.id, 1)}, {hashlib.sha256(_INDEX).hexdigest()})
    assert list(deletion.unfinished(ports)) == []
    with pytest.raises(NotFound):
        deletion.delete_appliance(ports, image.appliance)


def test_an_appliance_stays_while_an_image_of_it_is_made(ports: Ports, request_: FirstGeneration) -> None:
    """Without force it is refused and nothing has changed; with force the image is cancelled."""
    ticket, _token = admission.admit(ports, request_)
    with pytest.raises(Refused, match=f"Image {ticket.id}"):
        deletion.delete_appliance(ports, request_.appliance)
    assert [each.state for each in ports.catalog.tickets.list()] == ["requested"]
    assert deletion.delete_appliance(ports, request_.appliance, force=True) == (ticket.id,)
    assert ports.catalog.tickets.get(ticket.id).state == "cancelled"
    assert ports.catalog.appliances.list() == []


def test_an_image_whose_process_is_gone_holds_no_appliance(ports: Ports, request_: FirstGeneration) -> None:
    """It isn't being made any more."""
    ticket, _token = admission.admit(ports, request_)
    lease = ports.catalog.attempts.begin(ticket.id, ports.home_id, in_process=True)
    left = ports.home / "attempts" / f"{ticket.id}-{lease.number}.lock"
    left.parent.mkdir()
    left.touch()  # what a killed process leaves: nobody holds it any more
    assert deletion.delete_appliance(ports, request_.appliance) == (ticket.id,)
    assert ports.catalog.tickets.get(ticket.id).state == "error"


def test_a_catalog_made_anew_has_nothing_that_a_user_deleted(
    ports: Ports, request_: FirstGeneration, image: Ticket, settings: Settings, tmp_path: Path
) -> None:
    """What was deleted by itself stays deleted; what went with its appliance is there for the operator."""
    other = _complete(ports, request_)
    deletion.delete(ports, image.id, "enough")
    deletion.delete_appliance(ports, request_.appliance)
    assert _kept(ports)[0] == [other.id]
    anew = settings.model_copy(update={"home": tmp_path / "anew", "store_url": settings.store()})
    with Ports.open(anew, prepare=True) as found:
        rebuild(found, print)
        assert [ticket.id for ticket in found.catalog.tickets.list()] == [other.id]
        assert not found.catalog.tickets.has_file(other.id)
        assert [each.active for each in found.catalog.users.list()] == [False]
