"""GRUB for BIOS and UEFI on one disk, without installing anything into the image.

The BIOS loader is GRUB's own boot sector and core image, laid where `grub-bios-setup` would lay them; the UEFI loader
is one file on the EFI system partition, under the name that firmware looks for on a disk it has not seen before.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path

from blocks.builder.programs import command
from blocks.builder.programs.layout import SECTOR, Partition

_MODULES = [
    "normal",
    "configfile",
    "search",
    "search_fs_uuid",
    "part_gpt",
    "ext2",
    "linux",
    "serial",
    "terminal",
    "echo",
    "test",
    "gzio",
]
_LIBRARY = Path("/usr/lib/grub")


def configuration(root: str, arguments: Sequence[str]) -> str:
    """The grub.cfg of the root file system with that UUID; kernels by their stable links, so that upgrades boot."""
    line = " ".join([f"root=UUID={root}", "ro", *arguments])
    return (
        "set timeout=0\nset default=0\n"
        "if serial --unit=0 --speed=115200; then\n"
        "  terminal_input serial console\n  terminal_output serial console\nfi\n"
        "menuentry 'Linux' {\n"
        f"  search --no-floppy --fs-uuid --set=root {root}\n"
        f"  linux /vmlinuz {line}\n"
        "  initrd /initrd.img\n}\n"
    )


def images(root: str, work: Path) -> tuple[bytes, Path]:
    """The BIOS core image's bytes and the path of the UEFI loader, both of which find the root by its UUID."""
    early = work / "early.cfg"
    early.write_text(
        f"search.fs_uuid {root} root\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n", "utf-8"
    )
    core = work / "core.img"
    loader = work / "bootx64.efi"
    for target, path, modules in (("i386-pc", core, ["biosdisk"]), ("x86_64-efi", loader, ["fat", "efi_gop"])):
        argv = ["grub-mkimage", "-d", str(_LIBRARY / target), "-O", target, "-p", "/boot/grub", "-c", str(early)]
        command.run([*argv, "-o", str(path), *modules, *_MODULES])
    return core.read_bytes(), loader


def write_bios(disk: Path, core: bytes, partition: Partition) -> None:
    """Write boot sector and core image; raises SystemExit if the core is larger than its partition."""
    if len(core) > partition.size:
        command.fail("GRUB's core image is larger than the partition for it")
    sector = partition.offset // SECTOR
    with disk.open("r+b") as file:
        table = file.read(SECTOR)[440:]
        boot = bytearray((_LIBRARY / "i386-pc" / "boot.img").read_bytes()[:440])
        struct.pack_into("<Q", boot, 0x5C, sector)
        boot[0x64] = 0xFF
        boot[0x66:0x68] = b"\x90\x90"
        file.seek(0)
        file.write(bytes(boot) + table)
        count = -(-len(core) // SECTOR)
        first = bytearray(core[:SECTOR])
        struct.pack_into("<QHH", first, SECTOR - 12, sector + 1, count - 1, 0x820)
        file.seek(partition.offset)
        file.write(bytes(first) + core[SECTOR:])


def write_efi(disk: Path, loader: Path, partition: Partition, serial: str, epoch: int) -> None:
    """Make the EFI system partition with the loader on it."""
    blocks = str(partition.size // 1024)
    argv = ["mkfs.vfat", "-F", "16", "-i", serial, "-n", "EFI", "--invariant", f"--offset={partition.offset // SECTOR}"]
    command.run([*argv, str(disk), blocks])
    os.utime(loader, (epoch, epoch))
    image = f"{disk}@@{partition.offset}"
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "MTOOLS_SKIP_CHECK": "1"}
    command.run(["mmd", "-i", image, "::/EFI", "::/EFI/BOOT"], environment=environment)
    command.run(["mcopy", "-m", "-i", image, str(loader), "::/EFI/BOOT/BOOTX64.EFI"], environment=environment)
