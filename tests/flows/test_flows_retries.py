"""Steps that are entered again, attempts that overlap, files that were damaged: nothing is lost or done twice."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select

from blocks.admission import admit
from blocks.catalog import Lease
from blocks.catalog.tables import BLOB_REFERENCES
from blocks.errors import CatalogUnavailable, StageFailed, StoreUnavailable
from blocks.model import Lock, Record, State, Ticket
from blocks.model.request import Regeneration
from blocks.model.summary import Summary
from blocks.ports import Ports
from blocks.release import release
from blocks.stop import StopToken
from blocks.store import Blob, Store
from tests.flows.conftest import USER
from tests.waiting import wait_until

if TYPE_CHECKING:
    from tasks.attempt import Attempt

pytestmark = [pytest.mark.flow, pytest.mark.build]


def _request(ports: Ports, first: Summary) -> Regeneration:
    return Regeneration(user=USER, appliance=ports.catalog.tickets.get(first.ticket).appliance, image=first.ticket)


def _regenerate(ports: Ports, first: Summary, *, rebuild: bool = False) -> Summary:
    from flows.regenerate import regenerate_image  # noqa: PLC0415 (Prefect is imported after its server is named)

    request = _request(ports, first)
    done = regenerate_image(USER, request.appliance, request.image, rebuild=rebuild)
    assert isinstance(done, Summary)
    return done


def _newest(ports: Ports) -> Ticket:
    return ports.catalog.tickets.list()[-1]


def test_a_lost_answer_to_the_completion_keeps_the_record(
    first: Summary, ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When settle is tried again after the database took the completion, the run completes and its record stays."""
    from blocks.catalog.attempts import Attempts  # noqa: PLC0415

    complete = Attempts.complete
    lost: list[int] = []

    def losing(self: Attempts, lease: Lease, record: Record, message: str) -> Ticket:
        ticket = complete(self, lease, record, message)
        if not lost:
            lost.append(ticket.id)
            raise CatalogUnavailable("The answer was lost")
        return ticket

    monkeypatch.setattr(Attempts, "complete", losing)
    done = _regenerate(ports, first)
    assert lost == [done.ticket]
    assert done.state == "complete"
    assert ports.store.record(done.ticket) == ports.catalog.tickets.record(done.ticket)
    assert ports.catalog.receipts.get(done.ticket) is None


def test_what_prefect_does_not_show_fails_no_run(first: Summary, ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    """An artifact that Prefect doesn't take is left out; the image is complete and the run too."""
    from tasks import present  # noqa: PLC0415

    def broken(*_arguments: object) -> None:
        raise httpx.ReadTimeout("The test's Prefect is slow")

    monkeypatch.setattr(present, "create_markdown_artifact", broken)
    monkeypatch.setattr(present, "create_table_artifact", broken)
    assert _regenerate(ports, first).state == "complete"


def test_a_damaged_stored_image_is_made_again(first: Summary, ports: Ports) -> None:
    """A file whose bytes changed in the store gives no `unchanged`: it is stored anew, with the reason."""
    assert first.file is not None
    path = ports.home / "store" / "blobs" / "sha256" / first.file.sha256[:2] / first.file.sha256
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"damaged")
    done = _regenerate(ports, first)
    assert done.verdict == "reused"
    assert "damaged" in done.reason
    ports.store.verify(first.file.sha256, first.file.size, lambda: None)
    assert _regenerate(ports, first).verdict == "unchanged"


def test_an_unchanged_image_mends_its_damaged_package_files(first: Summary, ports: Ports) -> None:
    """A package file that was cut off in the store is stored again from the pool."""
    record = ports.catalog.tickets.record(first.ticket)
    assert record is not None
    package = record.generation.lock.packages[0]
    os.truncate(ports.home / "store" / "blobs" / "sha256" / package.sha256[:2] / package.sha256, 10)
    assert _regenerate(ports, first).verdict == "unchanged"
    ports.store.verify(package.sha256, package.size, lambda: None)


@pytest.fixture
def begun(first: Summary, ports: Ports) -> Iterator[Attempt]:
    """An attempt at making the first image again."""
    from tasks.attempt import Attempt  # noqa: PLC0415

    ticket, _ = admit(ports, _request(ports, first))
    lease = ports.catalog.attempts.begin(ticket.id, ports.home_id, "run", in_process=True)
    yield Attempt(ports, lease, StopToken())
    ports.catalog.attempts.fail(lease, "ended by the test")


def _referenced(ports: Ports, ticket: int) -> set[str]:
    query = select(BLOB_REFERENCES.c.sha256).where(BLOB_REFERENCES.c.ticket == ticket)
    with ports.catalog.database.reading() as connection:
        return set(connection.scalars(query))


def _made(ports: Ports, first: Summary) -> tuple[Lock, Blob]:
    record = ports.catalog.tickets.record(first.ticket)
    assert record is not None
    assert record.generation.file is not None
    return record.generation.lock, Blob(record.generation.file.sha256, record.generation.file.size)


def test_package_files_that_only_the_store_has_are_referenced_too(first: Summary, begun: Attempt, ports: Ports) -> None:
    """A ticket whose package files have left the pool needs those in the store all the same; others it can't need."""
    from tasks.upload import keep  # noqa: PLC0415

    lock, image = _made(ports, first)
    nowhere = lock.packages[0].model_copy(update={"name": "nowhere", "sha256": "9" * 64})
    gone = next(path for sha256, path in ports.builder.package(lock) if sha256 == lock.packages[0].sha256)
    aside = gone.rename(gone.with_name("aside"))
    try:
        assert keep(begun, lock.model_copy(update={"packages": (*lock.packages, nowhere)}), image)
    finally:
        aside.rename(gone)
    there = {lock.index, image.sha256, *(package.sha256 for package in (*lock.packages, *lock.tools))}
    assert _referenced(ports, begun.ticket) == there
    assert ports.catalog.blobs.doomed() == (nowhere.sha256,)
    ports.catalog.blobs.forget(nowhere.sha256)


def test_an_image_that_was_removed_before_it_was_referenced_is_stored_again(
    first: Summary, begun: Attempt, ports: Ports
) -> None:
    """Whether it is about to be removed, or gone already: its reference alone would be worth nothing."""
    from tasks.upload import keep  # noqa: PLC0415

    lock, _ = _made(ports, first)
    image = ports.store.put(b"an image")
    ports.catalog.blobs.take(begun.ticket, {image.sha256: image.size})
    ports.catalog.blobs.release([image.sha256], begun.lease)
    assert image.sha256 in ports.catalog.blobs.doomed()
    assert not keep(begun, lock, image)
    assert not ports.store.has(image.sha256)
    assert ports.catalog.blobs.doomed() == ()
    assert not keep(begun, lock, image)
    ports.store.put(b"an image")
    assert keep(begun, lock, image)
    assert image.sha256 in _referenced(ports, begun.ticket)


def test_a_superseded_attempt_leaves_the_newer_one_alone(first: Summary, ports: Ports) -> None:
    """It gives back its own uploads only, and the ticket's receipt is for whoever ends it."""
    ticket, _ = admit(ports, _request(ports, first))
    old, new = (ports.catalog.attempts.begin(ticket.id, ports.home_id, "run", in_process=True) for _ in range(2))
    keys = [f"{ticket.id}/{lease.number}/image.qcow2" for lease in (old, new)]
    record = ports.store.record(first.ticket)
    for key, lease in zip(keys, (old, new), strict=True):
        ports.catalog.intents.open(key, "upload", ticket.id, lease.number)
        ports.store.put_record(record.model_copy(update={"ticket": ticket.id, "attempt": lease.number}))
    release(ports, ticket.id, old.number, [])
    assert ports.store.record(ticket.id).attempt == new.number
    assert [intent.key for intent in ports.catalog.intents.pending(ticket.id)] == keys[1:]
    assert ports.catalog.receipts.get(ticket.id) is None
    ports.catalog.attempts.fail(new, "ended by the test")
    release(ports, ticket.id, new.number, [])
    assert ports.catalog.intents.pending(ticket.id) == []
    receipt = ports.catalog.receipts.get(ticket.id)
    assert receipt is not None
    assert any(keys[1] in row for row in receipt.released)
    assert ticket.id not in {record.ticket for record in ports.store.records()}


def test_a_cancelled_run_waits_for_the_store_to_give_back_what_it_holds(
    first: Summary, ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is away while the record of a ticket that was just cancelled is to be removed."""
    from prefect.exceptions import CancelledRun  # noqa: PLC0415

    from blocks.catalog.attempts import Attempts  # noqa: PLC0415

    complete, remove = Attempts.complete, type(ports.store).remove_record
    refused: list[int] = []

    def too_late(self: Attempts, lease: Lease, record: Record, message: str) -> Ticket:
        ports.catalog.tickets.cancel(lease.ticket, "the test cancels it")
        return complete(self, lease, record, message)

    def away(self: Store, ticket: int, attempt: int) -> None:
        if len(refused) < 3:
            refused.append(ticket)
            raise StoreUnavailable("The test's store is away")
        remove(self, ticket, attempt)

    monkeypatch.setattr(Attempts, "complete", too_late)
    monkeypatch.setattr(type(ports.store), "remove_record", away)
    with pytest.raises(CancelledRun):
        _regenerate(ports, first, rebuild=True)
    ended = _newest(ports)
    assert (ended.state, len(refused)) == ("cancelled", 3)
    assert ports.catalog.receipts.get(ended.id) is not None
    assert ended.id not in {record.ticket for record in ports.store.records()}


def test_a_run_that_fails_after_the_upload_needs_no_stored_file(
    first: Summary, ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its ticket is in error, has no record, and references nothing, so that what nobody else needs can be removed."""
    from blocks.catalog.attempts import Attempts  # noqa: PLC0415

    def refuse(*_arguments: object) -> Ticket:
        raise StageFailed("The test fails the completion")

    monkeypatch.setattr(Attempts, "complete", refuse)
    with pytest.raises(StageFailed):
        _regenerate(ports, first, rebuild=True)
    ended = _newest(ports)
    assert ended.state == "error"
    assert ended.id not in {record.ticket for record in ports.store.records()}
    assert ports.catalog.blobs.drop(ended.id) == ()
    assert ports.catalog.blobs.doomed() == ()


def test_a_stored_image_is_referenced_from_its_first_byte(
    first: Summary, ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ends the run between the upload and all the other references: the image is known, and can be removed."""
    from tasks import upload  # noqa: PLC0415

    held = []

    def fail(attempt: Attempt, _lock: Lock, image: Blob) -> bool:
        held.append(image.sha256 in _referenced(ports, attempt.ticket))
        raise StageFailed("The test fails the upload")

    monkeypatch.setattr(upload, "keep", fail)
    with pytest.raises(StageFailed):
        _regenerate(ports, first, rebuild=True)
    assert held == [True]
    assert _referenced(ports, _newest(ports).id) == set()


def test_a_failing_sweep_ends_the_ticket(first: Summary, ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong before the first step is the ticket's error too, at once."""
    from blocks.builder import Builder  # noqa: PLC0415

    def failing(*_arguments: object) -> tuple[str, ...]:
        raise PermissionError("work/1-1")

    monkeypatch.setattr(Builder, "sweep", failing)
    with pytest.raises(PermissionError):
        _regenerate(ports, first)
    assert _newest(ports).state == "error"
    assert "work/1-1" in _newest(ports).error


def test_a_parent_whose_process_died_is_no_running_parent(first: Summary, ports: Ports) -> None:
    """Whoever asks for a regeneration of it settles it first, instead of being told to wait for ever."""
    parent, _ = admit(ports, _request(ports, first))
    lease = ports.catalog.attempts.begin(parent.id, ports.home_id, in_process=True)
    dead = ports.home / "attempts" / f"{lease.ticket}-{lease.number}.lock"
    dead.write_text("", "utf-8")
    child, _ = admit(ports, _request(ports, first).model_copy(update={"image": parent.id}))
    assert ports.catalog.tickets.get(parent.id).state == "error"
    dead.unlink()
    ports.catalog.tickets.cancel(child.id, "only asked for by the test")


def test_what_a_killed_run_left_is_given_back_by_the_next_run(first: Summary, ports: Ports) -> None:
    """Its ticket ends, its upload is aborted, its references and its lock are gone, and a receipt says so."""
    ticket, _ = admit(ports, _request(ports, first))
    lease = ports.catalog.attempts.begin(ticket.id, ports.home_id, in_process=True)
    dead = ports.home / "attempts" / f"{lease.ticket}-{lease.number}.lock"
    dead.write_text("", "utf-8")
    (ports.home / "work" / f"{lease.ticket}-{lease.number}").mkdir()
    key = f"{ticket.id}/{lease.number}/image.qcow2"
    ports.catalog.intents.open(key, "upload", ticket.id, lease.number)
    ports.catalog.blobs.take(ticket.id, {"0" * 64: 1})
    _regenerate(ports, first)
    assert ports.catalog.tickets.get(ticket.id).state == "error"
    assert ports.catalog.intents.pending(ticket.id) == []
    assert ports.catalog.blobs.doomed() == ("0" * 64,)
    ports.catalog.blobs.forget("0" * 64)
    receipt = ports.catalog.receipts.get(ticket.id)
    assert receipt is not None
    assert any(key in row for row in receipt.released)
    assert f"work folder {lease.ticket}-{lease.number}" in receipt.released
    assert list((ports.home / "work").iterdir()) == []
    assert list((ports.home / "attempts").iterdir()) == []


def test_a_milestone_that_the_catalog_does_not_take_stops_no_build(
    first: Summary, ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Progress is told best effort: the stage goes on, and no try is spent."""
    from tasks.attempt import Attempt  # noqa: PLC0415

    advance = Attempt.advance
    refused: list[str] = []

    def unsteady(self: Attempt, state: State, percent: int, stage: str, message: str) -> None:
        if state == "building" and not message.startswith("Stage "):
            refused.append(stage)
            raise CatalogUnavailable("The test's database is away")
        advance(self, state, percent, stage, message)

    monkeypatch.setattr(Attempt, "advance", unsteady)
    assert _regenerate(ports, first, rebuild=True).verdict == "rebuilt"
    assert {"rootfs", "disk"} <= set(refused)


@contextmanager
def _mute() -> Iterator[str]:
    """An API that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/api"


def test_a_mute_prefect_keeps_nobody_from_hearing_a_cancel(
    first: Summary, ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ticket is read and the lease renewed although Prefect's API hangs."""
    from prefect.client.orchestration import SyncPrefectClient, get_client  # noqa: PLC0415
    from prefect.settings import PREFECT_API_URL, temporary_settings  # noqa: PLC0415

    from tasks import watch  # noqa: PLC0415

    ticket, _ = admit(ports, _request(ports, first))
    lease = ports.catalog.attempts.begin(ticket.id, ports.home_id, in_process=True)
    asked = threading.Event()
    with _mute() as address:

        def client(*, sync_client: Literal[True]) -> SyncPrefectClient:
            with temporary_settings({PREFECT_API_URL: address}):
                made = get_client(sync_client=sync_client)
            asked.set()
            return made

        monkeypatch.setattr(watch, "get_client", client)
        monkeypatch.setattr(watch, "_PATIENCE", 0.1)
        stop = StopToken()
        with watch.watched(ports, lease, stop, str(uuid4())):
            assert asked.wait(10)
            threading.Event().wait(watch._RUN_SECONDS + 1)  # by then it hangs in its first question
            ports.catalog.tickets.cancel(ticket.id, "the test asked for it")
            wait_until(stop.is_set, "the cancel is heard", 5)
    assert "the test asked for it" in stop.reason
