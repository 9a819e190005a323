"""The stop token: how a cancel reaches work that is under way, in whatever thread it runs."""

from __future__ import annotations

import threading

from blocks.errors import Stopped


class StopToken:
    """Set once with a reason; whoever works tests it at each chunk with `check`."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._reason = ""
        self._kind = Stopped

    @property
    def reason(self) -> str:
        """Why the work was stopped, empty while it may go on."""
        return self._reason

    def set(self, reason: str, kind: type[Stopped] = Stopped) -> None:
        """Stop the work, which hears of it by an error of that kind; the first reason stays."""
        if not self._event.is_set():
            self._reason, self._kind = reason, kind
            self._event.set()

    def is_set(self) -> bool:
        """Whether the work shall stop."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise Stopped if the work shall stop."""
        if self._event.is_set():
            raise self._kind(f"Stopped: {self._reason}")

    def wait(self, seconds: float) -> bool:
        """Wait until the work shall stop, at most so many seconds; tells whether it shall."""
        return self._event.wait(seconds)
