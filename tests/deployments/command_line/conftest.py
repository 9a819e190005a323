"""A home of its own for each test, with users, an appliance and complete images, and ways to call `reforge`."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from blocks.builder import identities
from blocks.catalog import TicketRequest
from blocks.model import (
    Appliance,
    Evidence,
    Generation,
    ImageFile,
    Lock,
    Origin,
    OSProfile,
    Package,
    Recipe,
    Record,
    StageResult,
    Ticket,
)
from blocks.ports import Ports
from tests.calling import Answer, Call, calling

PROFILE = OSProfile(suite="bookworm", packages=("dash",))
APPLIANCE = Appliance(name="server", version="12", os_profile=PROFILE)
RECIPE = Recipe.of(APPLIANCE, PROFILE, "qcow2", compress=True)
BYTES = b"the bytes of an image"
PROGRAM = Path(sys.executable).parent / "reforge"
_CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def package(name: str, version: str) -> Package:
    """A small package file."""
    origin = Origin(archive="Debian", suite="bookworm", component="main", filename=f"pool/{name}_{version}.deb")
    sha256 = hashlib.sha256(f"{name} {version}".encode()).hexdigest()
    return Package(name=name, version=version, architecture="amd64", size=10, sha256=sha256, origin=origin)


def lock(*packages: Package) -> Lock:
    """A lock of these packages."""
    return Lock(packages=packages, index="a" * 64, tools=())


OLD = lock(package("dash", "0.5-1"), package("gone", "1"))
NEW = lock(package("come", "1"), package("dash", "0.5-2"))


def record(appliance: int, content: Lock, *, user: str = "alice", parent: int | None = None) -> Record:
    """The record of a complete generation whose image is BYTES."""
    names = identities(RECIPE, content)
    sha256 = hashlib.sha256(BYTES).hexdigest()
    stages = tuple(
        StageResult(name=stage, digest=digest, sha256=sha256, size=len(BYTES), seconds=1.5, reused=False)
        for stage, digest in names.items()
    )
    generation = Generation(
        recipe=RECIPE,
        lock=content,
        evidence=Evidence(archives=()),
        policy="refresh",
        parent=parent,
        stages=stages,
        file=ImageFile(name="server.qcow2", format="qcow2", compression="zstd", size=len(BYTES), sha256=sha256),
        outcome="rebuilt",
        reason="There is no earlier image to compare with",
        created=_CREATED,
    )
    return Record(ticket=1, appliance=appliance, user=user, generation=generation)


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until it holds, for a while."""
    pause = threading.Event()
    for _ in range(600):
        if holds():
            return
        pause.wait(0.05)
    raise AssertionError("It never came to hold")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own home folder, in an environment that names no other catalog, store or Prefect API."""
    for name in [name for name in os.environ if name.startswith(("REFORGE_", "PREFECT_"))]:
        monkeypatch.delenv(name)
    folder = tmp_path / "home"
    monkeypatch.setenv("REFORGE_HOME", str(folder))
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def ports(home: Path) -> Iterator[Ports]:
    """The ports of the home, with users of every kind."""
    assert not home.exists()
    with Ports.open(prepare=True) as opened:
        users = opened.catalog.users
        users.add("alice", ("image_generate", "appliance_create"))
        users.add("bob", ("image_generate",))
        users.add("carol", ("image_generate",), active=False)
        users.add("dave", ())
        yield opened


@pytest.fixture
def appliance(ports: Ports) -> int:
    """An appliance of alice's."""
    return ports.catalog.appliances.add("alice", APPLIANCE)


@pytest.fixture
def image(ports: Ports, appliance: int) -> int:
    """A complete image of the appliance, its file in the store."""
    ports.store.put(BYTES)
    return ports.catalog.tickets.adopt(record(appliance, OLD), has_file=True).id


@pytest.fixture
def newer(ports: Ports, appliance: int, image: int) -> int:
    """A later image of the same appliance, with other packages."""
    return ports.catalog.tickets.adopt(record(appliance, NEW, parent=image), has_file=True).id


@pytest.fixture
def live(ports: Ports, appliance: int) -> Ticket:
    """An image of alice's that was asked for, and that nobody works on yet."""
    return ports.catalog.tickets.create(
        TicketRequest(user="alice", appliance=appliance, policy="refresh", recipe=RECIPE)
    )


@pytest.fixture
def reforge(capsys: pytest.CaptureFixture[str]) -> Call:
    """Calls the command line in this process."""
    return calling(capsys)


@pytest.fixture
def program() -> Call:
    """Calls the installed program in a process of its own."""

    def call(*arguments: object, given: str = "", **environment: str) -> Answer:
        done = subprocess.run(
            [PROGRAM, *map(str, arguments)],
            input=given,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    return call
