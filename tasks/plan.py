"""Step plan: resolve once, and say what would change and why."""

from __future__ import annotations

from collections.abc import Callable

from blocks import planning
from blocks.builder import Job
from blocks.model.request import Regeneration, Request
from blocks.planning import Prior, Prospect
from tasks import present
from tasks.attempt import Attempt
from tasks.step import step


@step("plan", minutes=10, tag="resolve")
def plan(attempt: Attempt, request: Request, start: Prior) -> Prospect:
    """The lock, written to the ticket once: a later attempt goes on with it and never resolves again."""
    attempt.advance("planning", 2, "resolve", "Resolving the packages")
    present.named(attempt)
    rebuild = isinstance(request, Regeneration) and request.rebuild
    with attempt.at("resolve") as working:
        prospect = _known(attempt, start, rebuild=rebuild) or _fresh(attempt, request, start, working, rebuild=rebuild)
    attempt.advance("planning", 10, "resolve", "; ".join(prospect.plan.reasons))
    present.plan(attempt, prospect.plan)
    present.differences(attempt, prospect.plan)
    return prospect


def _known(attempt: Attempt, start: Prior, *, rebuild: bool) -> Prospect | None:
    written = attempt.ports.catalog.tickets.lock(attempt.ticket)
    if written is None:
        return None
    lock, evidence = written
    job = Job(attempt.stop)
    return Prospect(lock, evidence, planning.plan(attempt.ports, start, lock, evidence, job, rebuild=rebuild))


def _fresh(attempt: Attempt, request: Request, start: Prior, working: Callable[[], None], *, rebuild: bool) -> Prospect:
    state = request.plan if isinstance(request, Regeneration) else None
    with present.logged(attempt, "resolve") as job:
        prospect = planning.foresee(attempt.ports, start, job, rebuild=rebuild, state=state)
        working()
    if not start.recipe.simulated and (index := attempt.ports.builder.index(prospect.lock)) is not None:
        attempt.ports.store.put(index)
    attempt.ports.catalog.attempts.write_lock(attempt.lease, prospect.lock, prospect.evidence)
    return prospect
