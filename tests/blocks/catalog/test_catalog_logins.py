"""Failed logins: whoever tries passwords waits longer and longer, and whoever knows the right one doesn't."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, update

from blocks.catalog import Catalog
from blocks.catalog.logins import ADDRESS, BOTH, FORGOTTEN, NAME, Bound
from blocks.catalog.tables import FAILURES
from blocks.errors import TooManyFailures

_PEER = "192.0.2.1"


def _fail(catalog: Catalog, times: int, name: str = "alice", peer: str = _PEER) -> None:
    for _ in range(times):
        catalog.logins.failed(name, peer)


def _seconds(catalog: Catalog, name: str = "alice", peer: str = _PEER) -> float:
    """How long that one has to wait."""
    try:
        catalog.logins.check(name, peer)
    except TooManyFailures as error:
        return error.seconds
    return 0


def _age(catalog: Catalog, seconds: float) -> None:
    """Let the failures be so much older."""
    with catalog.database.writing() as connection:
        for row in connection.execute(select(FAILURES.c.subject, FAILURES.c.last)).all():
            change = update(FAILURES).where(FAILURES.c.subject == row.subject)
            connection.execute(
                change.values(last=row.last.fromtimestamp(row.last.timestamp() - seconds, row.last.tzinfo))
            )


def _set(catalog: Catalog, number: int) -> None:
    """Let every count be that."""
    with catalog.database.writing() as connection:
        connection.execute(update(FAILURES).values(number=number))


def test_some_failures_are_free(catalog: Catalog) -> None:
    """Who mistypes a password a few times doesn't wait, and neither does who never failed."""
    _fail(catalog, BOTH.free - 1)
    assert _seconds(catalog) == 0
    assert _seconds(catalog, "bob", "192.0.2.2") == 0


def test_further_failures_make_who_asks_wait(catalog: Catalog) -> None:
    """The error says how long, with what to do; it is the same for right and wrong names; then it is tried again."""
    _fail(catalog, BOTH.free)
    _set(catalog, BOTH.free + 6)
    with pytest.raises(TooManyFailures, match="Too many") as refusal:
        catalog.logins.check("alice", _PEER)
    assert BOTH.wait(BOTH.free + 6) - 30 < refusal.value.seconds <= BOTH.wait(BOTH.free + 6)
    assert refusal.value.hint
    assert copy.copy(refusal.value).seconds == refusal.value.seconds
    assert _seconds(catalog, "bob") == 0
    assert _seconds(catalog, peer="192.0.2.2") == 0
    _age(catalog, BOTH.wait(BOTH.free + 6))
    assert _seconds(catalog) == 0


@pytest.mark.parametrize("bound", [BOTH, ADDRESS, NAME])
def test_a_wait_doubles_up_to_its_limit(bound: Bound) -> None:
    """From one second on, and never more than the bound's longest."""
    waits = [bound.wait(failures) for failures in range(bound.free - 1, bound.free + 30)]
    assert waits[:4] == [0, 1, 2, 4]
    assert waits == sorted(waits)
    assert waits[-1] == bound.wait(10**9) == bound.longest


def test_success_forgets_what_failed_there(catalog: Catalog) -> None:
    """The right password ends the wait of that name at that address, and nobody else's."""
    _fail(catalog, BOTH.free)
    _fail(catalog, BOTH.free, peer="192.0.2.2")
    _set(catalog, BOTH.free + 6)
    catalog.logins.succeeded("alice", _PEER)
    assert _seconds(catalog) == 0
    assert _seconds(catalog, peer="192.0.2.2") > 0
    catalog.logins.succeeded("bob", "192.0.2.3")


def test_an_address_that_tries_many_names_waits(catalog: Catalog) -> None:
    """One name each time, from one address: that waits for any name, and others don't."""
    catalog.logins.failed("somebody", _PEER)
    _set(catalog, ADDRESS.free + 5)
    assert 2 < _seconds(catalog, "any other") <= ADDRESS.wait(ADDRESS.free + 5)
    assert _seconds(catalog, "any other", "192.0.2.2") == 0


def test_a_name_that_is_tried_from_everywhere_waits_shortly(catalog: Catalog) -> None:
    """Its user isn't locked out for long by whoever knows the name."""
    catalog.logins.failed("alice", _PEER)
    _set(catalog, NAME.free + 50)
    assert 0 < _seconds(catalog, peer="192.0.2.2") <= NAME.longest


def test_failures_are_forgotten_after_a_while(catalog: Catalog) -> None:
    """The count begins anew, and the books don't grow with the names that were tried."""
    for number in range(10):
        catalog.logins.failed(f"name {number}", _PEER)
    _set(catalog, 1000)
    _age(catalog, FORGOTTEN + 1)
    assert _seconds(catalog, "name 1") == 0
    catalog.logins.failed("alice", _PEER)
    with catalog.database.reading() as connection:
        assert [row.number for row in connection.execute(select(FAILURES))] == [1, 1, 1]


def test_failures_of_all_processes_are_counted(catalog: Catalog, url: str) -> None:
    """None is lost when many fail at the same time, each with a catalog of its own."""
    with Catalog.open(url) as other, ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: (catalog, other)[number % 2].logins.failed("alice", _PEER), range(40)))
    with catalog.database.reading() as connection:
        assert [row.number for row in connection.execute(select(FAILURES))] == [40, 40, 40]


def test_what_was_typed_is_not_kept(catalog: Catalog) -> None:
    """A password that was typed as a name is in no row, whatever characters it has."""
    for name in ("my password", "\0", "\ud800", "x" * 10_000):
        catalog.logins.failed(name, _PEER)
        assert _seconds(catalog, name) == 0
        catalog.logins.succeeded(name, _PEER)
    with catalog.database.reading() as connection:
        assert "my password" not in str(connection.execute(select(FAILURES)).all())
