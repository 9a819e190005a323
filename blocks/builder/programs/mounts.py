"""Device nodes and /proc for programs that run inside the tree, and gone before the tree is packed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from blocks.builder.programs import command

_FOLDERS = ("dev", "proc")


@contextlib.contextmanager
def kernel_files(root: Path) -> Iterator[None]:
    """Have the sandbox's own /dev and /proc in the tree."""
    for name in _FOLDERS:
        command.run(["mount", "--rbind", f"/{name}", str(root / name)])
    try:
        yield
    finally:
        for name in reversed(_FOLDERS):
            command.run(["umount", "--recursive", str(root / name)])
