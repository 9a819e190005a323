"""The runner: takes the runs of all deployments that are due and gives each a process of its own."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from prefect.runner import Runner

from blocks.builder import capacity
from blocks.errors import PrefectUnavailable
from blocks.ports import Ports
from deployments.definitions import definitions, registered
from deployments.keeping import Underway, underway

_POLL_SECONDS = 1
_MOMENT = 0.05
_PATIENCE = 60.0


@contextmanager
def serving(ports: Ports) -> Iterator[tuple[tuple[str, ...], Callable[[], bool]]]:
    """Serve the deployments for the length of the context; gives their names, and what tells if it can't go on.

    A run that is under way when it ends is handed back. Schedules go on and are caught up by the next one.
    Raises PrefectUnavailable.
    """
    loop = asyncio.new_event_loop()
    runs = underway(ports, os.getpid())
    runner = _Runner(runs.end, limit=capacity.runs(ports.home) + 1)  # and housekeeping
    names = loop.run_until_complete(_register(runner))
    # Not in the main thread: there it would take the signals, which whoever serves wants to hear.
    with ThreadPoolExecutor(1, "runner") as thread:
        running = thread.submit(loop.run_until_complete, runner.start())
        while not runner.started and not running.done():
            time.sleep(_MOMENT)
        try:
            yield names, running.done
        finally:
            _end(runner, running, loop, runs)
    loop.close()
    if (broken := running.exception()) is not None:
        raise PrefectUnavailable(f"The deployments can't be served any more: {broken}", "See its log, and start again")


class _Runner(Runner):
    """Hands its runs back when it stops, where Prefect's own would cancel them."""

    def __init__(self, end_runs: Callable[[], None], limit: int) -> None:
        super().__init__(name="reforge-up", query_seconds=_POLL_SECONDS, limit=limit, pause_on_shutdown=False)
        self._end_runs = end_runs

    async def cancel_all(self) -> None:
        """Called by `stop`, once no new run is taken any more."""
        await asyncio.to_thread(self._end_runs)


def _end(runner: Runner, running: Future[None], loop: asyncio.AbstractEventLoop, runs: Underway) -> None:
    if not running.done():
        stopping = asyncio.run_coroutine_threadsafe(runner.astop(), loop)
        stopping.result(_PATIENCE)
    wait([running], _PATIENCE)
    runs.start_again()


async def _register(runner: Runner) -> tuple[str, ...]:
    made = [await registered(definition) for definition in definitions()]
    for definition in made:
        await runner.aadd_deployment(definition)
    return tuple(definition.full_name for definition in made)
