"""The initrd: made once, after everything else, for every kernel of the tree."""

from __future__ import annotations

from pathlib import Path

from blocks.builder.programs import command

_CONFIGURATION = "COMPRESS=zstd\nCOMPRESSLEVEL=1\n"


def make(root: Path, epoch: int) -> None:
    """Make /boot/initrd.img-VERSION for every kernel; a tree without one gets none."""
    versions = sorted(path.name.removeprefix("vmlinuz-") for path in (root / "boot").glob("vmlinuz-*"))
    if not versions or not (root / "usr/sbin/update-initramfs").exists():
        return
    override = root / "etc/initramfs-tools/conf.d/reforge"
    override.write_text(_CONFIGURATION, "utf-8")
    for version in versions:
        environment = {"SOURCE_DATE_EPOCH": str(epoch), "INITRD": "Yes"}
        command.inside(root, ["update-initramfs", "-c", "-k", version], environment=environment)
    override.unlink()
    for name, target in (("vmlinuz", "vmlinuz"), ("initrd.img", "initrd.img")):
        link = root / name
        link.unlink(missing_ok=True)
        link.symlink_to(f"boot/{target}-{versions[-1]}")
