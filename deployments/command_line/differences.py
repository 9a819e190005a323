"""Package differences as a table, for plans and for comparing two images."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from blocks.model import PackageChanges
from deployments.command_line.output import table

_SHOWN = 3


def differences(changes: PackageChanges) -> Table:
    """One row a package that was added, removed or moved."""
    return table("package", "change", "from", "to", "fixes", rows=_rows(changes))


def counts(packages: dict[str, int]) -> str:
    """How many of each kind, in words."""
    return ", ".join(f"{count} {kind}" for kind, count in packages.items())


def _rows(changes: PackageChanges) -> Iterator[tuple[str, str, str, str, str]]:
    yield from ((each.name, "added", "", each.version, "") for each in changes.added)
    yield from ((each.name, "removed", each.version, "", "") for each in changes.removed)
    yield from ((each.name, "upgraded", each.before, each.after, _fixes(each.cves)) for each in changes.upgraded)
    yield from ((each.name, "downgraded", each.before, each.after, "") for each in changes.downgraded)


def _fixes(cves: tuple[str, ...]) -> str:
    shown = ", ".join(cves[:_SHOWN])
    return f"{shown} and {len(cves) - _SHOWN} more" if len(cves) > _SHOWN else shown
