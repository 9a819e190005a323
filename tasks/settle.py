"""Step settle: the record into the store, then the one compare-and-set that completes the ticket."""

from __future__ import annotations

from datetime import UTC, datetime

from blocks.errors import Contradiction, Stopped
from blocks.model import Generation, ImageFile, Record, StageResult
from blocks.model.record import Outcome
from blocks.model.summary import Summary
from blocks.outcome import outcome
from blocks.planning import Prior, Prospect
from blocks.store import Blob
from tasks import present
from tasks.attempt import Attempt
from tasks.step import step
from tasks.upload import keep


@step("settle", minutes=5, tag="catalog")
def settle(
    attempt: Attempt, start: Prior, prospect: Prospect, stages: tuple[StageResult, ...], file: ImageFile
) -> Summary:
    """Complete the ticket with what was built; the loser of a race removes its record and raises Stopped."""
    built = attempt.ports.catalog.outputs.built(attempt.ticket)  # also by earlier attempts
    outcome: Outcome = "reused" if all(stage.reused and stage.digest not in built for stage in stages) else "rebuilt"
    reason = "; ".join(prospect.plan.reasons)
    return _complete(attempt, _generation(start, prospect, stages, file, outcome, reason))


@step("settle simulated", minutes=5, tag="catalog")
def settle_simulated(attempt: Attempt, start: Prior, prospect: Prospect) -> Summary:
    """Complete the ticket with its packages alone: none of its stages has run, and it has no file."""
    reason = f"{len(prospect.lock.packages)} packages are resolved, and nothing is built: it is simulated"
    return _complete(attempt, _generation(start, prospect, (), None, "simulated", reason))


@step("settle unchanged", minutes=5, tag="catalog")
def settle_unchanged(attempt: Attempt, start: Prior, prospect: Prospect) -> Summary:
    """Complete the ticket on the parent's bytes, which the plan has read: nothing has changed."""
    before = start.generation
    if before is None or before.file is None:
        raise Contradiction("Nothing can be unchanged without an earlier image", "Run it with rebuild")
    if not _completed(attempt) and not keep(attempt, prospect.lock, Blob(before.file.sha256, before.file.size)):
        raise Contradiction("The file of the earlier image is being removed", "Run it again with rebuild")
    stages = tuple(stage.model_copy(update={"seconds": 0.0, "reused": True}) for stage in before.stages)
    reason = "; ".join(prospect.plan.reasons)
    return _complete(attempt, _generation(start, prospect, stages, before.file, "unchanged", reason))


def _generation(
    start: Prior,
    prospect: Prospect,
    stages: tuple[StageResult, ...],
    file: ImageFile | None,
    outcome: Outcome,
    reason: str,
) -> Generation:
    return Generation(
        recipe=start.recipe,
        lock=prospect.lock,
        evidence=prospect.evidence,
        policy=start.policy,
        parent=start.parent,
        stages=stages,
        file=file,
        outcome=outcome,
        reason=reason,
        created=datetime.now(UTC),
    )


def _complete(attempt: Attempt, generation: Generation) -> Summary:
    """The completed ticket's summary; a step that is tried again after that goes on with what it recorded."""
    ports = attempt.ports
    if not _completed(attempt):
        _record(attempt, generation)
    summary = outcome(ports, ports.catalog.tickets.get(attempt.ticket))
    present.summary(attempt, summary)
    return summary


def _completed(attempt: Attempt) -> bool:
    """Whether an earlier try of the step has completed the ticket, though its answer was lost."""
    record = attempt.ports.catalog.tickets.record(attempt.ticket)
    return record is not None and record.attempt == attempt.lease.number


def _record(attempt: Attempt, generation: Generation) -> None:
    """Store the record and complete the ticket with it; what is the ticket's record now is the only one."""
    ports = attempt.ports
    ticket = ports.catalog.tickets.get(attempt.ticket)
    record = Record(
        ticket=ticket.id,
        attempt=attempt.lease.number,
        appliance=ticket.appliance,
        user=ticket.user,
        generation=generation,
    )
    with attempt.at("settle") as working:
        ports.store.put_record(record)
        try:
            working()
            ports.catalog.attempts.complete(attempt.lease, record, generation.reason)
        except Stopped:
            ports.store.remove_record(record.ticket, record.attempt)
            raise
    for earlier in range(1, record.attempt):  # one of them may have died between its record and its completion
        ports.store.remove_record(record.ticket, earlier)
