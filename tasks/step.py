"""What makes a function a step: a Prefect task that retries transient faults, and nothing else.

Neither results nor caching are Prefect's here: the catalog and the checkpoints decide what is done already.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import exponential_backoff

from blocks.errors import ReforgeError

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def step(
    name: str, *, minutes: float, tag: str, shown: str | None = None
) -> Callable[[Callable[_Parameters, _Result]], Task[_Parameters, _Result]]:
    """A task of that name, with a timeout in minutes and a tag that concurrency limits can name.

    `shown` is what a run of it is called on the run's page; it may name the step's parameters in braces.
    """
    return task(
        name=name,
        task_run_name=shown or name,
        tags=[f"reforge:{tag}"],
        retries=3,
        retry_delay_seconds=exponential_backoff(backoff_factor=2),
        retry_jitter_factor=0.5,
        retry_condition_fn=transient,
        timeout_seconds=minutes * 60,
        cache_policy=NO_CACHE,
        persist_result=False,
    )


def transient(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether the failure may pass by itself: a server that didn't answer."""
    failure = state.data
    return isinstance(failure, ReforgeError) and failure.transient
