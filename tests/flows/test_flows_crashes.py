"""A crash is told once: what supervised the process tells it first, and the run may have been started again by then."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun, State

pytestmark = pytest.mark.flow
_POOL = "crashes"


@pytest.fixture(scope="module")
def pool(api: str) -> str:
    """A work pool."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415 (Prefect is imported after its server is named)
    from prefect.client.schemas.actions import WorkPoolCreate  # noqa: PLC0415

    assert api
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=_POOL, type="process"))
    return _POOL


async def _left(pool: str, *since: State, before: tuple[State, ...] = ()) -> str:
    """The name of the state in which a run is that went through these before and since it was taken up here."""
    from prefect import flow  # noqa: PLC0415
    from prefect.client.orchestration import get_client  # noqa: PLC0415
    from prefect.states import Scheduled  # noqa: PLC0415

    from deployments.worker.process import Worker  # noqa: PLC0415

    @flow(name="crashes")
    def nothing() -> None: ...

    async with get_client() as client, Worker(work_pool_name=pool) as worker:
        run = await client.create_flow_run(nothing, state=Scheduled())
        await _pass(client, run, before)
        taken = await client.read_flow_run(run.id)
        await _pass(client, run, since)
        await worker._propose_crashed_state(taken, "its process has ended")
        now = await client.read_flow_run(run.id)
        return str(now.state.name) if now.state else ""


async def _pass(client: PrefectClient, run: FlowRun, states: tuple[State, ...]) -> None:
    for state in states:
        now = state.model_copy(update={"timestamp": datetime.now(UTC)})
        await client.set_flow_run_state(run.id, now, force=True)


def test_a_crash_that_nobody_has_told_is_told(pool: str) -> None:
    """As by Prefect's own worker."""
    from prefect.states import Pending, Running  # noqa: PLC0415

    assert asyncio.run(_left(pool, Pending(), Running())) == "Crashed"
    assert asyncio.run(_left(pool, Pending())) == "Crashed"


def test_a_run_that_was_started_again_since_is_left_alone(pool: str) -> None:
    """Whether it waits, was taken up, or runs already."""
    from prefect.states import AwaitingRetry, Crashed, Pending, Running  # noqa: PLC0415

    lost: tuple[State, ...] = (Pending(), Running(), Crashed())
    assert asyncio.run(_left(pool, *lost, AwaitingRetry())) == "AwaitingRetry"
    assert asyncio.run(_left(pool, *lost, AwaitingRetry(), Pending())) == "Pending"
    assert asyncio.run(_left(pool, *lost, AwaitingRetry(), Pending(), Running())) == "Running"


def test_a_run_that_crashed_before_it_was_taken_up_is_told_again(pool: str) -> None:
    """Only what happened since it was taken up here counts."""
    from prefect.states import AwaitingRetry, Crashed, Pending, Running  # noqa: PLC0415

    before: tuple[State, ...] = (Pending(), Running(), Crashed(), AwaitingRetry())
    assert asyncio.run(_left(pool, Pending(), Running(), before=before)) == "Crashed"
