"""The boundary of a run: what Prefect is told of an end that is neither success nor failure.

Work that was told to stop ends as Cancelled. An attempt that was superseded speaks for its run no more, so Prefect is
told nothing of it. And whoever wanted to work on a ticket that is another run's waits for that one's end.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect.client.schemas.objects import State
from prefect.exceptions import Abort
from prefect.states import Cancelled

from blocks.errors import Stopped, Superseded
from blocks.model.summary import Summary
from flows.start import wait
from tasks.attempt import Elsewhere, deployed
from tasks.outlive import outlive_reader

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")
_BLOCKS = ("catalog", "store", "builder")


def bounded(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result | Summary | State[None]]:
    """The flow's function within the boundary; it takes the names of its blocks as `catalog`, `store`, `builder`."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def run(*arguments: _Parameters.args, **named: _Parameters.kwargs) -> _Result | Summary | State[None]:
        if deployed():
            outlive_reader()
        try:
            try:
                return function(*arguments, **named)
            except Elsewhere as elsewhere:
                given = signature.bind(*arguments, **named).arguments
                return _awaited(elsewhere.ticket, given)
        except Superseded as superseded:
            if not deployed():
                return Cancelled(message=str(superseded))
            raise Abort(str(superseded)) from None
        except Stopped as stopped:
            return Cancelled(message=str(stopped))

    return run


def _awaited(ticket: int, given: dict[str, Any]) -> Summary:
    return wait(ticket, **{name: given.get(name) for name in _BLOCKS})
