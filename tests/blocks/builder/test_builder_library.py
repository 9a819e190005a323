from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from blocks.builder import Builder, Built, Job, Order, Shared, content
from blocks.errors import CorruptFile, NoSpace, NotFound
from blocks.model import InstallProfile, OSProfile, Recipe
from tests.blocks.builder.conftest import DISK, LIMIT, Lines, Workshop
from tests.blocks.builder.small_archive import damage

pytestmark = pytest.mark.build


class Shelf:
    """A library in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known: dict[str, Shared] = {}
        folder.mkdir()

    def add(self, builder: Builder, built: Built, order: Order) -> Path:
        """Share a stage as a run does; gives where its parcel lies."""
        made = built.checkpoint
        with builder.parcelled(built, order, Job()) as parcel:
            sha256 = content.sha256(parcel, lambda: None)
            path = Path(shutil.copyfile(parcel, self.folder / sha256))
        size = path.stat().st_size
        self.known[made.digest] = Shared(made.stage, made.digest, sha256, size, made.sha256, made.size, made.facts)
        return path

    def find(self, digest: str) -> Shared | None:
        """What is there."""
        return self.known.get(digest)

    def fetch(self, shared: Shared, target: Path, stop: Callable[[], None]) -> None:
        """Copy it, verified."""
        stop()
        path = self.folder / shared.sha256
        if not path.exists():
            raise NotFound("It is gone")
        if content.sha256(path, stop) != shared.sha256:
            raise CorruptFile("It is damaged")
        shutil.copyfile(path, target)

    def drop(self, shared: Shared) -> None:
        """Forget it."""
        del self.known[shared.digest]


@pytest.fixture
def order(workshop: Workshop, make_recipe: Callable[..., Recipe]) -> Order:
    """What the warm workshop has built."""
    return Order(make_recipe(), workshop.lock, "1-1")


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory, workshop: Workshop, plain: dict[str, Built]) -> Shelf:
    """A library with all stages of the plain recipe, that no test changes."""
    shelf = Shelf(tmp_path_factory.mktemp("stock") / "shelf")
    recipe = Recipe(
        name="small",
        version="1.0",
        revision=1,
        os_profile=OSProfile(suite="bookworm"),
        install_profile=InstallProfile(disk_size=DISK),
    )
    for built in plain.values():
        shelf.add(workshop.builder, built, Order(recipe, workshop.lock, "1-1"))
    return shelf


@pytest.fixture
def shelf(tmp_path: Path, stock: Shelf) -> Shelf:
    """A library of the test's own with the same stock."""
    shelf = Shelf(tmp_path / "shelf")
    shelf.known |= stock.known
    for parcel in stock.folder.iterdir():
        (shelf.folder / parcel.name).hardlink_to(parcel)
    return shelf


@pytest.fixture
def elsewhere(tmp_path: Path, shelf: Shelf) -> Iterator[Builder]:
    """A machine with nothing but the library: no package files, no tools."""
    home = tmp_path / "elsewhere"
    yield Builder(home, cache_limit=LIMIT, pool_limit=LIMIT, library=shelf)
    assert list((home / "work").iterdir()) == []
    assert list((home / "cache" / "checkpoints").glob("partial-*")) == []
    assert list((home / "reservations").glob("*.reservation")) == []


def test_another_machine_s_stage_counts_as_made_here(
    plain: dict[str, Built], elsewhere: Builder, order: Order, lines: Lines
) -> None:
    """It has the same bytes, holes and facts, is reused, and is found here from then on."""
    for stage, made in plain.items():
        found = elsewhere.find(made.result.name, order, lines.job())
        assert found is not None
        assert found.result.reused
        assert (found.result.digest, found.result.sha256) == (made.result.digest, made.result.sha256)
        assert found.checkpoint.facts == made.checkpoint.facts
        assert found.checkpoint.path.stat().st_blocks == pytest.approx(made.checkpoint.path.stat().st_blocks, rel=0.05)
        assert elsewhere.has(made.result.name, made.result.digest), stage
    assert sum("Fetching the stage" in line for line in lines.told) == 3


def test_the_image_itself_is_no_second_blob(plain: dict[str, Built], shelf: Shelf) -> None:
    """A compressed image is shared as it is, under the name that its blob in the store has."""
    pack = plain["pack"].checkpoint
    assert shelf.known[pack.digest].sha256 == content.sha256(pack.path, lambda: None)


def test_what_is_nowhere_is_not_found(elsewhere: Builder, shelf: Shelf, order: Order) -> None:
    """Neither here nor in the library: it must be made."""
    shelf.known.clear()
    assert elsewhere.find("rootfs", order, Job()) is None


def test_a_stage_is_made_from_what_another_machine_has_left(
    plain: dict[str, Built], workshop: Workshop, warm: Path, shelf: Shelf, order: Order, lines: Lines
) -> None:
    """Where the disk is missing here and shared, packing fetches it and makes neither it nor the rootfs."""
    assert workshop
    for stage in ("rootfs", "pack"):
        del shelf.known[plain[stage].checkpoint.digest]
    builder = Builder(warm, cache_limit=LIMIT, pool_limit=LIMIT, library=shelf)
    built = builder.run("pack", order, lines.job())
    assert not built.result.reused
    assert built.result.sha256 == plain["pack"].result.sha256
    assert not builder.has("rootfs", plain["rootfs"].result.digest)


@pytest.mark.parametrize("harm", ["damaged", "gone", "another"])
def test_a_shared_stage_that_can_t_be_used_is_dropped(
    plain: dict[str, Built], elsewhere: Builder, shelf: Shelf, order: Order, lines: Lines, harm: str
) -> None:
    """Wrong bytes, no bytes, and the bytes of something else count as never shared; they are not asked for again."""
    shared = shelf.known[plain["disk"].checkpoint.digest]
    if harm == "damaged":
        path = shelf.folder / shared.sha256
        damage(Path(shutil.copyfile(path, path.with_suffix(".own"))).replace(path))
    elif harm == "gone":
        (shelf.folder / shared.sha256).unlink()
    else:
        shelf.known[shared.digest] = replace(shared, sha256=shelf.known[plain["pack"].checkpoint.digest].sha256)
    assert elsewhere.find("disk", order, lines.job()) is None
    assert shared.digest not in shelf.known
    assert any("damaged: it is made again" in line for line in lines.told)
    assert not elsewhere.has("disk", shared.digest)


def test_a_rebuild_asks_nobody(plain: dict[str, Built], warm: Path, shelf: Shelf, order: Order, lines: Lines) -> None:
    """What shall be made again is not fetched, although it is shared; the stage before may be."""
    builder = Builder(warm, cache_limit=LIMIT, pool_limit=LIMIT, library=shelf)
    built = builder.run("pack", replace(order, rebuild=True), lines.job())
    assert not built.result.reused
    assert [line for line in lines.told if "Fetching the stage" in line] == [
        f"Fetching the stage disk from the store, {shelf.known[plain['disk'].checkpoint.digest].size / 1e6:.1f} MB"
    ]


def test_a_full_disk_drops_nothing(
    plain: dict[str, Built], elsewhere: Builder, shelf: Shelf, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While there is no room for a shared stage it is waited for, not forgotten."""
    monkeypatch.setattr("shutil.disk_usage", lambda _path: (10**12, 10**12, 0))
    with pytest.raises(NoSpace):
        elsewhere.find("disk", order, Job())
    assert plain["disk"].checkpoint.digest in shelf.known
