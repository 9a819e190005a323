"""Files that are made once: of several processes that miss one at the same moment, all find the same."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def made_once(path: Path, content: str, mode: int = 0o644) -> str:
    """What the ASCII file says: the content, unless somebody made it before; whole and safe on its medium."""
    if not path.exists():
        _make(path, content, mode)
    return path.read_text("ascii")


def _make(path: Path, content: str, mode: int) -> None:
    partial = path.with_name(f"{path.name}-{uuid.uuid4().hex}")
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:  # noqa: PTH123 - a mode
            file.write(content.encode("ascii"))
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(partial)
    except FileExistsError:
        pass
    finally:
        partial.unlink(missing_ok=True)
