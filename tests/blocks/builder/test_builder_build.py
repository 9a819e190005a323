from __future__ import annotations

import contextlib
import json
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from blocks.builder import Builder, Built, Job, Order, content, filename, identities
from blocks.builder.programs import layout
from blocks.builder.stages import pack
from blocks.errors import DiskTooSmall, UnsupportedSuite
from blocks.model import Recipe
from tests.blocks.builder.conftest import DISK, LIMIT, Lines, Workshop
from tests.blocks.builder.small_archive import damage, tool

pytestmark = pytest.mark.build


def sha256(path: Path) -> str:
    """The sha256 of a file's bytes."""
    return content.sha256(path, lambda: None)


def inside(workshop: Workshop, *argv: str) -> str:
    """What a program of the lock's tools prints, run on a file of this machine."""
    tools = workshop.home / "cache" / "tools" / workshop.lock.toolset()
    libraries = f"{tools}/usr/lib/x86_64-linux-gnu"
    loader = f"{libraries}/ld-linux-x86-64.so.2"
    done = subprocess.run(
        [loader, "--library-path", libraries, f"{tools}/usr/{argv[0]}", *argv[1:]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_stage_is_named_by_its_digest(
    plain: dict[str, Built], workshop: Workshop, make_recipe: Callable[..., Recipe]
) -> None:
    """Every stage gives one file under the digest that recipe and lock foretell, with its content's digest and size."""
    names = identities(make_recipe(), workshop.lock)
    for stage, built in plain.items():
        assert built.result.digest == names[built.result.name]
        assert built.result.name == stage
        assert built.result.sha256 == content.sparse_sha256(built.checkpoint.path, lambda: None)
        assert abs(built.result.size - built.checkpoint.path.stat().st_blocks * 512) < layout.MEBIBYTE


def test_a_known_digest_is_looked_up(
    plain: dict[str, Built], workshop: Workshop, make_recipe: Callable[..., Recipe]
) -> None:
    """Stages that are there already are looked up, for any appliance with the same content."""
    again = workshop.build(make_recipe().model_copy(update={"name": "another"}))
    assert all(built.result.reused for built in again.values())
    assert [built.result.sha256 for built in again.values()] == [built.result.sha256 for built in plain.values()]


def test_the_tree_has_exactly_the_locked_packages(plain: dict[str, Built], workshop: Workshop) -> None:
    """The installed packages are those of the lock, each configured, in the version of the lock."""
    with tarfile.open(plain["rootfs"].checkpoint.path) as tar:
        file = tar.extractfile("./var/lib/dpkg/status")
        assert file is not None
        paragraphs = file.read().decode().strip().split("\n\n")
    rows = [
        dict(row.split(": ", 1) for row in text.splitlines() if ": " in row and row[0] != " ") for text in paragraphs
    ]
    assert {row["Status"] for row in rows} == {"install ok installed"}
    installed = {(row["Package"], row["Version"], row["Architecture"]) for row in rows}
    assert installed == {(package.name, package.version, package.architecture) for package in workshop.lock.packages}


def test_dpkg_finds_nothing_to_complain_about(plain: dict[str, Built], workshop: Workshop, tmp_path: Path) -> None:
    """`dpkg --audit` is silent about the tree."""
    with tarfile.open(plain["rootfs"].checkpoint.path) as tar:
        below = [member for member in tar.getmembers() if member.name.startswith("./var/lib/dpkg/")]
        tar.extractall(tmp_path, below, filter="data")
    assert inside(workshop, "bin/dpkg", f"--admindir={tmp_path}/var/lib/dpkg", "--audit") == ""


def test_an_unknown_suite_is_refused(workshop: Workshop, make_recipe: Callable[..., Recipe]) -> None:
    """A recipe of a suite that the builder doesn't know has no lock."""
    recipe = make_recipe()
    unknown = recipe.model_copy(update={"os_profile": recipe.os_profile.model_copy(update={"suite": "sarge"})})
    with pytest.raises(UnsupportedSuite, match="sarge"):
        workshop.builder.resolve(unknown, None, Job())


def test_the_disk_is_laid_out_as_planned(plain: dict[str, Built], workshop: Workshop) -> None:
    """The disk has the asked size and a valid table whose partitions lie where the layout says."""
    disk = plain["disk"].checkpoint
    assert disk.path.stat().st_size == DISK * layout.MEBIBYTE
    assert "No errors detected" in inside(workshop, "sbin/sfdisk", "--verify", str(disk.path))
    table = json.loads(inside(workshop, "sbin/sfdisk", "--json", str(disk.path)))["partitiontable"]
    found = {row["name"]: (row["start"] * 512, row["size"] * 512) for row in table["partitions"]}
    wanted = layout.partitions(DISK * layout.MEBIBYTE, 0, dict.fromkeys(("grub", "efi", "root"), ""))
    assert found == {name: (row.offset, row.size) for name, row in wanted.items()}


def test_the_root_file_system_is_clean(plain: dict[str, Built], workshop: Workshop, tmp_path: Path) -> None:
    """A full check of the root file system finds nothing to mend."""
    offset = layout.partitions(DISK * layout.MEBIBYTE, 0, dict.fromkeys(("grub", "efi", "root"), ""))["root"].offset
    copy = tmp_path / "root.ext4"
    argv = ["dd", f"if={plain['disk'].checkpoint.path}", f"of={copy}", "bs=1M", f"skip={offset >> 20}", "conv=sparse"]
    tool(*argv)
    told = inside(workshop, "sbin/e2fsck", "-fn", str(copy))
    assert "Pass 5" in told
    assert "WARNING" not in told


@pytest.mark.parametrize(("target", "compress"), sorted(pack.PACKINGS))
def test_every_format_gives_the_disk_back(
    plain: dict[str, Built],
    workshop: Workshop,
    make_recipe: Callable[..., Recipe],
    tmp_path: Path,
    target: str,
    compress: bool,
) -> None:
    """Each kind of image file, unpacked by its own tool, is the disk again, byte for byte."""
    recipe = Recipe.parse({**make_recipe().document(), "format": target, "compress": compress})
    packed = workshop.build(recipe)["pack"].checkpoint.path
    back = tmp_path / "back.raw"
    if target == "qcow2":
        inside(workshop, "bin/qemu-img", "convert", "-f", "qcow2", "-O", "raw", str(packed), str(back))
    elif compress:
        inside(workshop, "bin/zstd", "-q", "-d", "--sparse", str(packed), "-o", str(back))
    else:
        back = packed
    assert sha256(back) == sha256(plain["disk"].checkpoint.path)
    assert filename(recipe, 7) == f"small-1.0-7{pack.packing(recipe).suffix}"


@pytest.mark.parametrize(("target", "compress"), sorted(pack.PACKINGS))
def test_packing_ignores_how_holes_lie(
    plain: dict[str, Built],
    workshop: Workshop,
    make_recipe: Callable[..., Recipe],
    warm: Path,
    target: str,
    compress: bool,
) -> None:
    """The image file has the same bytes though the disk's zeros are written in one place and holes in another."""
    recipe = Recipe.parse({**make_recipe().document(), "format": target, "compress": compress})
    first = workshop.build(recipe)["pack"].checkpoint
    entry = plain["disk"].checkpoint.path.parent
    copy = warm / "cache/checkpoints/disk" / entry.name
    copy.mkdir(parents=True)
    for name in ("data", "manifest.json"):
        tool("cp", "--sparse=never", str(entry / name), str(copy / name))
    other = Builder(warm, cache_limit=LIMIT, pool_limit=LIMIT)
    second = other.run("pack", Order(recipe, workshop.lock, "2-1"), Job()).checkpoint
    assert sha256(second.path) == sha256(first.path)


def test_a_disk_that_is_too_small_is_told_a_size_that_fits(
    plain: dict[str, Built], workshop: Workshop, make_recipe: Callable[..., Recipe]
) -> None:
    """A disk too small for its content is refused with the content's size; the size that the hint names is enough."""
    assert plain
    small = make_recipe(disk_size=100, swap_size=16)
    with pytest.raises(
        DiskTooSmall, match=r"about 161 MiB and doesn't fit on a disk of 100 MiB|about \d+ MiB"
    ) as caught:
        workshop.builder.run("disk", Order(small, workshop.lock, "3-1"), Job())
    size = int(caught.value.hint.split(" at least ")[1].split()[0])
    built = workshop.build(make_recipe(disk_size=size, swap_size=16), name="3-2")
    assert built["disk"].checkpoint.path.stat().st_size == size * layout.MEBIBYTE


@pytest.mark.parametrize("short", [1, 20, 40])
def test_a_disk_that_is_a_little_too_small_is_no_riddle(
    plain: dict[str, Built], workshop: Workshop, make_recipe: Callable[..., Recipe], short: int
) -> None:
    """A disk that the file system turns out not to fit on gives the same error, or it fits."""
    room = plain["rootfs"].checkpoint.facts["content"] // layout.MEBIBYTE + 65
    order = Order(make_recipe(disk_size=room + 40 - short), workshop.lock, "4-1")
    with contextlib.suppress(DiskTooSmall):
        assert workshop.builder.run("disk", order, Job()).result.size


def test_corrupted_caches_heal(
    plain: dict[str, Built], workshop: Workshop, make_recipe: Callable[..., Recipe], warm: Path, lines: Lines
) -> None:
    """A damaged checkpoint is made again with the same bytes, over a damaged package and a damaged index object."""
    other = Builder(warm, cache_limit=LIMIT, pool_limit=LIMIT)
    victim = workshop.lock.packages[0]
    damage(next(warm.rglob(f"{victim.sha256}.deb")))
    damage(warm / "cache/index" / workshop.lock.index)
    entry = plain["rootfs"].checkpoint.path.parent
    copy = warm / "cache/checkpoints/rootfs" / entry.name
    copy.parent.mkdir(parents=True)
    tool("cp", "--archive", str(entry), str(copy))
    damage(copy / "data")
    built = other.run("rootfs", Order(make_recipe(), workshop.lock, "5-1"), lines.job())
    assert not built.result.reused
    assert sha256(built.checkpoint.path) == sha256(plain["rootfs"].checkpoint.path)
    assert any("checkpoint of the stage rootfs is damaged" in line for line in lines.told)
    assert any(f"{victim.name} {victim.version} is damaged" in line for line in lines.told)


def test_tools_are_fetched_again_where_they_are_gone(
    plain: dict[str, Built], workshop: Workshop, make_recipe: Callable[..., Recipe], warm: Path
) -> None:
    """A home that has the disk and neither tools nor their package files packs it all the same; damaged ones heal."""
    entry = plain["disk"].checkpoint.path.parent
    copy = warm / "cache/checkpoints/disk" / entry.name
    copy.parent.mkdir(parents=True)
    tool("cp", "--archive", str(entry), str(copy))
    tools = workshop.lock.tools
    next(warm.rglob(f"{tools[0].sha256}.deb")).unlink()
    damage(next(warm.rglob(f"{tools[1].sha256}.deb")))
    tool("rm", "-rf", str(warm / "cache/tools"))
    other = Builder(warm, cache_limit=LIMIT, pool_limit=LIMIT)
    built = other.run("pack", Order(make_recipe(), workshop.lock, "6-1"), Job())
    assert sha256(built.checkpoint.path) == sha256(plain["pack"].checkpoint.path)
