"""What every piece of building gets with it: the stop token and where its lines go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from blocks.stop import StopToken


def _silent(_line: str) -> None:
    """Drop the line."""


@dataclass(frozen=True)
class Job:
    """A stop token, a reporter that takes one line of output at a time, and one that hears what was given back."""

    stop: StopToken = field(default_factory=StopToken)
    report: Callable[[str], None] = _silent
    released: Callable[[str], None] = _silent

    def silent(self) -> Job:
        """The same stop token with nothing reported, for tools that answer a question."""
        return Job(self.stop)
