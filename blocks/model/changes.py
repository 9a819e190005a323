"""The differences between two locks, by Debian's own order of versions."""

from __future__ import annotations

from collections.abc import Iterable

from debian_inspector.version import compare_versions

from blocks.model.lock import Package
from blocks.model.plan import PackageChange, PackageChanges


def changes(before: Iterable[Package], after: Iterable[Package]) -> PackageChanges:
    """What was added, removed, upgraded and downgraded between two lists of packages."""
    old = {(package.name, package.architecture): package for package in before}
    new = {(package.name, package.architecture): package for package in after}
    moved = [(old[key], new[key]) for key in sorted(old.keys() & new.keys()) if old[key].version != new[key].version]
    return PackageChanges(
        added=tuple(new[key] for key in sorted(new.keys() - old.keys())),
        removed=tuple(old[key] for key in sorted(old.keys() - new.keys())),
        upgraded=tuple(_change(was, now) for was, now in moved if _newer(was, now)),
        downgraded=tuple(_change(was, now) for was, now in moved if not _newer(was, now)),
        unchanged=len(old.keys() & new.keys()) - len(moved),
    )


def _newer(before: Package, after: Package) -> bool:
    return bool(compare_versions(after.version, before.version) > 0)


def _change(before: Package, after: Package) -> PackageChange:
    return PackageChange(name=after.name, before=before.version, after=after.version)
