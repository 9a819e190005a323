"""The library: where machines leave each other the outputs of stages that they have made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from blocks.model import StageName


@dataclass(frozen=True)
class Shared:
    """A stage's output in the library: its parcel's sha256 and bytes, its content digest and the bytes it takes."""

    stage: StageName
    digest: str
    sha256: str
    size: int
    content: str
    content_size: int
    facts: Mapping[str, int] = field(default_factory=dict)


class Library(Protocol):
    """Whoever may have outputs of stages that other machines made."""

    def find(self, digest: str) -> Shared | None:
        """What is there for a stage's digest."""

    def fetch(self, shared: Shared, target: Path, stop: Callable[[], None]) -> None:
        """Copy the parcel, verified; raises NotFound or CorruptFile."""

    def drop(self, shared: Shared) -> None:
        """Forget what turned out to be missing or damaged."""
