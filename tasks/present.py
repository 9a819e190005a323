"""What a run shows on its page in Prefect: progress, package differences, and a summary with the link to the image.

Best effort: what Prefect doesn't take is left out, for the catalog has it all.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import cast
from uuid import UUID

import httpx
from prefect import runtime
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectException
from prefect.logging import get_run_logger

from blocks.builder import Job
from blocks.model import PackageChange, Plan, PlannedStage, Ticket
from blocks.model.summary import Summary
from tasks.attempt import Attempt


@contextlib.contextmanager
def _best_effort() -> Iterator[None]:
    try:
        yield
    except (httpx.HTTPError, PrefectException) as error:
        get_run_logger().warning("Prefect doesn't show what came now: %s", error)


@_best_effort()
def progress(attempt: Attempt, percent: int, stage: str) -> None:
    """The progress bar of the run: one artifact, brought up to date."""
    if not _shown():
        return
    told = f"Ticket {attempt.ticket}: {stage}"
    if attempt.progress is None:
        made = create_progress_artifact(float(percent), f"progress-{attempt.name}", told)
        attempt.progress = cast("UUID", made)
    else:
        update_progress_artifact(attempt.progress, float(percent), told)


@_best_effort()
def named(attempt: Attempt) -> None:
    """The run's name and tags carry its ticket and the image that it regenerates."""
    if (run := runtime.flow_run.get_id()) is None:
        return
    ticket = attempt.ports.catalog.tickets.get(attempt.ticket)
    tags = {*runtime.flow_run.get_tags(), *run_tags(ticket)}
    with get_client(sync_client=True) as client:
        client.update_flow_run(UUID(run), name=run_name(ticket), tags=sorted(tags))


def run_name(ticket: Ticket) -> str:
    """What a run of this ticket is called."""
    if ticket.parent is None:
        return f"generate {ticket.user}/{ticket.appliance}: ticket {ticket.id}"
    return f"regenerate {ticket.user}/{ticket.appliance}/{ticket.parent}: ticket {ticket.id}"


def run_tags(ticket: Ticket) -> list[str]:
    """What a run of this ticket can be found by."""
    image = [] if ticket.parent is None else [f"image:{ticket.parent}"]
    return [f"ticket:{ticket.id}", f"user:{ticket.user}", *image]


@_best_effort()
def plan(attempt: Attempt, planned: Plan) -> None:
    """What the run is going to do, and why."""
    if not _shown():
        return
    reasons = "".join(f"- {reason}\n" for reason in planned.reasons)
    stages = "".join(f"| {row.name} | {_fate(row)} | {_seconds(row)} |\n" for row in planned.stages)
    expected = "unknown" if planned.seconds is None else f"{planned.seconds:.0f} s"
    text = (
        f"# Plan of ticket {attempt.ticket}: {planned.verdict}\n\n{reasons}\n"
        f"**Expected time:** {expected} ({planned.basis})\n\n"
        f"| stage | it is | expected seconds |\n|---|---|---|\n{stages}"
    )
    create_markdown_artifact(text, f"plan-{attempt.name}", f"Plan of ticket {attempt.ticket}")


@contextlib.contextmanager
def logged(attempt: Attempt, stage: str) -> Iterator[Job]:
    """The attempt's job for a stage; when it ends, however it does, the run's page links to its whole log."""
    try:
        with attempt.logged(stage) as job:
            yield job
    finally:
        _link(attempt, f"log-{stage}", attempt.ports.store.log_uri(attempt.ticket, attempt.lease.number, stage))


@_best_effort()
def _link(attempt: Attempt, what: str, address: str) -> None:
    if _shown():
        told = what.replace("-", " of ")
        create_link_artifact(address, address, f"{what}-{attempt.name}", f"Ticket {attempt.ticket}: {told}")


@_best_effort()
def differences(attempt: Attempt, plan: Plan) -> None:
    """The package differences against the parent, as a table."""
    rows = [
        *(
            {"package": row.name, "change": "added", "from": "", "to": row.version, "fixes": ""}
            for row in plan.packages.added
        ),
        *(
            {"package": row.name, "change": "removed", "from": row.version, "to": "", "fixes": ""}
            for row in plan.packages.removed
        ),
        *(_moved("upgraded", row) for row in plan.packages.upgraded),
        *(_moved("downgraded", row) for row in plan.packages.downgraded),
    ]
    if _shown():
        told = f"Verdict: {plan.verdict}. {'; '.join(plan.reasons)}"
        create_table_artifact(rows or [{"package": "", "change": "none"}], f"packages-{attempt.name}", told)


@_best_effort()
def summary(attempt: Attempt, done: Summary) -> None:
    """What came of it, in words."""
    progress(attempt, 100, done.state)
    if not _shown():
        return
    file = done.file
    if file is not None:
        _link(attempt, "image", file.uri)
    stages = "\n".join(f"| {row.name} | {row.seconds:.1f} | {'yes' if row.reused else 'no'} |" for row in done.stages)
    image = f"[{file.name}]({file.uri}), {file.size / 1e6:.1f} MB, sha256 `{file.sha256}`" if file else "none"
    text = (
        f"# Ticket {done.ticket}: {done.verdict}\n\n{done.reason}\n\n**Image:** {image}\n\n"
        f"| stage | seconds | reused |\n|---|---|---|\n{stages}\n"
    )
    create_markdown_artifact(text, f"summary-{attempt.name}", f"Ticket {done.ticket}")


def _fate(row: PlannedStage) -> str:
    return "there already" if row.reuse else "to run"


def _seconds(row: PlannedStage) -> str:
    return "" if row.seconds is None else f"{row.seconds:.1f}"


def _moved(change: str, row: PackageChange) -> dict[str, str]:
    more = f" and {len(row.cves) - 1} more" if row.cves[1:] else ""
    fixes = f"{row.cves[0]}{more}" if row.cves else ""
    return {"package": row.name, "change": change, "from": row.before, "to": row.after, "fixes": fixes}


def _shown() -> bool:
    return runtime.flow_run.get_id() is not None
