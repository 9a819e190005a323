"""Patience: a server that is away is asked again, after delays that grow."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from blocks.errors import Unavailable

OUTAGE = 600.0
"""The seconds for which a server may be away, and whoever needs it outlasts that."""
_LONGEST = 60.0
_LOOKING = 5.0
_JITTER = 0.25
_DOUBLINGS = 6
_Answer = TypeVar("_Answer")


def delay(tries: int) -> float:
    """The seconds to wait after so many tries: 1, 2, 4 … at most 60, each a little more or less."""
    jitter = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
    return min(_LONGEST, jitter * 2.0 ** min(tries - 1, _DOUBLINGS))


def patiently(ask: Callable[[], _Answer], seconds: float) -> _Answer:
    """The answer, as soon as the servers give one; raises Unavailable if they don't in so many seconds.

    They are asked at least every few seconds, for somebody waits for no more than this answer.
    """
    end, tries = time.monotonic() + seconds, 0
    while True:
        try:
            return ask()
        except Unavailable:
            tries += 1
            if time.monotonic() >= end:
                raise
            time.sleep(min(delay(tries), _LOOKING))
