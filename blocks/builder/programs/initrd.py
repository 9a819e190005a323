"""The initrd: made once, after everything else, for every kernel of the tree."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from blocks.builder.programs import command
from blocks.builder.programs.tree import within, write

_CONFIGURATION = "COMPRESS=zstd\nCOMPRESSLEVEL=1\n"


def make(root: Path) -> None:
    """Make /boot/initrd.img-VERSION for every kernel; a tree without one gets none."""
    versions = ordered(path.name.removeprefix("vmlinuz-") for path in within(root, "boot").glob("vmlinuz-*"))
    if not versions:
        return
    if not (root / "usr/sbin/update-initramfs").exists():
        command.fail("the kernel has no initrd to boot with: add initramfs-tools to the OS profile's packages")
    override = write(root, "etc/initramfs-tools/conf.d/reforge", _CONFIGURATION)
    for version in versions:
        command.inside(root, ["update-initramfs", "-c", "-k", version], environment={"INITRD": "Yes"})
    override.unlink()
    for name, target in (("vmlinuz", "vmlinuz"), ("initrd.img", "initrd.img")):
        link = root / name
        link.unlink(missing_ok=True)
        link.symlink_to(f"boot/{target}-{versions[-1]}")


def ordered(versions: Iterable[str]) -> list[str]:
    """Kernel versions from the oldest to the newest, numbers by their value."""
    return sorted(versions, key=lambda version: [int(part) if part.isdigit() else part for part in _parts(version)])


def _parts(version: str) -> list[str]:
    return re.split(r"(\d+)", version)
