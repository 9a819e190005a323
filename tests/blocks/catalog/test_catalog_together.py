"""Many at once: real processes and threads on one catalog, and nothing is lost or decided twice."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path
from threading import Barrier as ThreadBarrier
from typing import Any

import pytest
from sqlalchemy import update

from blocks.catalog import Catalog, Lease, SharedCheckpoint, TicketRequest
from blocks.catalog.clock import Now
from blocks.catalog.tables import ATTEMPTS
from blocks.errors import Occupied, QuotaExceeded, Stopped
from blocks.model import Appliance, Record

LIMIT = 120
_BARRIERS: dict[int, Barrier] = {}

Work = Callable[[Catalog, int, Any], Any]
Together = Callable[..., list[Any]]


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    """Four processes that share nothing but the catalog."""
    spawn = multiprocessing.get_context("spawn")
    barriers = {parties: spawn.Barrier(parties) for parties in (2, 4)}
    with ProcessPoolExecutor(4, spawn, _meet_at, (barriers,)) as processes:
        yield processes


@pytest.fixture
def together(pool: ProcessPoolExecutor) -> Together:
    """Runs a piece of work in several processes that all start at the same moment, each with a catalog of its own."""

    def run(work: Work, url: str, given: Any, processes: int = 4) -> list[Any]:
        started = [pool.submit(_work, work, url, number, given, processes) for number in range(processes)]
        return [each.result(LIMIT) for each in started]

    return run


def _meet_at(barriers: dict[int, Barrier]) -> None:
    _BARRIERS.update(barriers)


def _work(work: Work, url: str, number: int, given: Any, processes: int) -> Any:
    with Catalog.open(url) as catalog:
        _BARRIERS[processes].wait(LIMIT)
        return work(catalog, number, given)


def _prepare(url: str, processes: int) -> list[str]:
    _BARRIERS[processes].wait(LIMIT)
    with Catalog.prepare(url) as catalog:
        return [account.name for account in catalog.users.list()]


def _change(catalog: Catalog, number: int, appliance: int) -> int:
    for step in range(50):
        before = catalog.appliances.get(appliance).appliance
        changed = before.model_copy(update={"version": f"process{number}.{step}"})
        catalog.appliances.replace(appliance, changed)
    return 50


def test_concurrent_read_modify_writes_lose_nothing(catalog: Catalog, url: str, together: Together) -> None:
    """200 changes by four processes raise the revision by exactly 200."""
    appliance = catalog.appliances.add("alice", Appliance(name="server"))
    assert sum(together(_change, url, appliance)) == 200
    assert catalog.appliances.get(appliance).appliance.revision == 201


def _ask(catalog: Catalog, _number: int, order: TicketRequest) -> list[int]:
    barrier = ThreadBarrier(5)

    def ask(_thread: int) -> int:
        barrier.wait(LIMIT)
        return catalog.tickets.create(order, "same-key").id

    with ThreadPoolExecutor(5) as threads:
        return list(threads.map(ask, range(5)))


def test_twenty_requests_with_one_key_make_one_ticket(
    catalog: Catalog, url: str, together: Together, order: TicketRequest
) -> None:
    """Four processes of five threads ask at the same time and all get the same ticket."""
    answers = [answer for process in together(_ask, url, order) for answer in process]
    assert len(answers) == 20
    (ticket,) = catalog.tickets.list()
    assert set(answers) == {ticket.id}
    assert len(catalog.events.list(ticket.id)) == 1


def _race(catalog: Catalog, number: int, given: list[tuple[Lease, Record]]) -> list[bool]:
    return [_cancel(catalog, lease) if number % 2 else _complete(catalog, lease, record) for lease, record in given]


def _cancel(catalog: Catalog, lease: Lease) -> bool:
    return catalog.tickets.cancel(lease.ticket, "race")


def _complete(catalog: Catalog, lease: Lease, record: Record) -> bool:
    try:
        return catalog.attempts.complete(lease, record, "race").state == "complete"
    except Stopped:
        return False


def test_either_cancel_or_complete_wins(
    catalog: Catalog, url: str, together: Together, order: TicketRequest, make_record: Callable[..., Record]
) -> None:
    """For each of many tickets exactly one of the two succeeds, and the ticket shows that one."""
    leases = [catalog.attempts.begin(catalog.tickets.create(order).id, "home", in_process=True) for _ in range(40)]
    given = [(lease, make_record(lease.ticket)) for lease in leases]
    first, second = together(_race, url, given, processes=2)
    assert all(one != other for one, other in zip(first, second, strict=True))
    for lease in leases:
        ends = [event.state for event in catalog.events.list(lease.ticket)][2:]
        assert ends == [catalog.tickets.get(lease.ticket).state]
        assert (catalog.tickets.record(lease.ticket) is not None) == (ends == ["complete"])


def _cancel_all(catalog: Catalog, _number: int, tickets: list[int]) -> list[bool]:
    return [catalog.tickets.cancel(ticket, "race") for ticket in tickets]


def test_one_of_many_cancels_does_it(catalog: Catalog, url: str, together: Together, order: TicketRequest) -> None:
    """However many cancel at once, each ticket is cancelled by one call."""
    tickets = [catalog.tickets.create(order).id for _ in range(20)]
    answers = together(_cancel_all, url, tickets)
    assert [sum(each) for each in zip(*answers, strict=True)] == [1] * 20


def _take_or_drop(catalog: Catalog, number: int, tickets: tuple[int, int]) -> list[tuple[str, ...]]:
    shas = [f"{step:064x}" for step in range(30)]
    if number:
        return [catalog.blobs.take(tickets[1], {sha: 1}) for sha in shas]
    return [catalog.blobs.drop(tickets[0])]


def test_a_blob_is_either_taken_or_doomed(catalog: Catalog, url: str, together: Together, order: TicketRequest) -> None:
    """While one record gives up its blobs and another takes them, none is both needed and doomed."""
    tickets = (catalog.tickets.create(order).id, catalog.tickets.create(order).id)
    catalog.blobs.take(tickets[0], {f"{step:064x}": 1 for step in range(30)})
    answers = together(_take_or_drop, url, tickets, processes=2)
    refused = {sha for answer in max(answers, key=len) for sha in answer}
    assert refused == set(catalog.blobs.doomed())
    assert len(catalog.blobs.drop(tickets[1])) == 30 - len(refused)


def _begin(catalog: Catalog, _number: int, ticket: int) -> list[int]:
    return [catalog.attempts.begin(ticket, "home", "run", in_process=True).number for _ in range(10)]


def test_every_attempt_has_its_own_number(catalog: Catalog, url: str, together: Together, order: TicketRequest) -> None:
    """Attempts that begin at the same time never share a number, so one of them is the newest."""
    ticket = catalog.tickets.create(order).id
    numbers = [number for process in together(_begin, url, ticket) for number in process]
    assert sorted(numbers) == list(range(1, 41))
    assert catalog.tickets.get(ticket).attempt == 40


def _begin_as_another(catalog: Catalog, number: int, tickets: list[int]) -> list[bool]:
    begun = []
    for ticket in tickets:
        try:
            catalog.attempts.begin(ticket, "home", f"run-{number}", in_process=False)
            begun.append(True)
        except Occupied:
            begun.append(False)
    return begun


def test_a_ticket_is_begun_by_one_of_many_runs(
    catalog: Catalog, url: str, together: Together, order: TicketRequest
) -> None:
    """However many begin at once, one works on the ticket and the others are refused."""
    tickets = [catalog.tickets.create(order).id for _ in range(20)]
    answers = together(_begin_as_another, url, tickets)
    assert [sum(each) for each in zip(*answers, strict=True)] == [1] * 20
    assert {ticket.attempt for ticket in catalog.tickets.list()} == {1}


def _claim(catalog: Catalog, number: int, leases: list[Lease]) -> list[int | None]:
    barrier = ThreadBarrier(5)

    def claim(lease: Lease) -> int | None:
        barrier.wait(LIMIT)
        return catalog.claims.take("a" * 64, lease)

    with ThreadPoolExecutor(5) as threads:
        return list(threads.map(claim, leases[number * 5 : number * 5 + 5]))


def test_twenty_that_claim_a_digest_agree_on_one(
    catalog: Catalog, url: str, together: Together, order: TicketRequest
) -> None:
    """It is one's, the others are told whose; when that is dead it is again one's of those that are left."""
    dead, *leases = (
        catalog.attempts.begin(catalog.tickets.create(order).id, "home", in_process=True) for _ in range(21)
    )
    catalog.claims.take("a" * 64, dead)
    with catalog.database.writing() as connection:
        connection.execute(update(ATTEMPTS).values(expires=Now() + 3600.0))
        connection.execute(update(ATTEMPTS).where(ATTEMPTS.c.ticket == dead.ticket).values(expires=Now() - 1.0))
    for _ in range(2):
        answers = [answer for process in together(_claim, url, leases) for answer in process]
        winner = leases[answers.index(None)]
        assert sorted(answers, key=str) == [winner.ticket] * 19 + [None]
        assert catalog.claims.list() == {"a" * 64: winner.ticket}
        catalog.claims.release("a" * 64, winner)


def _settle_or_hand_back(catalog: Catalog, number: int, leases: list[Lease]) -> int:
    if number % 2:
        return sum(catalog.attempts.hand_back(lease) for lease in leases)
    for lease in leases:
        catalog.attempts.settle(lease.ticket, lambda _lease: False)
    return 0


def test_an_attempt_is_either_lost_or_handed_back(
    catalog: Catalog, url: str, together: Together, order: TicketRequest
) -> None:
    """Many who give it up at once do it once, and the books agree on which it was."""
    leases = []
    for _ in range(20):
        ticket = catalog.tickets.create(order).id
        leases.append(catalog.attempts.begin(ticket, "home", f"run-{ticket}", in_process=False))
    handed_back = sum(together(_settle_or_hand_back, url, leases))
    assert handed_back + len(catalog.attempts.lost("home")) == 20
    for lease in leases:
        states = [event.state for event in catalog.events.list(lease.ticket)]
        assert states == ["requested", "planning", "requested"]


def _share_or_drop(catalog: Catalog, number: int, given: tuple[Lease, list[SharedCheckpoint]]) -> list[bool]:
    lease, shared = given
    if number:
        return [catalog.checkpoints.add(each, lease) for each in shared]
    catalog.blobs.drop(lease.ticket + 1)
    return []


def test_a_blob_is_either_shared_or_doomed(
    catalog: Catalog, url: str, together: Together, order: TicketRequest, lease: Lease
) -> None:
    """While one record gives up its blobs and another attempt shares them, none is both needed and doomed."""
    other = catalog.tickets.create(order).id
    names = [f"{step:064x}" for step in range(30)]
    catalog.blobs.take(other, dict.fromkeys(names, 1))
    shared = [
        SharedCheckpoint(digest=name, stage="disk", sha256=name, size=1, content=name, content_size=1, facts={})
        for name in names
    ]
    assert other == lease.ticket + 1
    added = max(together(_share_or_drop, url, (lease, shared), processes=2), key=len)
    assert [name for name, each in zip(names, added, strict=True) if not each] == list(catalog.blobs.doomed())
    assert [catalog.checkpoints.get(name) is not None for name in names] == added


def _remove_or_store(catalog: Catalog, number: int, given: tuple[int, Path]) -> None:
    """Each removes what is doomed, and one stores it again and takes it: the folder is the store."""
    ticket, folder = given
    for name in (f"{step:064x}" for step in range(20)):
        catalog.blobs.remove(name, lambda sha256: (folder / sha256).unlink())
        if number == 0:
            (folder / name).touch()
            while catalog.blobs.take(ticket, {name: 1}):
                catalog.blobs.remove(name, lambda sha256: (folder / sha256).unlink())
                (folder / name).touch()


def test_what_was_stored_again_is_not_removed(
    catalog: Catalog, url: str, together: Together, order: TicketRequest, tmp_path: Path
) -> None:
    """Many who remove doomed blobs at once take away nothing that is needed again."""
    old, new = (catalog.tickets.create(order).id for _ in range(2))
    names = [f"{step:064x}" for step in range(20)]
    for name in names:
        (tmp_path / name).touch()
    catalog.blobs.take(old, dict.fromkeys(names, 1))
    catalog.blobs.drop(old)
    together(_remove_or_store, url, (new, tmp_path))
    assert all((tmp_path / name).exists() for name in names)
    assert catalog.blobs.drop(new) == tuple(names)


def _ask_for_places(catalog: Catalog, _number: int, order: TicketRequest) -> int:
    barrier = ThreadBarrier(4)

    def ask(_thread: int) -> int:
        barrier.wait(LIMIT)
        try:
            return catalog.tickets.create(order).id
        except QuotaExceeded:
            return 0

    with ThreadPoolExecutor(4) as threads:
        return sum(number > 0 for number in threads.map(ask, range(4)))


def test_many_who_ask_for_the_last_places_get_no_more(
    catalog: Catalog, url: str, together: Together, order: TicketRequest
) -> None:
    """Sixteen ask at the same time for three places: three get one."""
    catalog.quotas.set("alice", "generation", 3)
    assert sum(together(_ask_for_places, url, order)) == 3
    assert len(catalog.tickets.list()) == 3


def _complete_or_ask(catalog: Catalog, number: int, given: tuple[list[tuple[Lease, Record]], TicketRequest]) -> int:
    leases, order = given
    if number == 0:
        return sum(_complete(catalog, lease, record) for lease, record in leases)
    made = 0
    for lease, _record in leases:
        wanted = order.model_copy(update={"parent": lease.ticket, "force": True})
        try:
            made += catalog.tickets.create(wanted).id > 0
        except QuotaExceeded:
            continue
    return made


def test_completing_and_asking_at_once_stay_within_the_quota(
    catalog: Catalog, url: str, together: Together, order: TicketRequest, make_record: Callable[..., Record]
) -> None:
    """While one completes tickets, another supersedes them: nobody waits for ever, and no success is overlooked."""
    leases = [catalog.attempts.begin(catalog.tickets.create(order).id, "home", in_process=True) for _ in range(20)]
    catalog.quotas.set("alice", "generation", 20)
    given = ([(lease, make_record(lease.ticket)) for lease in leases], order)
    completed, _asked = together(_complete_or_ask, url, given, processes=2)
    quota = next(each for each in catalog.quotas.list("alice") if each.kind == "generation")
    assert quota.used == completed
    assert quota.used + quota.reserved <= 20


def _keep(catalog: Catalog, number: int, given: list[tuple[Lease, Record]]) -> bool:
    lease, record = given[number]
    try:
        return catalog.attempts.complete(lease, record, "race").state == "complete"
    except QuotaExceeded:
        return False


def test_images_that_end_at_once_stay_within_the_room(
    catalog: Catalog, url: str, together: Together, order: TicketRequest, make_record: Callable[..., Record]
) -> None:
    """Four images of 1000 bytes each are completed at the same time where two fit: two are kept."""
    given = []
    for name in "cdef":
        lease = catalog.attempts.begin(catalog.tickets.create(order).id, "home", in_process=True)
        record = make_record(lease.ticket)
        assert record.generation.file is not None
        file = record.generation.file.model_copy(update={"sha256": name * 64})
        catalog.blobs.take(lease.ticket, {file.sha256: file.size})
        generation = record.generation.model_copy(update={"file": file})
        given.append((lease, record.model_copy(update={"generation": generation})))
    catalog.quotas.set("alice", "diskusage", 2999)
    assert sorted(together(_keep, url, given)) == [False, False, True, True]


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_prepare_one_catalog_together(empty: str, pool: ProcessPoolExecutor, processes: int) -> None:
    """Whoever comes first migrates, the others wait and find it done."""
    started = [pool.submit(_prepare, empty, processes) for _ in range(processes)]
    assert [each.result(LIMIT) for each in started] == [[]] * processes
