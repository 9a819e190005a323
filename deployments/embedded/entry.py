"""`server.json`: which process serves this home, written before that process begins to serve."""

from __future__ import annotations

from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

HOST = "127.0.0.1"
_CLOCK_TOLERANCE = 2.0


class Entry(BaseModel):
    """A server's process (id and start time, so that a reused id is not mistaken for it) and its port."""

    model_config = ConfigDict(frozen=True)

    pid: int
    started: float
    port: int

    @property
    def address(self) -> str:
        """The API's URL."""
        return f"http://{HOST}:{self.port}/api"

    def process(self) -> psutil.Process | None:
        """The living process that was entered, or None if it ended, whoever bears its id now."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < _CLOCK_TOLERANCE
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def read(home: Path) -> Entry | None:
    """The home's entry, or None if there is none or it makes no sense."""
    try:
        return Entry.model_validate_json(_path(home).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def write(home: Path, entry: Entry) -> None:
    """Put the entry in place, whole or not at all."""
    draft = _path(home).with_suffix(".json.new")
    draft.write_text(entry.model_dump_json(), encoding="utf-8")
    draft.replace(_path(home))


def remove(home: Path) -> None:
    """Take the entry away."""
    _path(home).unlink(missing_ok=True)


def _path(home: Path) -> Path:
    return home / "server.json"
