"""The random campaign: several generations at a time, struck at drawn stages and times until enough has been hit."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import psutil

from blocks.model import Ticket
from tests.faults import cases
from tests.faults.cases import LIMIT, POINTS, Outcome, Reference, revive, right
from tests.faults.installation import Installation
from tests.faults.leaks import intact, left
from tests.faults.observation import Entry, Stop, go_on

_TOGETHER = 3
_LONGEST = 2.0
_FROZEN = 40.0
_POLL = 0.1


def cut_store(site: Installation, stopped: Entry) -> None:
    """Every connection to the store is reset."""
    site.relay.cut()
    go_on(stopped.pid)


def cut_database(site: Installation, stopped: Entry) -> None:
    """Every connection to the catalog's database is ended."""
    site.disconnect()
    go_on(stopped.pid)


def freeze(_site: Installation, stopped: Entry) -> None:
    """The process stands still for longer than its lease; whoever plays lets it go on later."""
    assert stopped.pid


def cancel(site: Installation, stopped: Entry) -> None:
    """The ticket is cancelled in the catalog."""
    site.ports.catalog.tickets.cancel(stopped.ticket, "cancelled by the campaign")
    go_on(stopped.pid)


def cancel_in_prefect(site: Installation, stopped: Entry) -> None:
    """The run is cancelled in Prefect, as its UI does."""
    site.cancel_run(site.ticket(stopped.ticket).flow_run)
    go_on(stopped.pid)


ACTIONS: Mapping[str, Callable[[Installation, Entry], None]] = {
    "flow process killed": cases.kill_flow,
    "worker killed": cases.kill_worker,
    "worker and its runs killed": cases.kill_machine,
    "worker told to end": cases.end_worker,
    "frozen": freeze,
    "Prefect server killed": cases.kill_server,
    "database stopped": cases.stop_database,
    "store killed": cases.kill_store,
    "store cut off": cut_store,
    "database cut off": cut_database,
    "cancelled": cancel,
    "cancelled in Prefect": cancel_in_prefect,
}
"""What may happen when a process stands still at its point."""
_CANCELS = frozenset({"cancelled", "cancelled in Prefect"})


@dataclass
class Play:
    """One ticket of a round, with what is armed for it and what has hit it."""

    known: Reference
    ticket: int
    strikes: list[tuple[Stop, str, str]]
    began: float = field(default_factory=time.monotonic)
    hit: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    cancelled: bool = False
    seconds: float = 0


class Campaign:
    """Rounds of concurrent tickets, all drawn from one seed."""

    def __init__(self, site: Installation, references: list[Reference], seed: int) -> None:
        self._site = site
        self._references = references
        self._random = random.Random(seed)  # noqa: S311 (the same seed must give the same campaign)
        self._thaw: list[tuple[float, int]] = []
        self.hits = 0

    def rounds(self, kills: int, first: int = 1) -> Iterator[Outcome]:
        """Play, from that round on, until so many faults have hit; what came of each ticket."""
        number = first - 1
        for _ in range(number * _TOGETHER):
            self._drawn()
        while self.hits < kills:
            number += 1
            yield from self._round(number)

    def _round(self, number: int) -> Iterator[Outcome]:
        self._site.wipe()
        plays = [self._play() for _ in range(_TOGETHER)]
        deadline = time.monotonic() + LIMIT * 2
        while not all(self._ended(play) for play in plays) and time.monotonic() < deadline:
            for play in plays:
                self._strike(play)
            self._melt()
            time.sleep(_POLL)
        self._calm(plays)
        there = left(self._site)
        for place, play in enumerate(plays, 1):
            ended = self._site.ticket(play.ticket)
            wrong = (*play.failed, *self._wrong(play, ended), *intact(self._site, [play.ticket]))
            name, faults = f"round {number}, {place} of {len(plays)}", tuple(play.hit) or ("none",)
            yield Outcome(name, faults, ended.state, ended.attempt, play.seconds, wrong, there if place == 1 else ())

    def _play(self) -> Play:
        """A ticket with its one or two strikes."""
        known, drawn = self._drawn()
        number = self._site.generate(known.appliance)
        strikes = [
            (self._arm(stage, after, number), action, f"{action} at {stage} + {after:.1f} s")
            for stage, after, action in drawn
        ]
        return Play(known, number, strikes)

    def _drawn(self) -> tuple[Reference, list[tuple[str, float, str]]]:
        """An image, and at which stage, after how many seconds, what hits it: whatever has happened before."""
        known = self._random.choice(self._references)
        return known, [
            (stage, self._random.uniform(0, _LONGEST), self._random.choice([*ACTIONS]))
            for stage in self._random.sample([*POINTS], self._random.choice((1, 1, 2)))
        ]

    def _arm(self, stage: str, after: float, ticket: int) -> Stop:
        part = POINTS[stage].stage  # of a stage
        point = "working" if part else "begin"
        return self._site.observation.arm(part or stage, point, after=round(after, 2), ticket=ticket)

    def _ended(self, play: Play) -> bool:
        if play.seconds == 0 and self._site.ticket(play.ticket).terminal:
            play.seconds = time.monotonic() - play.began
        return play.seconds > 0

    def _strike(self, play: Play) -> None:
        for strike in [each for each in play.strikes if each[0].met()]:
            play.strikes.remove(strike)
            stop, action, told = strike
            stopped = stop.await_process()
            if not psutil.pid_exists(stopped.pid):
                continue
            try:
                ACTIONS[action](self._site, stopped)
            except AssertionError as error:  # the other tickets, and the other rounds, are played all the same
                play.failed.append(f"{told}: {error}")
                go_on(stopped.pid)
            revive(self._site)
            play.hit.append(told)
            play.cancelled |= action in _CANCELS
            self.hits += 1
            if action == "frozen":
                self._thaw.append((time.monotonic() + _FROZEN, stopped.pid))

    def _melt(self, *, now: bool = False) -> None:
        for due in [each for each in self._thaw if now or each[0] < time.monotonic()]:
            self._thaw.remove(due)
            go_on(due[1])

    def _calm(self, plays: list[Play]) -> None:
        """Disarm what nobody came to, and let everyone go on."""
        for play in plays:
            for stop, _, _ in play.strikes:
                if not stop.disarm():
                    go_on(stop.await_process().pid)
        self._melt(now=True)
        revive(self._site)

    def _wrong(self, play: Play, ended: Ticket) -> Iterator[str]:
        if ended.state == "cancelled" and play.cancelled:
            return
        lost = [event for event in self._site.ports.catalog.events.list(play.ticket) if "was lost" in event.reason]
        if ended.state == "error" and len(lost) > 2:  # as many restarts as there may be
            return
        yield from right(self._site, ended, play.known)
