"""What makes a function a step: a Prefect task that retries transient faults, and nothing else.

Prefect counts the tries and begins the next one at once. The growing delay before it is waited out here, where a
cancel is heard; Prefect's own sleep hears nothing. Neither results nor caching are Prefect's: the catalog and the
checkpoints decide what is done already.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ParamSpec, TypeVar

import httpx
from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError
from prefect.context import TaskRunContext

from blocks.builder import space
from blocks.errors import CatalogUnavailable, ReforgeError
from blocks.stop import StopToken
from tasks.attempt import Attempt
from tasks.patience import OUTAGE, delay

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")

_TRIES = 1000


class Step(Task[_Parameters, _Result]):
    """A task that asks for its slot again while Prefect is away: until it has one, nothing of it has run."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Run it; raises what it raises, and what Prefect does if it is away for longer than an outage."""
        end, tries = time.monotonic() + OUTAGE, 0
        while True:
            try:
                return super().__call__(*arguments, **named)
            except ConcurrencySlotAcquisitionError as error:
                if not _away(error.__cause__) or time.monotonic() >= end:
                    raise
                tries += 1
                _pause(_attempt(arguments, named), "Prefect doesn't answer", delay(tries))


def step(
    name: str, *, minutes: float, tag: str, shown: str | None = None
) -> Callable[[Callable[_Parameters, _Result]], Task[_Parameters, _Result]]:
    """A task of that name, with a timeout in minutes and a tag that concurrency limits can name.

    `shown` is what a run of it is called on the run's page; it may name the step's parameters in braces.
    """

    def make(function: Callable[_Parameters, _Result]) -> Task[_Parameters, _Result]:
        return Step(
            _patient(function),
            name=name,
            task_run_name=shown or name,
            tags=[f"reforge:{tag}"],
            retries=_TRIES,
            retry_delay_seconds=0,
            retry_condition_fn=transient,
            timeout_seconds=minutes * 60,
            cache_policy=NO_CACHE,
            persist_result=False,
        )

    return make


def transient(again: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether the failure may pass by itself, and the step has time left: a server that didn't answer, a full disk."""
    failure = state.data
    return isinstance(failure, ReforgeError) and failure.transient and _left(again, run) > 0


def _left(again: Task[..., Any], run: TaskRun) -> float:
    """The seconds that the step may still go on trying: those of its limit, and at least those of an outage."""
    began = run.start_time or datetime.now(UTC)
    return max(again.timeout_seconds or 0, OUTAGE) - (datetime.now(UTC) - began).total_seconds()


def _patient(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """The function, that after a transient failure waits before it lets Prefect try again."""

    @functools.wraps(function)
    def run(*arguments: _Parameters.args, **named: _Parameters.kwargs) -> _Result:
        with _waiting(_attempt(arguments, named)), space.translated("The step"):
            return function(*arguments, **named)

    return run


@contextlib.contextmanager
def _waiting(attempt: Attempt | None) -> Iterator[None]:
    try:
        yield
    except ReforgeError as error:
        current = TaskRunContext.get()
        if current is None or not error.transient or _left(current.task, current.task_run) <= 0:
            raise
        _pause(attempt, error.what, delay(current.task_run.run_count))
        raise


def _attempt(arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Attempt | None:
    """The attempt that the step works for: its first argument, if it is one's."""
    first = next(iter((*arguments, *named.values())), None)
    return first if isinstance(first, Attempt) else None


def _away(cause: BaseException | None) -> bool:
    """Whether Prefect didn't answer, or said that it can't now."""
    if isinstance(cause, httpx.HTTPStatusError):
        return cause.response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR
    return isinstance(cause, httpx.TransportError)


def _pause(attempt: Attempt | None, why: str, seconds: float) -> None:
    """Wait before the next try, where a cancel is heard; raises Stopped."""
    if attempt is None:
        StopToken().wait(seconds)
        return
    _tell(attempt, f"{why}. Trying again in {seconds:.0f} s")
    attempt.stop.wait(seconds)
    attempt.stop.check()


def _tell(attempt: Attempt, message: str) -> None:
    """Let the ticket's user know what is waited for, if the catalog takes it."""
    with contextlib.suppress(CatalogUnavailable):
        ticket = attempt.ports.catalog.tickets.get(attempt.ticket)
        if not ticket.terminal:
            attempt.advance(ticket.state, ticket.percent, ticket.stage, message)
