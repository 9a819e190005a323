from __future__ import annotations

import uuid
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.builder.programs import grub, initrd, layout
from blocks.builder.stages import disk

MIB = layout.MEBIBYTE
IDENTITIES = disk.identities("ab" * 32)


@given(size=st.integers(200, 100_000), swap=st.integers(0, 100))
def test_partitions_lie_in_order_without_overlap(size: int, swap: int) -> None:
    """Every partition starts where the one before ends, on whole mebibytes, with room for both partition tables."""
    rows = list(layout.partitions(size * MIB, swap * MIB, IDENTITIES).values())
    assert rows[0].offset == MIB
    for before, after in pairwise(rows):
        assert after.offset == before.offset + before.size
    assert rows[-1].offset + rows[-1].size == (size - 1) * MIB
    assert all(row.offset % MIB == row.size % MIB == 0 and row.size > 0 for row in rows)


def test_swap_is_there_if_asked_for() -> None:
    """A swap partition exists exactly if the profile asks for one, and the root stays the last."""
    assert list(layout.partitions(1024 * MIB, 0, IDENTITIES)) == ["grub", "efi", "root"]
    assert list(layout.partitions(1024 * MIB, 64 * MIB, IDENTITIES)) == ["grub", "efi", "swap", "root"]


def test_the_table_is_told_in_sectors() -> None:
    """The table that sfdisk reads has each partition's start, size, type and identity, and the disk's own."""
    rows = layout.partitions(1024 * MIB, 0, IDENTITIES)
    script = layout.script(rows, IDENTITIES["disk"]).splitlines()
    assert script[:2] == ["label: gpt", f"label-id: {IDENTITIES['disk']}"]
    assert script[4] == (
        f"start=69632, size=2025472, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, uuid={IDENTITIES['root']}, name=root"
    )


def test_identities_come_from_the_digest() -> None:
    """A disk's identities are functions of its stage's digest: all different, and other ones for another digest."""
    other = disk.identities("cd" * 32)
    assert disk.identities("ab" * 32) == IDENTITIES
    assert len(set(IDENTITIES.values())) == len(IDENTITIES)
    assert not set(IDENTITIES.values()) & set(other.values())
    assert all(uuid.UUID(value) for name, value in IDENTITIES.items() if name != "serial")
    assert len(IDENTITIES["serial"]) == 8


def test_the_boot_menu_names_root_and_arguments() -> None:
    """The boot loader finds the root by its UUID and passes the kernel arguments in their order."""
    text = grub.configuration("some-uuid", ["console=ttyS0", "quiet"])
    assert "linux /vmlinuz root=UUID=some-uuid ro console=ttyS0 quiet\n" in text
    assert "search --no-floppy --fs-uuid --set=root some-uuid\n" in text


def test_a_core_image_that_is_too_large_is_refused(tmp_path: Path) -> None:
    """GRUB's core image never runs over into the next partition."""
    (tmp_path / "disk").write_bytes(b"")
    with pytest.raises(SystemExit, match="larger than the partition"):
        grub.write_bios(tmp_path / "disk", b"x" * (MIB + 1), layout.Partition("grub", MIB, MIB, "u"))


def test_the_newest_kernel_comes_last() -> None:
    """Kernel versions are ordered by their numbers, not letter by letter."""
    assert initrd.ordered(["6.1.0-10-amd64", "6.1.0-9-amd64", "5.10.0-30-amd64"]) == [
        "5.10.0-30-amd64",
        "6.1.0-9-amd64",
        "6.1.0-10-amd64",
    ]
