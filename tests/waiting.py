"""Waiting for a condition, with a deadline that names it."""

from __future__ import annotations

import time
from collections.abc import Callable

_FIRST, _LONGEST, _GROWTH = 0.02, 0.15, 1.2


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Look again and again, less often by and by, until the condition holds; fail with its name at the deadline."""
    deadline, pause = time.monotonic() + seconds, _FIRST
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(pause)
        pause = min(pause * _GROWTH, _LONGEST)
