"""The runner: takes the runs of all deployments that are due and gives each a process of its own."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from prefect.runner import Runner

from blocks.errors import PrefectUnavailable
from deployments.definitions import definitions, registered

_POLL_SECONDS = 1
_MOMENT = 0.05
_PATIENCE = 60.0


@contextmanager
def serving(ended: threading.Event) -> Iterator[tuple[str, ...]]:
    """Serve the deployments, whose names are given, for the length of the context; sets `ended` if it can't go on.

    A run that is under way when it ends is told to end. Schedules go on and are caught up by the next one.
    Raises PrefectUnavailable.
    """
    loop = asyncio.new_event_loop()
    runner = Runner(name="reforge-up", query_seconds=_POLL_SECONDS, limit=_limit(), pause_on_shutdown=False)
    names = loop.run_until_complete(_register(runner))
    # Not in the main thread: there it would take the signals, which whoever serves wants to hear.
    with ThreadPoolExecutor(1, "runner") as thread:
        running = thread.submit(loop.run_until_complete, runner.start())
        running.add_done_callback(lambda _: ended.set())
        while not runner.started and not running.done():
            time.sleep(_MOMENT)
        try:
            yield names
        finally:
            if not running.done():
                asyncio.run_coroutine_threadsafe(runner.astop(), loop).result(_PATIENCE)
    loop.close()
    if (broken := running.exception()) is not None:
        raise PrefectUnavailable(f"The deployments can't be served any more: {broken}", "See its log, and start again")


async def _register(runner: Runner) -> tuple[str, ...]:
    made = [await registered(definition) for definition in definitions()]
    for definition in made:
        await runner.aadd_deployment(definition)
    return tuple(definition.full_name for definition in made)


def _limit() -> int:
    """How many runs at a time: one for each core, and one more for housekeeping."""
    return len(os.sched_getaffinity(0)) + 1
