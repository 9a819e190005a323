"""The matrix: one fault at one stage of one generation, and what must hold after it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from blocks.builder import STAGES
from blocks.model import StageName, Ticket
from blocks.model.ticket import ORDER
from blocks.store.content import CHUNK
from tests.faults.installation import Installation
from tests.faults.leaks import left
from tests.faults.observation import Entry, Stop, go_on
from tests.waiting import wait_until

AWHILE = 3.0
"""The seconds for which a server that is hit stays away."""
LIMIT = 400.0
"""The seconds within which every ticket must have ended, whatever happens to it."""


@dataclass(frozen=True)
class Point:
    """Where in a stage a process is stopped; `part` is the part of the image that is read by then, if it is read.

    `stage` is the stage's name in the journal, unless it is the same. In the middle of an upload the store must have
    something `unfinished`.
    """

    point: str = "begin"
    after: float = 0
    part: float = 0
    stage: str | None = None
    unfinished: bool = False


POINTS: Mapping[str, Point] = {
    "resolve": Point("working"),
    "rootfs": Point("working"),
    "disk": Point("working"),
    "pack": Point(after=0.3),
    "share": Point("working", after=0.3, stage="pack", unfinished=True),  # its file goes to the other machines
    "upload": Point("working", part=1.6, unfinished=True),  # the file is hashed first, then sent
    "verify": Point("working", part=0.5),
    "settle": Point("working"),
}
"""The stages, each with a point in the middle of its work."""


@dataclass(frozen=True)
class Reference:
    """An appliance, and its image as it is when nothing disturbs its making."""

    appliance: int
    ticket: int
    sha256: str
    size: int
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """What came of a ticket and its faults; `wrong` is empty if all that must hold does."""

    name: str
    faults: tuple[str, ...]
    state: str
    attempts: int
    seconds: float
    wrong: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether nothing is wrong and nothing is left."""
        return not self.wrong and not self.leaks


def reference(site: Installation, name: str = "small") -> Reference:
    """Make a small appliance's image undisturbed."""
    began = time.monotonic()
    appliance = site.appliance(name)
    number = site.generate(appliance)
    ended = site.await_end(number)
    assert ended.state == "complete", ended.error
    record = site.ports.catalog.tickets.record(number)
    assert record is not None
    assert record.generation.file is not None
    seconds = time.monotonic() - began
    site.equalise()
    file = record.generation.file
    return Reference(appliance, number, file.sha256, file.size, seconds)


def arm(site: Installation, stage: str, size: int, ticket: int | None = None) -> Stop:
    """A stop in the middle of the stage, for an image of that size in bytes."""
    point = POINTS[stage]
    nth = max(1, int(point.part * size / CHUNK))
    return site.observation.arm(point.stage or stage, point.point, nth=nth, after=point.after, ticket=ticket)


def kill_flow(_site: Installation, stopped: Entry) -> None:
    """The flow's process is killed."""
    os.kill(stopped.pid, signal.SIGKILL)


def kill_worker(site: Installation, stopped: Entry) -> None:
    """The worker is killed and started again; the flow's process goes on without it."""
    worker = site.worker_of(stopped.pid)
    worker.kill(runs=False)
    go_on(stopped.pid)
    worker.start()


def kill_machine(site: Installation, stopped: Entry) -> None:
    """The worker is killed with all its runs, and stays away: the other one has to take over."""
    site.worker_of(stopped.pid).kill(runs=True)


def end_worker(site: Installation, stopped: Entry) -> None:
    """The worker is told to end, as by a service's restart, and started again.

    A run whose own worker was killed before goes on without either.
    """
    worker = site.worker_of(stopped.pid)
    its_own = worker.runs(stopped.pid)
    worker.tell_to_end()
    if its_own:
        wait_until(lambda: _given_up(site, stopped), "its attempt is handed back", 30)
    go_on(stopped.pid)
    worker.await_end()
    worker.start()


def _given_up(site: Installation, stopped: Entry) -> bool:
    ticket = site.ticket(stopped.ticket)
    return ticket.terminal or ticket.state == "requested" or ticket.attempt > stopped.attempt


def kill_server(site: Installation, stopped: Entry) -> None:
    """The Prefect server is killed, and back after a while."""
    site.server.kill()
    go_on(stopped.pid)
    time.sleep(AWHILE)
    site.server.start()
    site.server.await_health()


def stop_database(site: Installation, stopped: Entry) -> None:
    """The catalog's database ends all connections, and is back after a while."""
    site.database.stop()
    go_on(stopped.pid)
    time.sleep(AWHILE)
    site.database.start()


def kill_store(site: Installation, stopped: Entry) -> None:
    """The store's server is killed, with what it hasn't written, and back after a while."""
    site.store.kill()
    go_on(stopped.pid)
    time.sleep(AWHILE)
    site.store.start()


def kill_everything(site: Installation, stopped: Entry) -> None:
    """The machine that has all of it on it is switched off and on."""
    assert stopped.pid
    for worker in site.workers:
        worker.kill(runs=True)
    site.server.kill()
    site.store.kill()
    site.database.stop()
    site.database.start()
    site.store.start()
    site.server.start()
    site.server.await_health()
    revive(site)


def freeze(site: Installation, stopped: Entry) -> None:
    """The flow's process stands still until another one has taken over, and comes back then."""
    wait_until(lambda: site.ticket(stopped.ticket).attempt > stopped.attempt, "another attempt takes over", 120)
    go_on(stopped.pid)


@dataclass(frozen=True)
class Target:
    """What a fault hits, and how many attempts it takes afterwards."""

    hit: Callable[[Installation, Entry], None]
    attempts: int


Fault = tuple[str, str]
"""A target and the stage at which it is hit."""

TARGETS: Mapping[str, Target] = {
    "flow process": Target(kill_flow, 2),
    "worker": Target(kill_worker, 1),
    "worker and flow": Target(kill_machine, 2),
    "worker told to end": Target(end_worker, 2),
    "Prefect server": Target(kill_server, 1),
    "database": Target(stop_database, 1),
    "store": Target(kill_store, 1),
    "everything": Target(kill_everything, 2),
    "frozen process": Target(freeze, 2),
}
"""Whom the faults of the matrix hit."""


def revive(site: Installation) -> None:
    """Start the workers that are away, as whatever keeps services does."""
    away = [worker for worker in site.workers if not worker.lives()]
    for worker in away:
        worker.start()
    for worker in away:
        worker.await_ready()


def ready(site: Installation, stage: str) -> None:
    """See to it that whoever takes the next generation will work on the stage, and on all before it."""
    if stage == "upload":  # whoever makes the image shares it, and it is stored already
        site.equalise("checkpoints/pack/*", ["checkpoints"])
    else:
        site.wipe()


def run(site: Installation, known: Reference, *faults: Fault) -> Outcome:
    """One generation with its faults, in the order of their stages; what doesn't come about is wrong with it."""
    ready(site, faults[0][1])
    began = time.monotonic()
    name = ", ".join(f"{target} at {stage}" for target, stage in faults)
    stops = [arm(site, stage, known.size) for _, stage in faults]
    number = site.generate(known.appliance)
    wrong: list[str] = []
    try:
        for (target, stage), stop in zip(faults, stops, strict=True):
            stopped = stop.await_process()
            wrong += _halfway(site, stage) if len(faults) == 1 else ()
            TARGETS[target].hit(site, stopped)
        site.await_end(number, LIMIT)
    except AssertionError as error:
        wrong.append(str(error))
    seconds = time.monotonic() - began
    for stop in stops:
        stop.disarm()
    revive(site)
    ended = site.ticket(number)
    lost = sum(TARGETS[target].attempts - 1 for target, _ in faults)
    wrong += [*right(site, ended, known), *_attempts(ended, 1 + lost)]
    hit = tuple(target for target, _ in faults)
    return Outcome(name, hit, ended.state, ended.attempt, seconds, tuple(wrong), left(site))


def right(site: Installation, ended: Ticket, known: Reference) -> Iterator[str]:
    """What is wrong with a ticket that has ended, and that nobody has cancelled."""
    if ended.state != "complete":
        yield f"{ended.state}: {ended.error or ended.message}"
    elif site.image(ended.id) != known.sha256:
        yield "the image has other bytes"
    yield from _story(site, ended)
    yield from _again(site, ended)


def _halfway(site: Installation, stage: str) -> Iterator[str]:
    if POINTS[stage].unfinished and not site.ports.store.unfinished():
        yield "it wasn't in the middle of the upload"


def _attempts(ended: Ticket, expected: int) -> Iterator[str]:
    if ended.attempt != expected:
        yield f"{ended.attempt} attempts, not {expected}"


def _story(site: Installation, ended: Ticket) -> Iterator[str]:
    """The events: forward within an attempt, each attempt from planning on, and one end."""
    states = [event.state for event in site.ports.catalog.events.list(ended.id)]
    if sum(state in ("complete", "error", "cancelled") for state in states) != 1:
        yield f"it has not one end: {states}"
    if states.count("planning") != ended.attempt:
        yield f"{states.count('planning')} beginnings of {ended.attempt} attempts"
    for before, after in pairwise(states[:-1]):
        if after not in ("requested", "planning") and ORDER.index(after) < ORDER.index(before):
            yield f"it went from {before} to {after}"


def _again(site: Installation, ended: Ticket) -> Iterator[str]:
    """The stages that were built again although an earlier attempt had finished them."""
    record = site.ports.catalog.tickets.record(ended.id)
    finished = finished_stages(site, ended.id, ended.attempt)
    for stage in record.generation.stages if record else ():
        if stage.name in finished and not stage.reused:
            yield f"{stage.name} was built again"


def finished_stages(site: Installation, ticket: int, attempt: int) -> set[StageName]:
    """The stages that attempts before this one have finished."""
    ends = {
        entry.stage for entry in site.observation.journal(ticket) if entry.point == "end" and entry.attempt < attempt
    }
    return {stage for stage in STAGES if stage in ends}
