"""A schedule while nobody serves it: what was missed is caught up once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from blocks.model import Ticket
from blocks.model.summary import Summary
from blocks.ports import Ports
from tests.flows.conftest import USER
from tests.flows.serving import DEPLOYMENT, schedule, serving
from tests.waiting import wait_until

if TYPE_CHECKING:
    from prefect.client.schemas.filters import DeploymentFilter

pytestmark = [pytest.mark.flow, pytest.mark.build]
_LONG = 300


def test_a_missed_run_is_caught_up_once(api: str, first: Summary, ports: Ports) -> None:
    """Of runs that were due while nobody served, the newest makes a ticket; the others say why they don't."""
    _register()
    image = {"user": USER, "appliance": ports.catalog.tickets.get(first.ticket).appliance, "image": first.ticket}
    schedule("missed", image, 5)
    wait_until(lambda: len(_due()) >= 3, "three runs are due", _LONG)
    _end("missed")
    missed = len(_due())
    before = ports.catalog.tickets.list()[-1].id
    with serving():
        wait_until(lambda: not _due(), "all runs have begun", _LONG)
        wait_until(lambda: {"Completed", "Skipped"} >= _names() >= {"Completed"}, "all runs have ended", _LONG)
        assert sorted(run.state.name for run in _scheduled_runs()) == ["Completed"] + ["Skipped"] * (missed - 1)
        _retry(next(run.id for run in _scheduled_runs() if run.state.name == "Skipped"))
        wait_until(lambda: len(_made(ports, first, before)) == 2, "what somebody had tried again is not skipped", _LONG)
    assert _made(ports, first, before)[0].state == "complete"
    assert api


def _made(ports: Ports, first: Summary, before: int) -> list[Ticket]:
    return [ticket for ticket in ports.catalog.tickets.list(parent=first.ticket) if ticket.id > before]


def _retry(run: UUID) -> None:
    """As the button in the UI does."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415
    from prefect.states import AwaitingRetry  # noqa: PLC0415

    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run, AwaitingRetry(), force=True)


def _register() -> None:
    """The deployment is there, though nobody serves it."""
    from deployments.definitions import definitions  # noqa: PLC0415

    next(each for each in definitions() if each.full_name == DEPLOYMENT).apply()


def _scheduled_runs() -> list[Any]:
    """The runs of the schedule `missed` that were due by now."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterExpectedStartTime  # noqa: PLC0415

    past = FlowRunFilter(expected_start_time=FlowRunFilterExpectedStartTime(before_=datetime.now(UTC)))
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=past)
    return [run for run in runs if run.created_by is not None and run.created_by.display_value == "missed"]


def _due() -> list[Any]:
    return [run for run in _scheduled_runs() if run.state.is_scheduled()]


def _names() -> set[str]:
    return {run.state.name for run in _scheduled_runs()}


def _end(name: str) -> None:
    """No more runs of a schedule are planned, and those to come are taken back."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415

    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(DEPLOYMENT)
        kept = {run.id for run in _due()}
        ended = next(each for each in deployment.schedules if each.slug == name)
        client.update_deployment_schedule(deployment.id, ended.id, active=False)
        planned = client.read_flow_runs(deployment_filter=_only(deployment.id))
        for run in planned:
            if run.id not in kept and run.state is not None and run.state.is_scheduled():
                client.delete_flow_run(run.id)


def _only(deployment: UUID) -> DeploymentFilter:
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId  # noqa: PLC0415

    return DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))
