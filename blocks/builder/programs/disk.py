"""The stage disk, as it runs inside the sandbox: partition table, root file system from the tar, boot loaders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from blocks.builder.programs import command, grub, layout

DISK = Path("/output/disk.raw")
TAR = Path("/input/rootfs.tar")
_BLOCK = 4096
_INODE_RATIO = 16384


def main() -> None:
    """Read the specification from standard input and make the raw disk."""
    wanted = json.load(sys.stdin)
    os.umask(0o022)
    os.environ["SOURCE_DATE_EPOCH"] = str(wanted["epoch"])
    rows = layout.partitions(wanted["disk_size"], wanted["swap_size"], wanted["identities"])
    if rows["root"].size < wanted["content"]:
        command.fail(f"disk too small: the content takes {wanted['content']} bytes, the root has {rows['root'].size}")
    _table(wanted, rows)
    print("reforge: making the root file system", flush=True)
    _root(wanted, rows)
    if "swap" in rows:
        _swap(wanted, rows["swap"])
    print("reforge: writing the boot loaders", flush=True)
    core, loader = grub.images(wanted["identities"]["filesystem"], Path("/build"))
    grub.write_bios(DISK, core, rows["grub"])
    grub.write_efi(DISK, loader, rows["efi"], wanted["identities"]["serial"], wanted["epoch"])


def _table(wanted: Mapping[str, Any], rows: dict[str, layout.Partition]) -> None:
    with DISK.open("wb") as file:
        file.truncate(wanted["disk_size"])
    text = layout.script(rows, wanted["identities"]["disk"])
    command.run(["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", str(DISK)], data=text)


def _root(wanted: Mapping[str, Any], rows: dict[str, layout.Partition]) -> None:
    root = rows["root"]
    identity = wanted["identities"]["filesystem"]
    options = (
        f"offset={root.offset},hash_seed={identity},root_owner=0:0,lazy_itable_init=1,lazy_journal_init=1,nodiscard"
    )
    argv = ["mke2fs", "-q", "-F", "-t", "ext4", "-d", "-", "-L", "root", "-U", identity, "-b", str(_BLOCK)]
    argv += ["-i", str(_INODE_RATIO), "-J", "size=16", "-O", "^metadata_csum_seed,^orphan_file", "-E", options]
    argv += [str(DISK), str(root.size // _BLOCK)]
    maker = subprocess.Popen(argv, stdin=subprocess.PIPE)
    if maker.stdin is not None:
        _feed(maker.stdin, wanted, rows)
    if maker.wait() != 0:
        command.fail(f"mke2fs ended with status {maker.returncode}")


def _feed(pipe: IO[bytes], wanted: Mapping[str, Any], rows: dict[str, layout.Partition]) -> None:
    try:
        with pipe, TAR.open("rb") as source:
            source_end = _end(TAR)
            _copy(source, pipe, source_end)
            _append(pipe, wanted, rows)
    except BrokenPipeError:
        print("reforge: mke2fs stopped reading", flush=True)


def _end(path: Path) -> int:
    """Where the tar's members end and its closing zero blocks begin."""
    size = path.stat().st_size
    with path.open("rb") as file:
        while size >= tarfile.BLOCKSIZE:
            file.seek(size - tarfile.BLOCKSIZE)
            if file.read(tarfile.BLOCKSIZE).strip(b"\0"):
                break
            size -= tarfile.BLOCKSIZE
    return size


def _copy(source: IO[bytes], pipe: IO[bytes], length: int) -> None:
    while length > 0:
        chunk = source.read(min(length, 1024 * 1024))
        pipe.write(chunk)
        length -= len(chunk)


def _append(pipe: IO[bytes], wanted: Mapping[str, Any], rows: dict[str, layout.Partition]) -> None:
    """Add what only the disk knows: the mounts and the boot loader's configuration."""
    identity = wanted["identities"]["filesystem"]
    mounts = f"UUID={identity} / ext4 defaults,errors=remount-ro 0 1\n"
    if "swap" in rows:
        mounts += f"UUID={wanted['identities']['swap_area']} none swap sw 0 0\n"
    folder = Path("/build/extra")
    (folder / "boot/grub").mkdir(parents=True)
    (folder / "etc").mkdir()
    (folder / "etc/fstab").write_text(mounts, "utf-8")
    (folder / "boot/grub/grub.cfg").write_text(grub.configuration(identity, wanted["arguments"]), "utf-8")
    argv = ["tar", "--create", f"--directory={folder}", "--numeric-owner", "--owner=0", "--group=0", "--format=posix"]
    argv += [f"--mtime=@{wanted['epoch']}", "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime"]
    made = subprocess.run([*argv, "./boot/grub", "./etc/fstab"], capture_output=True, check=True)
    pipe.write(made.stdout)


def _swap(wanted: Mapping[str, Any], partition: layout.Partition) -> None:
    area = Path("/build/swap")
    with area.open("wb") as file:
        file.truncate(partition.size)
    command.run(["mkswap", "--quiet", "--uuid", wanted["identities"]["swap_area"], "--label", "swap", str(area)])
    with area.open("rb") as source, DISK.open("r+b") as disk:
        disk.seek(partition.offset)
        disk.write(source.read(_BLOCK))


if __name__ == "__main__":
    main()
