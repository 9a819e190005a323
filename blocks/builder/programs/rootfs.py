"""The stage rootfs, as it runs inside the sandbox: packages, install profile, initrd, cleaning, one tar."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from blocks.builder.programs import bootstrap, cleaning, command, initrd, profile

TARGET = Path("/output/rootfs.tar")


def main() -> None:
    """Read the specification from standard input and make the tree's tar."""
    specification = json.load(sys.stdin)
    os.umask(0o022)
    epoch = specification["epoch"]
    os.environ["SOURCE_DATE_EPOCH"] = str(epoch)
    steps: dict[str, Callable[[], None]] = {
        "installing packages": lambda: bootstrap.install(specification),
        "applying the install profile": lambda: profile.apply(bootstrap.ROOT, specification),
        "making the initrd": lambda: initrd.make(bootstrap.ROOT),
        "removing traces": lambda: cleaning.clean(bootstrap.ROOT, epoch),
        "packing the tree": lambda: pack(bootstrap.ROOT, epoch),
    }
    began = time.monotonic()
    for name, step in steps.items():
        print(f"reforge: {name}", flush=True)
        step()
        print(f"reforge: {name}: done after {time.monotonic() - began:.1f} s", flush=True)


def pack(root: Path, epoch: int) -> None:
    """Write the tree as a tar: sorted, owners by number, no time later than `epoch`, with extended attributes."""
    argv = ["tar", "--create", f"--file={TARGET}", f"--directory={root}", "--sort=name", "--numeric-owner"]
    argv += [f"--mtime=@{epoch}", "--clamp-mtime", "--format=posix", "--xattrs", "--xattrs-include=*"]
    argv += ["--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime", "--exclude=./dev/*", "."]
    command.run(argv)


if __name__ == "__main__":
    main()
