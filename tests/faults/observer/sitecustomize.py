"""Found by every Python process of the installation under test: its journal of stages, and its stops at named points.

The folder that `FAULTS_FOLDER` names holds `journal`, a line of JSON for each event `reforge.stage`, and `armed/`, a
file of JSON for each stop: `stage`, `point`, and optionally `ticket`, `nth` (of the process, from 1) and `after`
(seconds). Whoever comes there claims the stop by a rename, writes who it is into `stopped/`, and stops itself with
SIGSTOP. Without the variable nothing is done.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path


class Observer:
    """What one process does at its events."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._met: Counter[str] = Counter()

    def hear(self, event: str, arguments: tuple[object, ...]) -> None:
        """Take an audit event; what goes wrong here is never the product's matter."""
        if event == "reforge.stage":
            with suppress(OSError, ValueError):
                ticket, attempt, stage, point = arguments
                self._at({"ticket": ticket, "attempt": attempt, "stage": stage, "point": point})

    def _at(self, where: dict[str, object]) -> None:
        entry = {"time": time.time(), "pid": os.getpid(), **where}
        with (self._folder / "journal").open("ab", buffering=0) as journal:
            journal.write(f"{json.dumps(entry)}\n".encode())
        for path in sorted((self._folder / "armed").iterdir()):
            with suppress(FileNotFoundError):  # another process was there first
                self._consider(path, json.loads(path.read_text("utf-8")), entry)

    def _consider(self, path: Path, armed: dict[str, float], entry: dict[str, object]) -> None:
        if any(armed[name] != entry[name] for name in ("stage", "point", "ticket") if armed.get(name) is not None):
            return
        self._met[path.name] += 1
        if self._met[path.name] >= armed.get("nth", 1):
            path.rename(self._folder / "claimed" / path.name)
            later = threading.Timer(armed.get("after", 0), self._stop, (path.name, entry))
            later.daemon = True
            later.start() if armed.get("after") else self._stop(path.name, entry)

    def _stop(self, name: str, entry: dict[str, object]) -> None:
        claimed, partial = self._folder / "claimed" / name, self._folder / f"{name}.claimed"
        with suppress(FileNotFoundError):  # it was disarmed meanwhile
            claimed.rename(partial)
            partial.write_text(json.dumps(entry), "utf-8")
            partial.rename(self._folder / "stopped" / name)
            os.kill(os.getpid(), signal.SIGSTOP)


def _run_hidden() -> None:
    """Run the sitecustomize that this one stands before, if the interpreter has one of its own."""
    here = Path(__file__).parent
    others = [path for path in sys.path if Path(path or ".").resolve() != here]
    hidden = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if hidden is not None and hidden.loader is not None:
        hidden.loader.exec_module(importlib.util.module_from_spec(hidden))


_run_hidden()
if folder := os.environ.get("FAULTS_FOLDER"):
    sys.addaudithook(Observer(Path(folder)).hear)
