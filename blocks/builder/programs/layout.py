"""The disk's layout: GPT with room for GRUB, an EFI system partition, perhaps swap, and the root file system last.

All offsets are in bytes, every partition begins and ends at a mebibyte: sfdisk rounds a last partition without a size,
and a file system that is larger than its partition fails only at boot.
"""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 1024 * 1024
SECTOR = 512
_TYPES = {
    "grub": "21686148-6449-6E6F-744E-656564454649",
    "efi": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
    "swap": "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F",
    "root": "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709",
}


@dataclass(frozen=True)
class Partition:
    """One partition with its own identity; `offset` and `size` in bytes."""

    name: str
    offset: int
    size: int
    identity: str

    def row(self) -> str:
        """The partition as sfdisk reads it."""
        fields = f"start={self.offset // SECTOR}, size={self.size // SECTOR}, type={_TYPES[self.name]}"
        return f"{fields}, uuid={self.identity}, name={self.name}"


def partitions(disk: int, swap: int, identities: dict[str, str]) -> dict[str, Partition]:
    """The partitions of a disk of so many bytes, by name."""
    sizes = {"grub": MEBIBYTE, "efi": 32 * MEBIBYTE, **({"swap": swap} if swap else {})}
    rows: dict[str, Partition] = {}
    offset = MEBIBYTE
    for name, size in sizes.items():
        rows[name] = Partition(name, offset, size, identities[name])
        offset += size
    rows["root"] = Partition("root", offset, disk - offset - MEBIBYTE, identities["root"])
    return rows


def script(rows: dict[str, Partition], identity: str) -> str:
    """The whole table as sfdisk reads it."""
    return "\n".join(["label: gpt", f"label-id: {identity}", *(row.row() for row in rows.values()), ""])
