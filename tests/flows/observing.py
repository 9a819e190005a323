"""Doing something at a named point of a named stage of a run in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_DEEDS: dict[tuple[str, str], tuple[Callable[[], bool], Callable[[], None]]] = {}
_HOOKED: list[bool] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "reforge.stage" and (found := _DEEDS.get((arguments[2], arguments[3]))) and found[0]():
        del _DEEDS[arguments[2], arguments[3]]
        found[1]()


@contextmanager
def at(stage: str, point: str, deed: Callable[[], None], when: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Do it once, the next time that a run comes there and the condition holds; fails if none does."""
    if not _HOOKED:
        sys.addaudithook(_hear)
        _HOOKED.append(True)
    _DEEDS[stage, point] = (when, deed)
    try:
        yield
        assert (stage, point) not in _DEEDS, f"no run came to {point} of {stage}"
    finally:
        _DEEDS.pop((stage, point), None)
