"""A small archive, a machine that knows it, and one warm workshop in which the real builds are made."""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from blocks.builder import Builder, Built, Job, Order, Resolution
from blocks.builder.archive import Archive
from blocks.builder.process import ended
from blocks.model import InstallProfile, Lock, OSProfile, Package, Recipe, Source
from tests.blocks.builder.builder_child import CHILD
from tests.blocks.builder.small_archive import BASE, Deb, Signer, SmallArchive, tool

LIMIT = 10**12
DISK = 512


@pytest.fixture(scope="session")
def signers() -> Iterator[tuple[Signer, Signer]]:
    """Two keys: the archive's own and a stranger's."""
    folders = [Path(tempfile.mkdtemp(prefix="key-")) for _ in range(2)]
    made = (Signer(folders[0]), Signer(folders[1]))
    yield made
    for signer, folder in zip(made, folders, strict=True):
        signer.end()
        shutil.rmtree(folder)


@pytest.fixture
def served(tmp_path: Path, signers: tuple[Signer, Signer]) -> Iterator[SmallArchive]:
    """An archive with a suite `bench` of an essential package, apt, and two that depend on each other."""
    archive = SmallArchive(tmp_path / "served" / "debian", signers[0])
    archive.publish("bench", *BASE, Deb("tool", fields={"Depends": "library"}), Deb("library"))
    yield archive
    archive.end()


@pytest.fixture
def profile(served: SmallArchive, signers: tuple[Signer, Signer]) -> OSProfile:
    """An OS profile that takes the package `tool` from the archive."""
    source = Source(address=served.address, suite="bench", keyring=signers[0].public())
    return OSProfile(suite="bookworm", packages=("tool",), sources=(source,))


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """The archives as a host without package sources of its own sees them."""
    (tmp_path / "host").mkdir()
    return Archive(tmp_path / "apt", tmp_path / "host")


@pytest.fixture
def make_package() -> Callable[..., Package]:
    """A package's words, made up but for what is given."""

    def make(name: str = "tool", **given: object) -> Package:
        origin = {"archive": "Debian", "suite": "bench", "component": "main", "filename": f"pool/{name}.deb"}
        words = {"name": name, "version": "1.0", "architecture": "amd64", "size": 4, "sha256": "0" * 64}
        return Package.model_validate({**words, "origin": origin, **given})

    return make


@pytest.fixture
def make_recipe() -> Callable[..., Recipe]:
    """A recipe of the suite bookworm without packages of its own; what is given is the install profile's."""

    def make(*packages: str, **given: object) -> Recipe:
        install = InstallProfile.model_validate({"disk_size": DISK, **given})
        os_profile = OSProfile(suite="bookworm", packages=packages)
        return Recipe(name="small", version="1.0", revision=1, os_profile=os_profile, install_profile=install)

    return make


def gone(processes: Sequence[psutil.Process]) -> bool:
    """Whether all these processes end; they are waited for."""
    deadline = time.monotonic() + 30
    while not all(map(ended, processes)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return all(map(ended, processes))


@dataclass
class Lines:
    """What a job reports and what it gives back, to be looked at."""

    told: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)

    def job(self) -> Job:
        """A job that tells it here."""
        return Job(report=self.told.append, released=self.released.append)


@pytest.fixture
def lines() -> Lines:
    """Where a job of the test tells what it does."""
    return Lines()


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start Python of our own as a child, with its lines to be read; ended with the test."""
    children: list[subprocess.Popen[str]] = []

    def begin(*argv: str, user: Sequence[str] = (), python: Sequence[str] = (sys.executable,)) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [*user, *python, *argv],
            stdout=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
            cwd=CHILD.parents[3],
        )
        children.append(child)
        return child

    yield begin
    for child in children:
        child.kill()
        child.communicate()


@dataclass(frozen=True)
class Workshop:
    """A home whose pool and tools are warm, its builder, and what a recipe without packages resolves to."""

    home: Path
    builder: Builder
    resolution: Resolution

    @property
    def lock(self) -> Lock:
        """The lock of a recipe without packages."""
        return self.resolution.lock

    def build(self, recipe: Recipe, lock: Lock | None = None, name: str = "1-1") -> dict[str, Built]:
        """Every stage of the recipe, looked up or made."""
        order = Order(recipe, lock or self.lock, name)
        return {stage: self.builder.run(stage, order, Job()) for stage in ("rootfs", "disk", "pack")}


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """The one warm home of all real builds."""
    home = tmp_path_factory.mktemp("workshop")
    builder = Builder(home, cache_limit=LIMIT, pool_limit=LIMIT)
    recipe = Recipe(
        name="small",
        version="1.0",
        revision=1,
        os_profile=OSProfile(suite="bookworm"),
        install_profile=InstallProfile(disk_size=DISK),
    )
    return Workshop(home, builder, builder.resolve(recipe, None, Job()))


@pytest.fixture(scope="session")
def plain(workshop: Workshop) -> dict[str, Built]:
    """All stages of the recipe without packages, as qcow2 with compression."""
    recipe = Recipe(
        name="small",
        version="1.0",
        revision=1,
        os_profile=OSProfile(suite="bookworm"),
        install_profile=InstallProfile(disk_size=DISK),
    )
    return workshop.build(recipe)


@pytest.fixture
def warm(workshop: Workshop, plain: dict[str, Built], tmp_path: Path) -> Path:
    """A home of the test's own with the warm one's pool, index and tools, and no checkpoints."""
    assert plain
    copy_home(workshop.home, tmp_path / "home")
    return tmp_path / "home"


def copy_home(source: Path, target: Path) -> None:
    """Copy pool, index and tools of a home."""
    (target / "cache").mkdir(parents=True)
    for name in ("pool", "index", "tools"):
        tool("cp", "--archive", "--reflink=auto", str(source / "cache" / name), str(target / "cache"))


@pytest.fixture(scope="session")
def ordinary() -> Iterator[tuple[str, ...]]:
    """How to run a program as an ordinary user: as we are, or, as root, as a user made for the tests."""
    if os.geteuid() != 0:
        yield ()
        return
    name = f"reforge-test-{os.getpid()}"
    tool("useradd", "--create-home", name)
    as_user = ("runuser", "-u", name, "--", "env", "-i", f"HOME=/home/{name}", "PATH=/usr/bin:/bin")
    try:
        yield as_user
    finally:
        tool("userdel", "--remove", name)


def reachable(user: Sequence[str]) -> tuple[str, ...]:
    """Our Python for that user: ourselves, or Debian's of the same version with our packages; skips without both."""
    packages = f"{CHILD.parents[3]}:{site.getsitepackages()[0]}"
    debian = ("/usr/bin/env", f"PYTHONPATH={packages}", f"/usr/bin/python3.{sys.version_info.minor}")
    for python in ((sys.executable,), debian):
        if subprocess.run([*user, *python, str(CHILD), "--help"], check=False, capture_output=True).returncode == 0:
            return python
    pytest.skip("an ordinary user reaches neither this Python nor another of its version, nor the project's folder")
