"""Our block types in the server's catalogue: registered by the server itself when it starts, and anew when they change.

Prefect remembers in a file which block classes it registered, by their names: a changed field would go unnoticed. So
the file is named after the source of our blocks, and a server with other blocks, or with a new database, has none yet.
"""

from __future__ import annotations

from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import blocks

_ROOM = Path(blocks.__file__).parent
_SOURCES = ("collection.py", "settings.py", "*/block.py")


def memo(folder: Path, room: Path = _ROOM) -> Path:
    """The file in which the server of this Prefect home remembers what it registered; outdated ones are removed."""
    path = folder / f"memo-{_digest(room)}.toml"
    is_new = not (folder / "prefect.db").exists()
    for old in folder.glob("memo-*.toml"):
        if is_new or old != path:
            old.unlink(missing_ok=True)
    return path


def _digest(room: Path) -> str:
    sources = sorted(path for pattern in _SOURCES for path in room.glob(pattern))
    texts = [version("prefect"), version("pydantic"), *(path.read_text("utf-8") for path in sources)]
    return sha256("\0".join(texts).encode()).hexdigest()[:16]
