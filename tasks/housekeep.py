"""Steps of housekeeping: each settles or gives back one kind of what was lost, and tells what and why.

With `dry` a step only tells. Whatever several do at the same time on several machines is done once, by whichever.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from blocks import deletion, leftovers, liveness, wreckage
from blocks.deed import Done, carried_out
from blocks.errors import NotFound, Refused
from blocks.model import Ticket
from blocks.ports import Ports
from tasks.attempt import sweep
from tasks.close import deserted
from tasks.dispatch import asking, dispatch
from tasks.revive import revive
from tasks.step import step

_UNDISPATCHED_SECONDS = 180.0


@step("settle lost tickets", minutes=5, tag="catalog")
def settle_lost(ports: Ports, *, dry: bool = False) -> tuple[Done, ...]:
    """Give up the attempts that are dead: their tickets are requested again, or end in error."""
    alive = liveness.judge(ports.home, ports.home_id)
    live = [ticket.id for ticket in ports.catalog.tickets.list(live=True)]
    dead = {lease.ticket: lease.number for lease in ports.catalog.attempts.dead(live, alive)}
    if dry:
        why = "its process is gone, or its lease is over"
        told = (f"ticket {ticket}: attempt {number} is lost" for ticket, number in dead.items())
        return tuple(Done(what=what, why=why, done=False) for what in told)
    settled = ports.catalog.attempts.settle_all(dead, alive)
    given_up = [ticket for ticket in settled if ticket.state in ("requested", "error") and _same(ticket, dead)]
    return tuple(
        Done(what=f"ticket {ticket.id}: {ticket.state}", why=ticket.error or ticket.message) for ticket in given_up
    )


@step("start waiting runs", minutes=5, tag="prefect")
def start_waiting(ports: Ports, *, dry: bool = False) -> tuple[Done, ...]:
    """Start the runs of the tickets that wait for them again, or end the tickets whose run will never begin."""
    return revive(ports, dry=dry)


@step("dispatch requested tickets", minutes=5, tag="prefect")
def dispatch_requested(ports: Ports, blocks: Mapping[str, str | None], *, dry: bool = False) -> tuple[Done, ...]:
    """Hand over the tickets that were asked for while Prefect was down."""
    done = []
    for number in ports.catalog.orders.undispatched(_UNDISPATCHED_SECONDS):
        with contextlib.suppress(NotFound, Refused):  # not deployed here, or by another version
            run = "a run" if dry else f"run {dispatch(ports, number, blocks).flow_run}"
            done.append(Done(what=f"ticket {number}: handed to {run}", why="no run worked on it", done=not dry))
    return tuple(done)


@step("end deserted runs", minutes=5, tag="prefect")
def end_deserted(ports: Ports, *, dry: bool = False) -> tuple[Done, ...]:
    """Let the runs of ended tickets whose worker died be shown as what their tickets are."""
    with asking() as client:
        return carried_out(deserted(ports, client), dry=dry)


@step("sweep this machine", minutes=5, tag="build")
def sweep_machine(ports: Ports, *, dry: bool = False) -> tuple[Done, ...]:
    """Give back what dead attempts hold on this machine, and the files of locks that nobody holds."""
    left, stale, locks = wreckage.found(ports.home), wreckage.stale(ports.home), wreckage.locks(ports.home)
    if not dry:
        sweep(ports)
        for path in stale:
            wreckage.remove(path)
    gone = [what for path, what in sorted((left | stale).items()) if dry or not path.exists()]
    unused = len(locks) if dry else wreckage.remove_locks(locks)
    told = [(what, "its process is dead") for what in gone]
    told += [(f"{unused} empty lock files of stages", "nobody holds them")] if unused else []
    return tuple(Done(what=what, why=why, done=not dry) for what, why in told)


@step("release ended tickets", minutes=5, tag="store")
def release_ended(ports: Ports, *, dry: bool = False) -> tuple[Done, ...]:
    """Give back what tickets that ended without an image still hold, and write their receipts."""
    return carried_out(leftovers.holdings(ports), dry=dry)


@step("abort uploads", minutes=5, tag="store")
def abort_uploads(ports: Ports, *, dry: bool = False) -> tuple[Done, ...]:
    """Abort what no live attempt is uploading."""
    return carried_out(leftovers.uploads(ports), dry=dry)


@step("finish deletions", minutes=30, tag="store")
def finish_deletions(ports: Ports, *, dry: bool = False) -> tuple[Done, ...]:
    """Remove what the store still has of images that were deleted."""
    return carried_out(deletion.unfinished(ports), dry=dry)


@step("trim shared stages", minutes=5, tag="catalog")
def trim_shared(ports: Ports, *, dry: bool = False) -> tuple[Done, ...]:
    """Drop the shared stages beyond their limit."""
    return carried_out(leftovers.checkpoints(ports), dry=dry)


@step("remove stored files", minutes=30, tag="store")
def remove_files(ports: Ports, *, dry: bool = False) -> tuple[Done, ...]:
    """Remove the stored files that nothing needs."""
    return carried_out(leftovers.files(ports), dry=dry)


@step("forget keys", minutes=5, tag="catalog")
def forget_keys(ports: Ports, *, dry: bool = False) -> tuple[Done, ...]:
    """Forget the idempotency keys of tickets that ended long ago."""
    seconds = leftovers.KEY.total_seconds()
    numbers = ports.catalog.tickets.forget_keys(seconds, dry=dry)
    why = f"its ticket ended more than {leftovers.KEY.days} days ago"
    return tuple(Done(what=f"idempotency key of ticket {number}", why=why, done=not dry) for number in numbers)


@step("prune logs", minutes=60, tag="store")
def prune_logs(ports: Ports, *, dry: bool = False) -> tuple[Done, ...]:
    """Remove the stage logs of tickets that ended long ago or are gone; it reads the names of all logs."""
    done = carried_out(leftovers.logs(ports), dry=dry)
    if not dry:
        leftovers.looked(ports.home)
    return done


def _same(ticket: Ticket, dead: Mapping[int, int]) -> bool:
    return dead[ticket.id] == ticket.attempt
