"""Claims: one attempt builds what is behind a digest, and nobody waits for a dead one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import update

from blocks.catalog import Catalog, Lease, TicketRequest
from blocks.catalog.clock import Now
from blocks.catalog.tables import ATTEMPTS
from blocks.model import Record

A, B = "a" * 64, "b" * 64


@pytest.fixture
def leases(catalog: Catalog, order: TicketRequest) -> tuple[Lease, Lease]:
    """The attempts of two runs of deployments."""
    first, second = (catalog.tickets.create(order).id for _ in range(2))
    return tuple(  # type: ignore[return-value]  # two of them
        catalog.attempts.begin(ticket, "home", f"run-{ticket}", in_process=False) for ticket in (first, second)
    )


def _expire(catalog: Catalog, lease: Lease) -> None:
    with catalog.database.writing() as connection:
        connection.execute(update(ATTEMPTS).where(ATTEMPTS.c.ticket == lease.ticket).values(expires=Now() - 1.0))


def test_the_first_has_the_digest_until_it_lets_go(catalog: Catalog, leases: tuple[Lease, Lease]) -> None:
    """The other is told whose it is; another digest is free; letting go of what isn't one's own changes nothing."""
    first, second = leases
    assert catalog.claims.take(A, first) is None
    assert catalog.claims.take(A, first) is None
    assert catalog.claims.take(A, second) == first.ticket
    assert catalog.claims.take(B, second) is None
    catalog.claims.release(A, second)
    assert catalog.claims.list() == {A: first.ticket, B: second.ticket}
    for _ in range(2):
        catalog.claims.release(A, first)
    assert catalog.claims.take(A, second) is None
    assert catalog.claims.list() == {A: second.ticket, B: second.ticket}


def test_an_attempt_whose_lease_is_over_has_no_claim(catalog: Catalog, leases: tuple[Lease, Lease]) -> None:
    """Who waits for it takes it over, and that holds when it comes back."""
    first, second = leases
    catalog.claims.take(A, first)
    _expire(catalog, first)
    assert catalog.claims.take(A, second) is None
    catalog.attempts.renew(first)
    assert catalog.claims.take(A, first) == second.ticket
    catalog.claims.release(A, first)
    assert catalog.claims.list() == {A: second.ticket}


@pytest.mark.parametrize("how", ["release", "hand back", "lose", "cancel", "fail", "complete", "restart"])
def test_a_claim_ends_with_its_attempt(
    catalog: Catalog, leases: tuple[Lease, Lease], make_record: Callable[..., Record], how: str
) -> None:
    """However that ends: nothing of it is left; others keep theirs."""
    first, second = leases
    catalog.claims.take(A, first)
    catalog.claims.take(B, second)
    ends: dict[str, Callable[[], object]] = {
        "release": lambda: catalog.attempts.release(first),
        "hand back": lambda: catalog.attempts.hand_back(first),
        "lose": lambda: catalog.attempts.settle(first.ticket, lambda _lease: False),
        "cancel": lambda: catalog.tickets.cancel(first.ticket, "enough"),
        "fail": lambda: catalog.attempts.fail(first, "broken"),
        "complete": lambda: catalog.attempts.complete(first, make_record(first.ticket), "done"),
        "restart": lambda: catalog.attempts.begin(first.ticket, "home", first.flow_run, in_process=False),
    }
    ends[how]()
    assert catalog.claims.list() == {B: second.ticket}


def test_a_claim_outlasts_progress(catalog: Catalog, leases: tuple[Lease, Lease]) -> None:
    """It is the attempt's from stage to stage."""
    first, second = leases
    catalog.claims.take(A, first)
    for state in ("building", "storing", "verifying"):
        catalog.attempts.advance(first, state, 10, "", "")
        assert catalog.claims.take(A, second) == first.ticket
