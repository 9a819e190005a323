"""The process that takes runs: Prefect's process worker, which here may take up a run again that it has just lost."""

from __future__ import annotations

import asyncio
import os
import sys
import warnings
from contextlib import suppress
from typing import Any

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import PrefectException
from prefect.logging.configuration import setup_logging
from prefect.utilities.processutils import setup_signal_handlers_worker
from prefect.workers.process import ProcessWorker

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it takes the place of Prefect's own, which is meant

    class Worker(ProcessWorker):
        """Leaves a run for later while it still cleans up after it, where Prefect's own breaks off with all runs."""

        async def _get_scheduled_flow_runs(self) -> list[Any]:
            held = self.limiter.statistics().borrowers
            return [entry for entry in await super()._get_scheduled_flow_runs() if entry.flow_run.id not in held]

        async def _propose_crashed_state(
            self, flow_run: FlowRun, message: str, client: PrefectClient | None = None
        ) -> None:
            """Tells of a crash once: what supervised the process may have told it, and the run may go on since."""
            if not await self._told(flow_run):
                await super()._propose_crashed_state(flow_run, message, client)

        async def _told(self, flow_run: FlowRun) -> bool:
            try:
                states = await self.client.read_flow_run_states(flow_run.id)
            except (httpx.HTTPError, PrefectException):
                return False  # whoever tells it now says what hinders it
            taken = flow_run.state.timestamp if flow_run.state else None
            return any(state.is_crashed() and (taken is None or state.timestamp > taken) for state in states)


async def _run(pool: str, limit: int, name: str | None) -> None:
    worker = Worker(work_pool_name=pool, limit=limit, name=name)
    setup_signal_handlers_worker(os.getpid(), f"the worker {worker.name}", print)
    with suppress(asyncio.CancelledError):
        await worker.start()


if __name__ == "__main__":
    setup_logging()
    with suppress(KeyboardInterrupt):
        asyncio.run(_run(sys.argv[1], int(sys.argv[2]), sys.argv[3] or None))
