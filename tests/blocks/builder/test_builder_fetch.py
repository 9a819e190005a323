from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from blocks.builder import Job
from blocks.builder.archive import Archive, ordered
from blocks.builder.pool import Pool
from blocks.errors import CorruptFile, MirrorUnreachable, NotFound, PackagesGone, StoreUnavailable
from blocks.model import OSProfile, Package
from tests.blocks.builder.conftest import Lines
from tests.blocks.builder.small_archive import Deb, SmallArchive, damage


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    """An empty pool."""
    return Pool(tmp_path / "pool", 10**9)


@pytest.fixture
def packages(profile: OSProfile, archive: Archive) -> tuple[Package, ...]:
    """What the profile resolves to."""
    return ordered(archive.packages(profile, Job())[0])


class Shelf:
    """A store that keeps package files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, sha256: str) -> bool:
        """Whether the file is there."""
        return (self._folder / sha256).exists()

    def fetch(self, sha256: str, target: Path, stop: Callable[[], None]) -> None:
        """Copy the file."""
        stop()
        shutil.copyfile(self._folder / sha256, target)


class Broken:
    """A store that has everything and can give nothing."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def has(self, sha256: str) -> bool:
        """Whether it is a digest at all."""
        return len(sha256) == 64

    def fetch(self, sha256: str, target: Path, stop: Callable[[], None]) -> None:
        """Fail, having begun."""
        stop()
        target.with_name(sha256).write_bytes(b"half")
        raise self._error


def test_every_file_comes_from_the_archive(
    packages: tuple[Package, ...], pool: Pool, archive: Archive, profile: OSProfile, served: SmallArchive
) -> None:
    """The pool gets each package file from the profile's own source, byte for byte; no mirror of the host is asked."""
    pool.ensure(packages, Job(), archive.fetcher(profile))
    for package in packages:
        assert pool.path(package).read_bytes() == (served.folder / package.origin.filename).read_bytes()


def test_a_full_pool_asks_nobody(
    packages: tuple[Package, ...], pool: Pool, archive: Archive, profile: OSProfile, served: SmallArchive
) -> None:
    """What the pool has needs no network."""
    pool.ensure(packages, Job(), archive.fetcher(profile))
    for path in (served.folder / "pool").iterdir():
        path.unlink()
    pool.ensure(packages, Job(), archive.fetcher(profile))
    assert pool.verify(packages, Job()) == ()


def test_a_damaged_file_is_corrupt(
    packages: tuple[Package, ...], pool: Pool, archive: Archive, profile: OSProfile, served: SmallArchive
) -> None:
    """A package file with other bytes than the lock's is refused and doesn't enter the pool."""
    served.damage(Deb("library"))
    with pytest.raises(CorruptFile, match=r"library_1\.0"):
        pool.ensure(packages, Job(), archive.fetcher(profile))
    assert not any(pool.has(package) for package in packages if package.name == "library")
    assert list(pool.folder.glob("partial-*")) == []


def test_a_cut_off_file_is_corrupt(
    packages: tuple[Package, ...], pool: Pool, archive: Archive, profile: OSProfile, served: SmallArchive
) -> None:
    """A package file that is shorter than the lock says is refused."""
    with (served.folder / Deb("tool").file).open("r+b") as file:
        file.truncate(100)
    with pytest.raises(CorruptFile, match=r"tool_1\.0"):
        pool.ensure(packages, Job(), archive.fetcher(profile))


def test_gone_files_are_named(
    packages: tuple[Package, ...], pool: Pool, archive: Archive, profile: OSProfile, served: SmallArchive
) -> None:
    """Package files that nobody has any more are named with their versions; the others are in the pool already."""
    served.remove(Deb("library"))
    served.remove(Deb("tool"))
    with pytest.raises(PackagesGone, match=r"2 package files .*library 1\.0, tool 1\.0") as caught:
        pool.ensure(packages, Job(), archive.fetcher(profile))
    assert "refresh" in caught.value.hint
    assert [package.name for package in packages if pool.has(package)] == ["apt", "base"]


def test_an_ended_server_is_no_gone_file(
    packages: tuple[Package, ...], pool: Pool, archive: Archive, profile: OSProfile, served: SmallArchive
) -> None:
    """A server that doesn't answer is unreachable: its files may still be there."""
    closed = SmallArchive(served.folder.parent / "closed", served._signer)
    closed.end()
    source = profile.sources[0].model_copy(update={"address": closed.address})
    with pytest.raises(MirrorUnreachable, match="Could not connect"):
        pool.ensure(packages, Job(), archive.fetcher(profile.model_copy(update={"sources": (source,)})))


def test_the_store_brings_a_gone_file_back(
    packages: tuple[Package, ...],
    pool: Pool,
    archive: Archive,
    profile: OSProfile,
    served: SmallArchive,
    tmp_path: Path,
) -> None:
    """A package file that the archive has dropped comes from the store."""
    library = next(package for package in packages if package.name == "library")
    (tmp_path / "shelf").mkdir()
    shutil.move(served.folder / library.origin.filename, tmp_path / "shelf" / library.sha256)
    pool.ensure(packages, Job(), archive.fetcher(profile), Shelf(tmp_path / "shelf"))
    assert pool.verify(packages, Job()) == ()


def test_a_damaged_copy_in_the_store_is_never_used(
    packages: tuple[Package, ...],
    pool: Pool,
    archive: Archive,
    profile: OSProfile,
    tmp_path: Path,
    served: SmallArchive,
) -> None:
    """A store that hands out wrong bytes can't bring them into the pool."""
    library = next(package for package in packages if package.name == "library")
    (tmp_path / "shelf").mkdir()
    shutil.copyfile(served.folder / library.origin.filename, tmp_path / "shelf" / library.sha256)
    damage(tmp_path / "shelf" / library.sha256)
    with pytest.raises(CorruptFile, match=r"library 1\.0"):
        pool.ensure(packages, Job(), archive.fetcher(profile), Shelf(tmp_path / "shelf"))
    assert not pool.has(library)


@pytest.mark.parametrize("error", [NotFound("It is gone"), CorruptFile("It is damaged")])
def test_the_archive_stands_in_for_the_store(
    packages: tuple[Package, ...], pool: Pool, archive: Archive, profile: OSProfile, lines: Lines, error: Exception
) -> None:
    """A copy that the store can't give after all is told, and fetched from the archive."""
    pool.ensure(packages, lines.job(), archive.fetcher(profile), Broken(error))
    assert pool.verify(packages, Job()) == ()
    assert any("library 1.0 can't be used" in line for line in lines.told)


def test_an_unreachable_store_is_told(
    packages: tuple[Package, ...], pool: Pool, archive: Archive, profile: OSProfile
) -> None:
    """A store that can't be reached is an error of its own, which is worth another try."""
    with pytest.raises(StoreUnavailable):
        pool.ensure(packages, Job(), archive.fetcher(profile), Broken(StoreUnavailable("It is down")))
