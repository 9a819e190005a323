"""The boundary of a run: work that was told to stop ends as Prefect's Cancelled, never as a failure or a success."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from prefect.client.schemas.objects import State
from prefect.states import Cancelled

from blocks.errors import Stopped

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def cancellable(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result | State[None]]:
    """The flow's function, with Stopped turned into the state Cancelled."""

    @functools.wraps(function)
    def run(*arguments: _Parameters.args, **named: _Parameters.kwargs) -> _Result | State[None]:
        try:
            return function(*arguments, **named)
        except Stopped as stopped:
            return Cancelled(message=str(stopped))

    return run
