"""Timings of the engine's stages in one run, beside the usual tools for the same work, as ratios.

    make bench

First the suite's release pocket alone (an earlier state of the archive), then the archive as it is, then that again.
Work, pool and the usual tools' folders are on a tmpfs when memory allows. Everything is removed afterwards.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import yaml
from rich.console import Console
from rich.table import Table

from blocks.builder import STAGES, Builder, Built, Job, Order, archive
from blocks.model import Appliance, Lock, Recipe
from blocks.store import open_store
from deployments.demo import example
from tests.benchmarks.handover import handover
from tests.benchmarks.wire import wire

_MEMORY = Path("/dev/shm")  # noqa: S108 (a tmpfs that every Debian has)
_ROOM = 10 * 1024**3
_JOB = Job()
_XZ = ("/usr/bin/xz", "-T0", "--stdout")
_ROUNDS = 2


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder on a tmpfs when memory allows, else the usual temporary one."""
    fits = _MEMORY.is_dir() and psutil.virtual_memory().available > _ROOM
    with tempfile.TemporaryDirectory(dir=_MEMORY if fits else None) as name:
        Path(name).chmod(0o755)
        yield Path(name)


def timed(work: Callable[[], object]) -> float:
    """How many seconds of wall time the work takes."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


class Engine:
    """The example's recipe on a builder of its own."""

    def __init__(self, home: Path) -> None:
        self.store = open_store((home / "store").as_uri())
        self.builder = Builder(home, cache_limit=20 * 10**9, pool_limit=10**10, keeper=self.store)
        appliance = Appliance.parse(yaml.safe_load(example.APPLIANCE.read_bytes()))
        if appliance.os_profile is None:
            raise SystemExit("The example has no OS profile")
        self.recipe = Recipe.of(appliance, appliance.os_profile, "qcow2", compress=True)

    def generation(self, title: str, parent: Lock | None, table: Table) -> tuple[Lock, tuple[Built, ...]]:
        """Resolve and run every stage; one row in the table."""
        began = time.monotonic()
        lock = self.builder.resolve(self.recipe, parent, _JOB).lock
        resolved = time.monotonic() - began
        built = tuple(self.builder.run(stage, Order(self.recipe, lock, "1-1"), _JOB) for stage in STAGES)
        times = [f"{each.result.seconds:.2f}{' (reused)' if each.result.reused else ''}" for each in built]
        table.add_row(title, f"{resolved:.2f}", *times, f"{time.monotonic() - began:.2f}")
        return lock, built

    def rebuilt(self, lock: Lock) -> dict[str, float]:
        """The seconds of each stage, made again with pool and tools at hand, and of storing the image."""
        order = Order(self.recipe, lock, "2-1", rebuild=True)
        built = [self.builder.run(stage, order, _JOB) for stage in STAGES]
        seconds: dict[str, float] = {str(each.result.name): each.result.seconds for each in built}
        seconds["store"] = timed(lambda: self.store.upload(built[-1].checkpoint.path, "2/1/image", lambda: None))
        return seconds


def plain_mmdebstrap(engine: Engine, lock: Lock, folder: Path) -> float:
    """Debian's mmdebstrap as it is, for the same packages from a local repository; seconds."""
    folder.mkdir(mode=0o755)
    index = engine.builder.index(lock)
    paths = dict(engine.builder.package(lock))
    if index is None:
        raise SystemExit("The lock's index object is gone")
    for package in lock.packages:
        shutil.copyfile(paths[package.sha256], folder / f"{package.sha256}.deb")
    rows = index.decode().splitlines()
    names = {package.origin.filename: package.sha256 for package in lock.packages}
    moved = [f"Filename: ./{names[row[10:]]}.deb" if row.startswith("Filename: ") else row for row in rows]
    (folder / "Packages").write_text("\n".join(moved) + "\n", "utf-8")
    (folder / "Release").write_text(
        f"Suite: {engine.recipe.os_profile.suite}\nCodename: {engine.recipe.os_profile.suite}\n"
    )
    mode = "root" if os.geteuid() == 0 else "unshare"
    include = ",".join(engine.recipe.os_profile.packages)
    argv = ["mmdebstrap", f"--mode={mode}", "--variant=minbase", f"--include={include}", "--quiet"]
    argv += [engine.recipe.os_profile.suite, str(folder / "root.tar"), f"deb [trusted=yes] copy://{folder} ./"]
    temporary = folder / "tmp"
    temporary.mkdir()
    seconds = timed(lambda: subprocess.run(argv, check=True, env={**os.environ, "TMPDIR": str(temporary)}))
    shutil.rmtree(folder)
    return seconds


def xz(disk: Path) -> float:
    """`xz -T0` of the same raw disk; seconds."""
    return timed(lambda: subprocess.run([*_XZ, str(disk)], stdout=subprocess.DEVNULL, check=True))


def ratios(ours: dict[str, float], mmdebstrap: float, compressed: float) -> Table:
    """Ours beside theirs."""
    table = Table("work", "ours, s", "the usual tool", "its s", "ours / its", "at most")
    rootfs = ours["rootfs"]
    rest = sum(seconds for name, seconds in ours.items() if name != "rootfs")
    rows = [
        ("rootfs", rootfs, "mmdebstrap", mmdebstrap, 0.85),
        ("disk + pack + hash + store", rest, "xz -T0", compressed, 0.2),
    ]
    for work, seconds, tool, theirs, limit in rows:
        table.add_row(work, f"{seconds:.2f}", tool, f"{theirs:.2f}", f"{seconds / theirs:.2f}", f"{limit:.2f}")
    return table


def main() -> None:
    """Run everything and print the tables."""
    console = Console(width=140)
    stages = Table("generation", "resolve, s", *(f"{stage}, s" for stage in STAGES), "all, s")
    with workplace() as folder:
        console.print(f"Working in {folder}, {os.cpu_count()} cores")
        engine = Engine(folder / "home")
        console.print("Generating from the release pocket alone, everything cold …")
        newest = archive.SUITES
        archive.SUITES = {suite: rows[:1] for suite, rows in newest.items()}
        first, _ = engine.generation("first, all cold", None, stages)
        archive.SUITES = newest
        console.print("Regenerating with the newest packages …")
        lock, built = engine.generation("changed packages", first, stages)
        engine.generation("unchanged", lock, stages)
        console.print("Rebuilding with a warm pool and the usual tools, in turn, the best of each counts …")
        pairs = [(engine.rebuilt(lock), plain_mmdebstrap(engine, lock, folder / "plain")) for _ in range(_ROUNDS)]
        ours = min((pair[0] for pair in pairs), key=lambda row: row["rootfs"])
        theirs = min(pair[1] for pair in pairs)
        compressed = xz(built[1].checkpoint.path)
        console.print("Handing over to what `reforge up` serves …")
        handed = handover(folder / "up")
        console.print("Asking a gateway of one process …")
        asked = wire(folder / "wire")
    console.print(stages)
    console.print(ratios(ours, theirs, compressed))
    for table in (handed, *asked):
        console.print(table)
    console.print(f"Memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB at most")


if __name__ == "__main__":
    main()
