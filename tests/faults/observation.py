"""The harness's side of the observer: stops are armed and awaited, and the journal of all stages is read."""

from __future__ import annotations

import itertools
import json
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.waiting import wait_until

OBSERVER = Path(__file__).parent / "observer"


@dataclass(frozen=True)
class Entry:
    """One event of the journal; `time` in Unix seconds."""

    time: float
    pid: int
    ticket: int
    attempt: int
    stage: str
    point: str


@dataclass(frozen=True)
class Stop:
    """A stop that is armed: a process that comes there stands still, until it is told to go on or killed."""

    folder: Path
    name: str

    def await_process(self, seconds: float = 300) -> Entry:
        """Who came there and stands still now."""
        note = self.folder / "stopped" / self.name
        wait_until(note.exists, f"a process comes to {self.name}", seconds)
        entry = Entry(**json.loads(note.read_text("utf-8")))
        wait_until(lambda: stands(entry.pid), f"process {entry.pid} stands still", 10)
        return entry

    def met(self) -> bool:
        """Whether a process came there."""
        return (self.folder / "stopped" / self.name).exists()

    def disarm(self) -> bool:
        """Let whoever comes there pass; False if a process stands still there, or is just about to."""
        for part in ("armed", "claimed"):
            with suppress(FileNotFoundError):
                (self.folder / part / self.name).unlink()
                return True
        return False


class Observation:
    """A folder that the processes of an installation share with the harness."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._names = itertools.count(1)
        for part in ("armed", "claimed", "stopped"):
            (folder / part).mkdir(parents=True)
        (folder / "journal").touch()

    def environment(self) -> Mapping[str, str]:
        """What a process must be told to be observed, with all that it starts."""
        path = [str(OBSERVER), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {"FAULTS_FOLDER": str(self.folder), "PYTHONPATH": ":".join(path)}

    def arm(
        self, stage: str, point: str = "begin", *, nth: int = 1, after: float = 0, ticket: int | None = None
    ) -> Stop:
        """Have the first process that comes to that point (for the nth time, and so many seconds later) stand still."""
        name = f"{next(self._names):04}-{stage}-{point}"
        wanted = {"stage": stage, "point": point, "nth": nth, "after": after, "ticket": ticket}
        partial = self.folder / f"{name}.partial"
        partial.write_text(json.dumps(wanted), "utf-8")
        partial.rename(self.folder / "armed" / name)
        return Stop(self.folder, name)

    def journal(self, ticket: int) -> list[Entry]:
        """What happened in the ticket's attempts, oldest first."""
        lines = (self.folder / "journal").read_text("utf-8").splitlines()
        return [entry for line in lines if (entry := Entry(**json.loads(line))).ticket == ticket]


def stands(pid: int) -> bool:
    """Whether the process stands still (or is gone)."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return True


def go_on(pid: int) -> None:
    """Let a process that stands still go on, if it is still there."""
    if psutil.pid_exists(pid):
        os.kill(pid, signal.SIGCONT)
