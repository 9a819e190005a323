"""Missed: of the scheduled runs that wait since nobody was there to run them, only the newest runs.

What counts is the moment in which somebody took the run up: a run that was taken up in time is never skipped, however
long it takes to start and however dense its schedule is. Nor is one that somebody had tried again.
"""

from __future__ import annotations

import contextlib
from datetime import timedelta
from uuid import UUID

import httpx
from prefect import runtime
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
)
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import PrefectException

_MOMENT = timedelta(microseconds=1)


def missed() -> str | None:
    """Why this run is skipped: a later one of its schedule was due when it was taken up; None if it is to go on."""
    run = runtime.flow_run.get_id()
    if run is None:
        return None
    with contextlib.suppress(httpx.HTTPError, PrefectException), get_client(sync_client=True) as client:
        later = _later(client, client.read_flow_run(UUID(run)))
        return f"The run for {later.expected_start_time} of the same schedule was due as well" if later else None
    return None


def _later(client: SyncPrefectClient, run: FlowRun) -> FlowRun | None:
    if not run.auto_scheduled or run.run_count > 1 or run.expected_start_time is None or run.deployment_id is None:
        return None
    taken = max((state.timestamp for state in client.read_flow_run_states(run.id) if state.is_pending()), default=None)
    if taken is None:
        return None
    after = FlowRunFilterExpectedStartTime(after_=run.expected_start_time + _MOMENT, before_=taken)
    deployment = FlowRunFilterDeploymentId(any_=[run.deployment_id])
    due = client.read_flow_runs(flow_run_filter=FlowRunFilter(deployment_id=deployment, expected_start_time=after))
    return next((other for other in due if _same_schedule(other, run)), None)


def _same_schedule(other: FlowRun, run: FlowRun) -> bool:
    cancelled = other.state is not None and other.state.is_cancelled()
    return other.auto_scheduled and not cancelled and _schedule(other) == _schedule(run)


def _schedule(run: FlowRun) -> UUID | None:
    return run.created_by.id if run.created_by else None
