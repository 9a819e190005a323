from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest

from blocks.builder import Job
from blocks.builder.pool import Fetcher, Pool
from blocks.errors import CorruptFile, PackagesGone, Stopped
from blocks.model import Package
from blocks.stop import StopToken
from tests.blocks.builder.conftest import Start
from tests.blocks.builder.small_archive import damage

Make = Callable[..., Package]


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    """An empty pool of at most 3000 bytes."""
    return Pool(tmp_path / "pool", 3000)


def content(package: Package) -> bytes:
    """The bytes that the tests' package of that name has."""
    return package.name.encode().ljust(1000, b".")


@pytest.fixture
def make(make_package: Make) -> Make:
    """A package of 1000 bytes."""

    def packed(name: str) -> Package:
        data = name.encode().ljust(1000, b".")
        return make_package(name, size=1000, sha256=hashlib.sha256(data).hexdigest())

    return packed


def bring(files: Sequence[tuple[Package, Path]], job: Job) -> None:
    """Bring every file."""
    for package, path in files:
        job.stop.check()
        path.write_bytes(content(package))


def nothing(files: Sequence[tuple[Package, Path]], job: Job) -> None:
    """Bring no file."""


def test_a_fetched_file_is_in_the_pool(pool: Pool, make: Make) -> None:
    """What was fetched lies under its sha256, whole."""
    package = make("tool")
    assert not pool.has(package)
    pool.ensure([package], Job(), bring)
    assert pool.path(package).read_bytes() == content(package)
    assert pool.path(package) == pool.folder / package.sha256[:2] / f"{package.sha256}.deb"


def test_a_wrong_file_never_enters(pool: Pool, make: Make) -> None:
    """A file whose bytes aren't those that were promised is refused by name and stays outside."""

    def wrong(files: Sequence[tuple[Package, Path]], job: Job) -> None:
        bring(files, job)
        damage(files[0][1])

    with pytest.raises(CorruptFile, match=r"tool 1\.0"):
        pool.ensure([make("tool")], Job(), wrong)
    assert list(pool.folder.rglob("*.deb")) == []


def test_an_absent_file_is_gone(pool: Pool, make: Make) -> None:
    """A file that nobody brings is gone, by name and version."""
    with pytest.raises(PackagesGone, match=r"tool 1\.0"):
        pool.ensure([make("tool")], Job(), nothing)


def test_a_damaged_file_is_thrown_out(pool: Pool, make: Make) -> None:
    """Verifying reads every byte: a damaged file is named and removed, and then fetched again."""
    packages = [make("one"), make("two")]
    pool.ensure(packages, Job(), bring)
    damage(pool.path(packages[1]))
    assert pool.has(packages[1])
    assert pool.verify(packages, Job()) == (packages[1],)
    assert not pool.has(packages[1])
    pool.ensure(packages, Job(), bring)
    assert pool.verify(packages, Job()) == ()


def test_a_short_file_is_fetched_again(pool: Pool, make: Make) -> None:
    """A file of another size than the lock's counts as missing."""
    package = make("tool")
    pool.ensure([package], Job(), bring)
    pool.path(package).write_bytes(b"short")
    pool.ensure([package], Job(), bring)
    assert pool.path(package).read_bytes() == content(package)


def test_the_longest_unused_goes_first(pool: Pool, make: Make) -> None:
    """Trimming removes the files that were used longest ago, only as many as it must."""
    packages = [make(name) for name in ("a1", "b2", "c3", "d4", "e5")]
    for age, package in enumerate(packages):
        pool.ensure([package], Job(), bring)
        os.utime(pool.path(package), (1000 + age, 1000 + age))
    pool.ensure([packages[0]], Job(), nothing)
    assert pool.trim(()) == 2000
    assert [package.name for package in packages if pool.has(package)] == ["a1", "d4", "e5"]


def test_what_is_needed_stays(pool: Pool, make: Make) -> None:
    """Trimming removes nothing of what the caller keeps, even above the limit."""
    packages = [make(name) for name in ("a1", "b2", "c3", "d4", "e5")]
    pool.ensure(packages, Job(), bring)
    assert pool.trim(packages) == 0
    assert all(pool.has(package) for package in packages)


def test_what_a_build_reads_stays(pool: Pool, make: Make) -> None:
    """While any build reads the pool nothing is trimmed."""
    packages = [make(name) for name in ("a1", "b2", "c3", "d4")]
    pool.ensure(packages, Job(), bring)
    with pool.used(), pool.used():
        assert pool.trim(()) == 0
    assert pool.trim(()) == 1000


def test_a_stop_leaves_nothing(pool: Pool, make: Make) -> None:
    """Stopped while fetching, the pool has what it had before and no half-made folder."""
    stop = StopToken()

    def stopping(files: Sequence[tuple[Package, Path]], job: Job) -> None:
        stop.set("enough")
        bring(files, job)

    with pytest.raises(Stopped):
        pool.ensure([make("tool")], Job(stop), stopping)
    assert list(pool.folder.iterdir()) == []


_FETCH = """
import sys
from pathlib import Path
from blocks.builder import Job
from blocks.builder.pool import Pool
from blocks.model import Package

def fetch(files, job):
    files[0][1].write_bytes(b"half")
    print("fetching", flush=True)
    sys.stdin.readline()

Pool(Path(sys.argv[1]), 3000).ensure([Package.parse_json(sys.argv[2])], Job(), fetch)
"""


def test_a_killed_fetch_shows_nothing(pool: Pool, make: Make, start: Start) -> None:
    """A process that is killed while it fetches leaves no file in sight, and the next sweep removes what it left."""
    package = make("tool")
    child = start("-c", _FETCH, str(pool.folder), package.model_dump_json())
    assert child.stdout is not None
    assert child.stdout.readline() == "fetching\n"
    assert pool.sweep(psutil.pid_exists) == ()
    child.kill()
    child.wait()
    assert not pool.has(package)
    assert len(pool.sweep(psutil.pid_exists)) == 1
    assert list(pool.folder.iterdir()) == []


def test_a_fetcher_is_any_callable() -> None:
    """The tests' fetchers are what the pool takes."""
    fetchers: list[Fetcher] = [bring, nothing]
    assert fetchers
