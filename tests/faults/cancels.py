"""Cancelling at every stage: how soon the ticket is cancelled, and how soon nothing of its build is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from blocks.model import Ticket
from tests.faults.cases import LIMIT, Outcome, Reference, arm, ready
from tests.faults.installation import Installation
from tests.faults.leaks import leaks, left
from tests.faults.observation import go_on
from tests.waiting import wait_until

_HEARD = 1.0
_GONE = 10.0


def from_a_flow(site: Installation, number: int) -> None:
    """Another flow cancels the ticket, as the command line and the gateway do."""
    assert site.client.ask("cancel", ticket=number)


def in_prefect(site: Installation, number: int) -> None:
    """The run is cancelled in Prefect, as the button in its UI does."""
    site.cancel_run(site.ticket(number).flow_run)


WAYS: Mapping[str, Callable[[Installation, int], None]] = {
    "cancelled": from_a_flow,
    "cancelled in Prefect": in_prefect,
}
"""The ways to ask for it."""


def cancelled(site: Installation, known: Reference, way: str, stage: str) -> Outcome:
    """One generation that is cancelled in the middle of a stage; its seconds are those from the request on.

    Its process stands still meanwhile, or it might come to its end first.
    """
    ready(site, stage)
    stop = arm(site, stage, known.size)
    number = site.generate(known.appliance)
    stopped = stop.await_process()
    WAYS[way](site, number)
    began = time.monotonic()
    go_on(stopped.pid)
    wait_until(lambda: site.ticket(number).terminal, f"ticket {number} is cancelled", LIMIT)
    heard = time.monotonic() - began
    there = leaks(site, LIMIT, builds=True)
    seconds = time.monotonic() - began
    wrong = () if _too_late(site, number, stage) else (*_wrong(site, site.ticket(number)), *_late(heard, seconds))
    return Outcome(f"{way} at {stage}", (way,), site.ticket(number).state, 1, seconds, wrong, there or left(site))


def _too_late(site: Installation, number: int, stage: str) -> bool:
    """Whether the image was all but complete, and is complete: that is told, too."""
    return stage == "settle" and site.ticket(number).state == "complete"


def _wrong(site: Installation, ended: Ticket) -> Iterator[str]:
    if ended.state != "cancelled":
        yield f"{ended.state}: {ended.error or ended.message}"
    elif site.ports.catalog.receipts.get(ended.id) is None:
        yield "it has no receipt"
    if ended.attempt != 1:
        yield f"{ended.attempt} attempts, not 1"


def _late(heard: float, seconds: float) -> Iterator[str]:
    if heard > _HEARD:
        yield f"the ticket was cancelled {heard:.1f} s after the request"
    if seconds > _GONE:
        yield f"something was left for {seconds:.1f} s"
