"""One input builds once: whoever is about to make a stage claims its digest, and waits for whoever does already."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from blocks import liveness
from blocks.builder import Job
from blocks.errors import CatalogUnavailable
from blocks.model import StageName
from tasks.attempt import Attempt

_TICK = 1.0


@contextlib.contextmanager
def claimed(attempt: Attempt, stage: StageName, digest: str, percent: int, job: Job) -> Iterator[None]:
    """Be the only one who makes what is behind the digest, having waited for others as long as they live.

    What another home makes is waited for only if it will be shared. Raises Stopped, CatalogUnavailable.
    """
    claims = attempt.ports.catalog.claims
    told: int | None = None
    while (holder := claims.take(digest, attempt.lease)) is not None and _reachable(attempt, holder):
        if holder != told:
            told = holder
            _tell(attempt, stage, percent, f"Waiting for ticket {holder}, which makes the same {stage}", job)
        attempt.stop.wait(_TICK)
        attempt.stop.check()
    if told is not None:
        _tell(attempt, stage, percent, f"Ticket {told} is done with the same {stage}", job)
    try:
        yield
    finally:
        with contextlib.suppress(CatalogUnavailable):  # then it goes with the attempt
            claims.release(digest, attempt.lease)


def _reachable(attempt: Attempt, holder: int) -> bool:
    """Whether what the holder makes will be here; one that has died on this machine is settled at once."""
    ports = attempt.ports
    lease = ports.catalog.attempts.current(holder)
    if lease is None:
        return True
    judge = liveness.judge(ports.home, ports.home_id)
    if judge(lease) is False:
        ports.catalog.attempts.settle(holder, judge)
    return ports.sharing.on or lease.home == ports.home_id


def _tell(attempt: Attempt, stage: StageName, percent: int, message: str, job: Job) -> None:
    job.report(message)
    with contextlib.suppress(CatalogUnavailable):
        attempt.advance("building", percent, stage, message)
