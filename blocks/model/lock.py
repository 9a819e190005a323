"""The lock: what a recipe resolved to, and the evidence of the archive it was resolved from.

A package's identity is name, version, architecture, size and sha256. Where the archive keeps it (`origin`)
helps to fetch it and is never part of a digest: an archive that moves a file changes nothing.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator

from blocks.model import grammar
from blocks.model.words import Words, digest


class Origin(Words):
    """Where an archive keeps a file: the Release's label, suite, component and file name; never a host."""

    archive: grammar.ArchiveLabel
    suite: grammar.Suite
    component: grammar.Component
    filename: grammar.ArchiveFile


class Package(Words):
    """One binary package file; `size` is in bytes."""

    name: grammar.PackageName
    version: grammar.PackageVersion
    architecture: grammar.Architecture
    size: grammar.Size
    sha256: grammar.SHA256
    origin: Origin

    def identity(self) -> dict[str, Any]:
        """What a digest covers."""
        return self.model_dump(mode="json", exclude={"origin"})


def _sorted(packages: tuple[Package, ...]) -> tuple[Package, ...]:
    return tuple(sorted(packages, key=lambda package: (package.name, package.architecture)))


Packages = Annotated[tuple[Package, ...], grammar.once("name", "architecture"), AfterValidator(_sorted)]


class Lock(Words):
    """`packages` and `tools` (which shape bytes) sorted by name, `index` the sha256 of the packages' archive stanzas.

    Each name is there once for its architecture. The order they are given in makes no difference.
    """

    packages: Packages
    index: grammar.SHA256
    tools: Packages

    def content(self) -> str:
        """The digest of what goes into the image: packages and index, without the tools."""
        return digest({"packages": [package.identity() for package in self.packages], "index": self.index})

    def toolset(self) -> str:
        """The digest of the tools."""
        return digest([package.identity() for package in self.tools])


class ArchiveState(Words):
    """One InRelease file that a lock was resolved from."""

    archive: grammar.ArchiveLabel
    suite: grammar.Suite
    sha256: grammar.SHA256
    date: grammar.Moment


class Evidence(Words):
    """The archive's state of a resolve. Recorded, never part of a digest."""

    archives: tuple[ArchiveState, ...]

    def state(self) -> str:
        """A short name of the archive's state, as a plan gives it and `regenerate --plan` takes it."""
        return digest([archive.sha256 for archive in self.archives])[:16]
