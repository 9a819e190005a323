"""A store in a fresh folder, and what the tests put into it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from blocks.model import Evidence, Generation, InstallProfile, Lock, OSProfile, Recipe, Record
from blocks.store import Store, open_store

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of the store; it isn't there yet."""
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> Store:
    """An empty store."""
    return open_store(root.as_uri())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of three chunks, none like the other."""
    path = tmp_path / "image.raw"
    path.write_bytes(b"".join(bytes([letter]) * (4 * 1024 * 1024) for letter in b"abc"))
    return path


@pytest.fixture
def place(root: Path) -> Callable[[str], Path]:
    """Where the store in a directory keeps a blob."""
    return lambda sha256: root / "blobs" / "sha256" / sha256[:2] / sha256


@pytest.fixture
def make_record() -> Callable[..., Record]:
    """A valid record of a ticket and an attempt."""

    def make(ticket: int, attempt: int = 1, reason: str = "") -> Record:
        recipe = Recipe(
            name="server",
            version="1.0",
            revision=1,
            os_profile=OSProfile(suite="bookworm"),
            install_profile=InstallProfile(),
        )
        generation = Generation(
            recipe=recipe,
            lock=Lock(packages=(), index=hashlib.sha256(b"").hexdigest(), tools=()),
            evidence=Evidence(archives=()),
            policy="refresh",
            reason=reason,
            created=datetime(2026, 1, 2, tzinfo=UTC),
        )
        return Record(ticket=ticket, attempt=attempt, appliance=1, user="ada", generation=generation)

    return make


@pytest.fixture
def run_python() -> Run:
    """Run a program text in a Python process of its own, below a prefix command if there is one."""

    def run(text: str, *arguments: object, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        command = [*prefix, sys.executable, "-c", text, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run
