"""The stage rootfs, as it runs inside the sandbox: packages, install profile, initrd, cleaning, one tar."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from blocks.builder.programs import bootstrap, cleaning, command, initrd, mounts, profile

TARGET = Path("/output/rootfs.tar")


def main() -> None:
    """Read the specification from standard input and make the tree's tar."""
    specification = json.load(sys.stdin)
    os.umask(0o022)
    epoch = specification["epoch"]
    os.environ["SOURCE_DATE_EPOCH"] = str(epoch)
    tell = _Clock()
    mounts.protect_devices()
    bootstrap.install(specification)
    tell("packages installed")
    with mounts.kernel_files(bootstrap.ROOT):
        profile.apply(bootstrap.ROOT, specification)
        tell("install profile applied")
        initrd.make(bootstrap.ROOT)
        tell("initrd made")
    cleaning.clean(bootstrap.ROOT, epoch)
    pack(bootstrap.ROOT, epoch)
    tell("tree packed")


class _Clock:
    """Tells what is done, with the seconds since the beginning."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, done: str) -> None:
        print(f"reforge: {done} after {time.monotonic() - self._began:.1f} s", flush=True)


def pack(root: Path, epoch: int) -> None:
    """Write the tree as a tar: sorted, owners by number, no time later than `epoch`, with extended attributes."""
    argv = ["tar", "--create", f"--file={TARGET}", f"--directory={root}", "--sort=name", "--numeric-owner"]
    argv += [f"--mtime=@{epoch}", "--clamp-mtime", "--format=posix", "--xattrs", "--xattrs-include=*"]
    argv += ["--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime", "--exclude=./dev/*", "."]
    command.run(argv)


if __name__ == "__main__":
    main()
