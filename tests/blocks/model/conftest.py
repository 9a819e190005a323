"""Values of the words that the tests vary."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from blocks.model import (
    Appliance,
    Evidence,
    Generation,
    ImageFile,
    InstallProfile,
    Lock,
    Origin,
    OSProfile,
    Package,
    Recipe,
    Record,
    StageResult,
)

Make = Callable[..., Package]


def sha256(text: str) -> str:
    """A sha256 of its own for each text."""
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def make_package() -> Make:
    """A package of a name and a version."""

    def make(name: str, version: str = "1.0-1", architecture: str = "amd64", suite: str = "bookworm") -> Package:
        return Package(
            name=name,
            version=version,
            architecture=architecture,
            size=1000,
            sha256=sha256(f"{name} {version} {architecture}"),
            origin=Origin(archive="Debian", suite=suite, component="main", filename=f"pool/main/{name}.deb"),
        )

    return make


@pytest.fixture
def record(make_package: Make) -> Record:
    """A whole record: two packages, a tool, two stages and a file."""
    appliance = Appliance(name="server", install_profile=InstallProfile(hostname="server"))
    generation = Generation(
        recipe=Recipe.of(appliance, OSProfile(suite="bookworm", packages=("openssh-server",)), "qcow2", compress=True),
        lock=Lock(
            packages=(make_package("bash"), make_package("dash")), index=sha256("index"), tools=(make_package("fdisk"),)
        ),
        evidence=Evidence(archives=()),
        policy="refresh",
        stages=tuple(
            StageResult(
                name=name, digest=sha256(name), sha256=sha256(f"{name} output"), size=9, seconds=1.5, reused=False
            )
            for name in ("disk", "pack")
        ),
        file=ImageFile(name="server.qcow2", format="qcow2", compression="zstd", size=9, sha256=sha256("pack output")),
        outcome="rebuilt",
        created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )
    return Record(ticket=7, attempt=1, appliance=1, user="ada", generation=generation)
