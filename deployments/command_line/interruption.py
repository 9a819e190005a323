"""The terminal's interrupt and a polite kill: while a run works they cancel its ticket; a second one breaks it off."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

REASON = "interrupted at the terminal"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether the one who waits wants it to end."""

    def __init__(self) -> None:
        self.pending = False
        self._gentle = False

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Hear both signals; they raise KeyboardInterrupt here."""
        before = {each: signal.getsignal(each) for each in _SIGNALS}
        self.hear()
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def hear(self, *_told_by_prefect: object) -> None:
        """Hear both signals from now on: also a hook for a run that begins, for Prefect then hears them instead."""
        for each in _SIGNALS:
            signal.signal(each, self._hear)

    @contextmanager
    def gently(self) -> Iterator[None]:
        """The first signal is only noted here, so that the run can end in good order."""
        self._gentle = True
        try:
            yield
        finally:
            self._gentle = False

    def _hear(self, _signal: int, _frame: FrameType | None) -> None:
        if self.pending or not self._gentle:
            raise KeyboardInterrupt
        self.pending = True
