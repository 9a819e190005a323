"""The plan: what a regeneration would do, and why."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from blocks.model import grammar
from blocks.model.lock import Package
from blocks.model.recipe import StageName
from blocks.model.words import Words

Verdict = Literal["rebuild", "unchanged"]


class PackageChange(Words):
    """A package whose version moved; `cves` are the ids that the newer version's changelog names."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    name: grammar.PackageName
    before: grammar.PackageVersion = Field(alias="from")
    after: grammar.PackageVersion = Field(alias="to")
    cves: tuple[str, ...] = ()


class PackageChanges(Words):
    """The differences between two locks' packages, each list sorted by name."""

    added: tuple[Package, ...] = ()
    removed: tuple[Package, ...] = ()
    upgraded: tuple[PackageChange, ...] = ()
    downgraded: tuple[PackageChange, ...] = ()
    unchanged: int = 0

    def counts(self) -> dict[str, int]:
        """How many packages of each kind."""
        return {
            "added": len(self.added),
            "removed": len(self.removed),
            "upgraded": len(self.upgraded),
            "downgraded": len(self.downgraded),
            "unchanged": self.unchanged,
        }


class PlannedStage(Words):
    """A stage with its digest; `reuse` says that its output is there already; `seconds` is the expected time."""

    name: StageName
    digest: grammar.SHA256
    reuse: bool
    seconds: float | None


class Plan(Words):
    """The verdict with its reasons; `state` names the archive's state, `basis` what the expected time comes from."""

    verdict: Verdict
    reasons: tuple[str, ...]
    state: str
    packages: PackageChanges
    stages: tuple[PlannedStage, ...]
    seconds: float | None
    basis: str
