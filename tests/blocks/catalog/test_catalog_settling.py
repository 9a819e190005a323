"""Settling: a dead attempt doesn't keep its ticket waiting; a deployment's run starts again, twice."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from blocks.catalog import Catalog, Lease, TicketRequest
from blocks.catalog.clock import Now
from blocks.catalog.tables import ATTEMPTS
from blocks.errors import NotFound, Superseded
from blocks.model import Ticket


@pytest.fixture
def deployed(catalog: Catalog, ticket: Ticket) -> Lease:
    """The lease of a deployment's run."""
    return catalog.attempts.begin(ticket.id, "home-1", "run-1", in_process=False, run_count=1)


def _again(catalog: Catalog, lease: Lease) -> Lease:
    return catalog.attempts.begin(lease.ticket, "home-2", lease.flow_run, in_process=lease.in_process)


def _expire(catalog: Catalog, lease: Lease) -> None:
    with catalog.database.writing() as connection:
        connection.execute(update(ATTEMPTS).where(ATTEMPTS.c.ticket == lease.ticket).values(expires=Now() - 1.0))


def _settle(catalog: Catalog, lease: Lease, verdict: bool | None = None) -> Ticket:
    return catalog.attempts.settle(lease.ticket, lambda _lease: verdict, patience=0)


def _last(catalog: Catalog, ticket: int) -> tuple[str, str]:
    event = catalog.events.list(ticket)[-1]
    return event.state, event.reason


def test_a_dead_attempt_ends_its_ticket_in_error(catalog: Catalog, lease: Lease) -> None:
    """When a process that somebody waits for is known to be dead, the ticket says so at once, and what to do."""
    ticket = _settle(catalog, lease, verdict=False)
    assert ticket.state == "error"
    assert "its process is gone. Run it again" in ticket.error
    assert _last(catalog, lease.ticket) == ("error", ticket.error)


def test_a_deployment_s_run_starts_again_twice(catalog: Catalog, deployed: Lease) -> None:
    """Its ticket waits for that, known by its id, run and percent; the third time it ends in error with the reason."""
    catalog.attempts.advance(deployed, "building", 40, "rootfs", "unpacking")
    lease = deployed
    for restart in (1, 2):
        ticket = _settle(catalog, lease, verdict=False)
        assert (ticket.state, ticket.percent, ticket.attempt, ticket.flow_run) == ("requested", 40, restart, "run-1")
        assert _last(catalog, ticket.id) == ("requested", ticket.message)
        assert ticket.message == (
            f"Attempt {restart} was lost: the run of its deployment is gone; its run starts again (restart {restart} "
            "of 2)"
        )
        assert [each.id for each in catalog.orders.waiting()] == [ticket.id]
        assert catalog.attempts.current(ticket.id) == lease
        lease = _again(catalog, lease)
    ended = _settle(catalog, lease, verdict=False)
    assert (ended.state, ended.attempt) == ("error", 3)
    assert "after 2 restarts. Run it again" in ended.error


def test_what_was_handed_back_is_not_counted(catalog: Catalog, deployed: Lease) -> None:
    """An ordinary stop of whatever runs it costs none of its restarts."""
    lease = deployed
    for _ in range(4):
        assert catalog.attempts.hand_back(lease)
        assert not catalog.attempts.hand_back(lease)
        assert _last(catalog, lease.ticket)[0] == "requested"
        lease = _again(catalog, lease)
    assert "(restart 1 of 2)" in _settle(catalog, lease, verdict=False).message
    assert catalog.attempts.lost("home-1") == []
    assert catalog.attempts.lost("home-2") == [lease]


def test_a_run_that_began_again_by_itself_is_counted(catalog: Catalog, deployed: Lease) -> None:
    """Whoever starts it: the attempt before was lost."""
    assert "(restart 2 of 2)" in _settle(catalog, _again(catalog, deployed), verdict=False).message


def test_nobody_hands_back_what_cannot_start_again(catalog: Catalog, lease: Lease) -> None:
    """The run of a process that somebody waits for goes on."""
    assert not catalog.attempts.hand_back(lease)
    catalog.attempts.renew(lease)


def test_what_has_ended_is_not_handed_back(catalog: Catalog, deployed: Lease) -> None:
    """Neither a ticket that was cancelled nor an attempt that a newer one has fenced."""
    newer = _again(catalog, deployed)
    assert not catalog.attempts.hand_back(deployed)
    catalog.tickets.cancel(newer.ticket, "enough")
    assert not catalog.attempts.hand_back(newer)
    assert catalog.tickets.get(newer.ticket).state == "cancelled"


def test_the_living_of_a_home_are_told(catalog: Catalog, deployed: Lease) -> None:
    """Those that have not ended, however long ago they renewed; of other homes none."""
    _expire(catalog, deployed)
    assert catalog.attempts.living("home-1") == [deployed]
    assert catalog.attempts.living("home-2") == []
    newer = _again(catalog, deployed)
    assert catalog.attempts.living("home-1") == []
    assert catalog.attempts.lost("home-1") == [deployed]
    assert catalog.attempts.living("home-2") == [newer]
    catalog.tickets.cancel(newer.ticket, "enough")
    assert catalog.attempts.living("home-2") == []


def test_the_judge_is_asked_about_the_newest_attempt(catalog: Catalog, lease: Lease) -> None:
    """Settling asks about the attempt that runs now, with its home."""
    second = _again(catalog, lease)
    asked: list[Lease] = []

    def judge(found: Lease) -> bool:
        asked.append(found)
        return True

    catalog.attempts.settle(lease.ticket, judge)
    assert asked == [second]


def test_a_living_attempt_is_left_alone(catalog: Catalog, lease: Lease) -> None:
    """An attempt that is known to live goes on although its lease ran out."""
    _expire(catalog, lease)
    assert _settle(catalog, lease, verdict=True).state == "planning"


def test_an_expired_lease_is_dead_by_the_database_s_clock(catalog: Catalog, lease: Lease) -> None:
    """Where nobody can tell, the lease decides: valid it lives, expired it is dead."""
    assert _settle(catalog, lease).state == "planning"
    _expire(catalog, lease)
    assert _settle(catalog, lease).state == "error"


def test_a_lease_that_ran_out_is_looked_at_twice(
    catalog: Catalog, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever renews in between was only kept from it: a database that was away buries nobody."""
    waits: list[float] = []

    def renew(seconds: float) -> None:
        waits.append(seconds)
        catalog.attempts.renew(lease)

    monkeypatch.setattr("blocks.catalog.attempts.time.sleep", renew)
    assert catalog.attempts.settle(lease.ticket, lambda _lease: None).state == "planning"
    _expire(catalog, lease)
    assert catalog.attempts.settle(lease.ticket, lambda _lease: None).state == "planning"
    assert waits == [3.0]


def test_a_released_lease_is_dead_at_once(
    catalog: Catalog, lease: Lease, ticket: Ticket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever lets go of its lease without an end leaves nothing to wait for, and what is certain waits for nothing."""
    monkeypatch.setattr("blocks.catalog.attempts.time.sleep", pytest.fail)
    catalog.attempts.release(lease)
    assert catalog.attempts.settle(ticket.id, lambda _lease: None).state == "error"


def test_many_tickets_are_settled_with_one_wait(
    catalog: Catalog, lease: Lease, order: TicketRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the order in which they were named; one of them may have ended, and one have no attempt yet."""
    waits: list[float] = []
    monkeypatch.setattr("blocks.catalog.attempts.time.sleep", waits.append)
    made = [catalog.tickets.create(order).id for _ in range(3)]
    leases = [lease, catalog.attempts.begin(made[0], "home-3", in_process=True)]
    catalog.tickets.cancel(made[1], "enough")
    for each in leases:
        _expire(catalog, each)
    settled = catalog.attempts.settle_all((made[2], made[1], made[0], lease.ticket), lambda _lease: None)
    assert [each.id for each in settled] == [made[2], made[1], made[0], lease.ticket]
    assert [each.state for each in settled] == ["requested", "cancelled", "error", "error"]
    assert waits == [3.0]


def test_an_unknown_ticket_is_not_settled(catalog: Catalog) -> None:
    """It is not found."""
    with pytest.raises(NotFound):
        catalog.attempts.settle(99, lambda _lease: None)


def test_a_renewal_during_the_judgement_saves_the_attempt(catalog: Catalog, lease: Lease) -> None:
    """A lease that is renewed while it is judged is valid when it counts."""
    _expire(catalog, lease)
    assert catalog.attempts.settle(lease.ticket, catalog.attempts.renew).state == "planning"


def test_a_new_attempt_during_the_judgement_is_not_buried(catalog: Catalog, lease: Lease) -> None:
    """The verdict on an old attempt doesn't touch the one that began meanwhile."""
    assert catalog.attempts.settle(lease.ticket, lambda found: _again(catalog, found).number < 0).state == "planning"
    assert catalog.tickets.get(lease.ticket).attempt == 2


def test_a_ticket_that_waits_or_has_ended_is_not_judged(catalog: Catalog, ticket: Ticket) -> None:
    """Without a running attempt nobody is asked, and nothing changes; nor while it waits for its restart."""
    asked: list[Lease] = []

    def judge(lease: Lease) -> bool:
        asked.append(lease)
        return False

    assert catalog.attempts.settle(ticket.id, judge) == ticket
    lease = catalog.attempts.begin(ticket.id, "home", "run-1", in_process=False)
    catalog.attempts.hand_back(lease)
    assert catalog.attempts.settle(ticket.id, judge).state == "requested"
    catalog.tickets.cancel(ticket.id, "enough")
    assert catalog.attempts.settle(ticket.id, judge).state == "cancelled"
    assert asked == []


def test_who_was_given_up_and_comes_back_is_told(catalog: Catalog, deployed: Lease) -> None:
    """A process that was stopped for longer than its lease speaks for the run no more, before and after the restart."""
    _expire(catalog, deployed)
    _settle(catalog, deployed)
    for _ in range(2):
        with pytest.raises(Superseded):
            catalog.attempts.renew(deployed)
        newer = _again(catalog, deployed)
    catalog.attempts.fail(newer, "broken")
    with pytest.raises(Superseded, match="by attempt 3"):
        catalog.attempts.fail(deployed, "too late")
