"""Attempts: one run works on a ticket, only the newest attempt may move it, and only forward."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from blocks.catalog import LEASE_SECONDS, Catalog, Lease, SharedCheckpoint
from blocks.catalog.clock import Now
from blocks.catalog.tables import ATTEMPTS
from blocks.errors import Contradiction, NotFound, Occupied, Stopped, Superseded
from blocks.model import ArchiveState, Evidence, Lock, Record, State, Ticket

EVIDENCE = Evidence(
    archives=(ArchiveState(archive="Debian", suite="bookworm", sha256="e" * 64, date=datetime(2026, 1, 1, tzinfo=UTC)),)
)


def _states(catalog: Catalog, ticket: int) -> list[str]:
    return [event.state for event in catalog.events.list(ticket)]


def _again(catalog: Catalog, lease: Lease) -> Lease:
    return catalog.attempts.begin(lease.ticket, "home-2", "run-1", in_process=False)


def _expires(catalog: Catalog, lease: Lease) -> datetime:
    with catalog.database.reading() as connection:
        found = connection.scalars(select(ATTEMPTS.c.expires).where(ATTEMPTS.c.ticket == lease.ticket)).one()
    assert isinstance(found, datetime)
    return found


def _expire(catalog: Catalog, lease: Lease) -> None:
    with catalog.database.writing() as connection:
        connection.execute(update(ATTEMPTS).where(ATTEMPTS.c.ticket == lease.ticket).values(expires=Now() - 1.0))


def test_an_attempt_begins_at_planning(catalog: Catalog, ticket: Ticket) -> None:
    """Beginning raises the number, moves the ticket to planning and tells where it runs."""
    lease = catalog.attempts.begin(ticket.id, "home-1", "run-1", in_process=True)
    assert lease == Lease(ticket=ticket.id, number=1, home="home-1", flow_run="run-1", in_process=True)
    begun = catalog.tickets.get(ticket.id)
    assert (begun.state, begun.attempt, begun.flow_run) == ("planning", 1, "run-1")
    assert catalog.attempts.current(ticket.id) == lease
    assert _states(catalog, ticket.id) == ["requested", "planning"]


def test_a_ticket_without_an_attempt_has_no_lease(catalog: Catalog, ticket: Ticket) -> None:
    """Before the first attempt there is no current one."""
    assert catalog.attempts.current(ticket.id) is None


def test_a_lease_lasts_thirty_seconds(catalog: Catalog, lease: Lease) -> None:
    """A new lease ends 30 s from now."""
    left = (_expires(catalog, lease) - datetime.now(UTC)).total_seconds()
    assert LEASE_SECONDS / 2 < left <= LEASE_SECONDS + 1


def test_renewing_holds_the_lease_for_another_term(catalog: Catalog, lease: Lease) -> None:
    """Renewing counts from now, also after the lease ran out unnoticed."""
    _expire(catalog, lease)
    assert _expires(catalog, lease) < datetime.now(UTC)
    catalog.attempts.renew(lease)
    assert _expires(catalog, lease) > datetime.now(UTC) + timedelta(seconds=15)


def test_a_new_attempt_starts_at_planning_and_keeps_the_percent(catalog: Catalog, lease: Lease) -> None:
    """A second attempt begins again, while its user sees the greatest percent so far."""
    catalog.attempts.advance(lease, "storing", 80, "upload", "storing the image")
    second = _again(catalog, lease)
    ticket = catalog.tickets.get(lease.ticket)
    assert (second.number, ticket.state, ticket.percent, ticket.flow_run) == (2, "planning", 80, "run-1")
    assert catalog.attempts.advance(second, "building", 20, "rootfs", "").percent == 80


def test_an_unknown_ticket_has_no_attempts(catalog: Catalog) -> None:
    """Nothing can begin on a ticket that doesn't exist."""
    with pytest.raises(NotFound):
        catalog.attempts.begin(5, "home", in_process=True)


def test_an_ended_ticket_takes_no_attempt(catalog: Catalog, ticket: Ticket) -> None:
    """A run that comes after the cancel is stopped with its reason."""
    catalog.tickets.cancel(ticket.id, "enough")
    with pytest.raises(Stopped, match="cancelled: enough"):
        catalog.attempts.begin(ticket.id, "home", in_process=True)
    assert catalog.tickets.get(ticket.id).attempt == 0


def test_a_ticket_is_one_run_s_as_long_as_that_lives(catalog: Catalog, lease: Lease) -> None:
    """Another run, or one without a name, is refused while the lease is good; the same run may always begin again."""
    for other in ("run-2", None):
        with pytest.raises(Occupied, match="Attempt 1 works on ticket"):
            catalog.attempts.begin(lease.ticket, "home-2", other, in_process=False)
    assert catalog.attempts.current(lease.ticket) == lease
    assert _again(catalog, lease).number == 2
    _expire(catalog, lease)
    third = catalog.attempts.begin(lease.ticket, "home-2", "run-2", in_process=False, run_count=4)
    assert catalog.attempts.current(lease.ticket) == third
    assert (third.number, third.flow_run, third.run_count) == (3, "run-2", 4)
    assert catalog.tickets.get(lease.ticket).flow_run == "run-2"


def test_a_ticket_that_waits_for_its_run_is_that_run_s(catalog: Catalog, ticket: Ticket) -> None:
    """Nobody else begins on it, before the first attempt as little as before a restart."""
    catalog.tickets.set_flow_run(ticket.id, "run-1")
    for _ in range(2):
        for other in ("run-2", None):
            with pytest.raises(Occupied, match="waits for its run run-1"):
                catalog.attempts.begin(ticket.id, "home", other, in_process=False)
        lease = catalog.attempts.begin(ticket.id, "home", "run-1", in_process=False)
        assert catalog.attempts.hand_back(lease)
    assert [event.state for event in catalog.events.list(ticket.id)] == ["requested", "planning"] * 2 + ["requested"]


def test_an_attempt_that_was_released_keeps_nobody_out(catalog: Catalog, lease: Lease) -> None:
    """Its ticket may be taken up by another run at once."""
    catalog.attempts.release(lease)
    assert catalog.attempts.begin(lease.ticket, "home-2", "run-2", in_process=True).number == 2


def test_progress_is_told(catalog: Catalog, lease: Lease) -> None:
    """State, percent, stage and message are what the ticket shows."""
    ticket = catalog.attempts.advance(lease, "building", 30, "rootfs", "unpacking")
    assert (ticket.state, ticket.percent, ticket.stage, ticket.message) == ("building", 30, "rootfs", "unpacking")
    assert ticket == catalog.tickets.get(lease.ticket)


def test_the_percent_never_falls_nor_leaves_its_range(catalog: Catalog, lease: Lease) -> None:
    """The greatest percent seen stays, whatever is reported."""
    seen = [catalog.attempts.advance(lease, "building", percent, "", "").percent for percent in (30, 10, -5, 170, 99)]
    assert seen == [30, 30, 30, 100, 100]


def test_every_transition_is_one_event(catalog: Catalog, lease: Lease) -> None:
    """Progress within a state appends nothing; a new state appends one event with its reason."""
    steps: tuple[tuple[State, int], ...] = (("building", 10), ("building", 20), ("storing", 80), ("verifying", 90))
    for state, percent in steps:
        catalog.attempts.advance(lease, state, percent, "", f"{state} now")
    events = catalog.events.list(lease.ticket)
    assert [event.state for event in events] == ["requested", "planning", "building", "storing", "verifying"]
    assert events[2].reason == "building now"
    assert sorted(event.time for event in events) == [event.time for event in events]


@pytest.mark.parametrize("state", ["requested", "planning", "complete", "error", "cancelled"])
def test_a_state_only_goes_forward(catalog: Catalog, lease: Lease, state: State) -> None:
    """Within an attempt no report leads back, and none ends the ticket by the way."""
    catalog.attempts.advance(lease, "building", 10, "", "")
    with pytest.raises(Contradiction, match=f"from building to {state}"):
        catalog.attempts.advance(lease, state, 10, "", "")
    assert catalog.tickets.get(lease.ticket).state == "building"


def test_completing_writes_the_record(catalog: Catalog, lease: Lease, make_record: Callable[..., Record]) -> None:
    """A complete ticket has its record, its file, all of its percent and its end."""
    record = make_record(lease.ticket)
    ticket = catalog.attempts.complete(lease, record, "rebuilt")
    assert (ticket.state, ticket.percent, ticket.message) == ("complete", 100, "rebuilt")
    assert ticket.finished is not None
    assert catalog.tickets.record(lease.ticket) == record
    assert catalog.tickets.has_file(lease.ticket)


def test_completing_again_after_a_lost_answer_is_fine(
    catalog: Catalog, lease: Lease, make_record: Callable[..., Record]
) -> None:
    """The winner that asks again with its own record is told that it won, and nothing is written twice."""
    record = make_record(lease.ticket)
    first = catalog.attempts.complete(lease, record, "rebuilt")
    assert catalog.attempts.complete(lease, record, "rebuilt") == first
    assert _states(catalog, lease.ticket).count("complete") == 1


def test_a_foreign_record_completes_nothing(catalog: Catalog, lease: Lease, make_record: Callable[..., Record]) -> None:
    """The record must be of this ticket and attempt."""
    for record in (make_record(lease.ticket + 1), make_record(lease.ticket, attempt=2)):
        with pytest.raises(Contradiction):
            catalog.attempts.complete(lease, record, "rebuilt")
    assert catalog.tickets.get(lease.ticket).state == "planning"


def test_failing_tells_the_error(catalog: Catalog, lease: Lease) -> None:
    """A failed ticket ends in error with the text its user reads."""
    ticket = catalog.attempts.fail(lease, "the mirror is gone. Try later")
    assert (ticket.state, ticket.error) == ("error", "the mirror is gone. Try later")
    assert _states(catalog, lease.ticket)[-1] == "error"


def _uses(catalog: Catalog, lease: Lease, lock: Lock, record: Record) -> list[Callable[[], object]]:
    shared = SharedCheckpoint(
        digest="1" * 64, stage="rootfs", sha256="2" * 64, size=1, content="3" * 64, content_size=1, facts={}
    )
    return [
        lambda: catalog.blobs.take(lease.ticket, {"2" * 64: 1}, lease),
        lambda: catalog.blobs.release(["2" * 64], lease),
        lambda: catalog.intents.open("key", "upload", lease.ticket, lease.number, lease),
        lambda: catalog.claims.take("1" * 64, lease),
        lambda: catalog.checkpoints.add(shared, lease),
        lambda: catalog.attempts.renew(lease),
        lambda: catalog.attempts.advance(lease, "building", 10, "", ""),
        lambda: catalog.attempts.write_lock(lease, lock, EVIDENCE),
        lambda: catalog.attempts.fail(lease, "too late"),
        lambda: catalog.attempts.complete(lease, record, "too late"),
    ]


@pytest.mark.parametrize(
    ("why", "kind_of_stop"),
    [
        ("superseded by attempt 2", Superseded),
        ("was cancelled: enough", Stopped),
        ("has ended: error", Stopped),
        ("was released", Superseded),
        ("handed back", Superseded),
        ("or lost", Superseded),
    ],
)
def test_a_fenced_attempt_changes_nothing(
    catalog: Catalog,
    ticket: Ticket,
    lock: Lock,
    make_record: Callable[..., Record],
    why: str,
    kind_of_stop: type[Stopped],
) -> None:
    """Once another attempt, a cancel, an end or the loss of the lease came between, every call is stopped so."""
    lease = catalog.attempts.begin(ticket.id, "home-1", "run-1", in_process=False)
    interruptions: dict[str, Callable[[], object]] = {
        "superseded by attempt 2": lambda: _again(catalog, lease),
        "was cancelled: enough": lambda: catalog.tickets.cancel(lease.ticket, "enough"),
        "has ended: error": lambda: catalog.attempts.fail(lease, "broken"),
        "was released": lambda: catalog.attempts.release(lease),
        "handed back": lambda: catalog.attempts.hand_back(lease),
        "or lost": lambda: catalog.attempts.settle(lease.ticket, lambda _lease: False),
    }
    interruptions[why]()
    before, events = catalog.tickets.get(lease.ticket), catalog.events.list(lease.ticket)
    for use in _uses(catalog, lease, lock, make_record(lease.ticket)):
        with pytest.raises(Stopped, match=why) as caught:
            use()
        assert type(caught.value) is kind_of_stop
    assert catalog.tickets.get(lease.ticket) == before
    assert catalog.events.list(lease.ticket) == events
    assert catalog.tickets.lock(lease.ticket) is None
    assert catalog.tickets.record(lease.ticket) is None
    assert (catalog.intents.pending(), catalog.claims.list(), catalog.checkpoints.get("1" * 64)) == ([], {}, None)
    assert catalog.blobs.drop(lease.ticket) == ()


def test_a_fenced_attempt_leaves_the_newer_one_its_lease(catalog: Catalog, lease: Lease) -> None:
    """Releasing an old attempt, even twice, doesn't end the new one's lease."""
    second = _again(catalog, lease)
    catalog.attempts.release(lease)
    catalog.attempts.release(lease)
    catalog.attempts.renew(second)


def test_the_lock_is_written_once(catalog: Catalog, lease: Lease, lock: Lock) -> None:
    """The first lock counts, for this attempt and for later ones."""
    other = lock.model_copy(update={"index": "b" * 64})
    assert catalog.attempts.write_lock(lease, lock, EVIDENCE) == (lock, EVIDENCE)
    assert catalog.attempts.write_lock(lease, other, Evidence(archives=())) == (lock, EVIDENCE)
    assert catalog.attempts.write_lock(_again(catalog, lease), other, Evidence(archives=())) == (lock, EVIDENCE)
    assert catalog.tickets.lock(lease.ticket) == (lock, EVIDENCE)
