"""Checkpoints: a stage's output kept by its digest, on this machine, bounded, least recently used goes first.

An entry is a folder with the file `data` and its manifest; it becomes visible whole, by a rename. What is missing or
damaged counts as never made. An entry in use is held by a shared lock on its manifest, which trimming respects.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from blocks.builder import content, locks
from blocks.builder.job import Job
from blocks.model import StageName

_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Checkpoint:
    """A stage's output: its digest, the file, the file's content digest, the bytes it takes, and the stage's facts."""

    stage: StageName
    digest: str
    path: Path
    sha256: str
    size: int
    facts: Mapping[str, int] = field(default_factory=dict)


class Checkpoints:
    """A folder of checkpoints; `limit` in bytes on disk."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        (folder / "locks").mkdir(parents=True, exist_ok=True)

    def has(self, stage: StageName, digest: str) -> bool:
        """Whether there is an entry, unverified."""
        return (self._entry(stage, digest) / _MANIFEST).exists()

    def find(self, stage: StageName, digest: str, job: Job) -> Checkpoint | None:
        """The entry if it is there and its bytes are right; a damaged one is removed."""
        found = self._read(stage, digest)
        if found is None:
            return None
        if not found.path.exists() or content.sparse_sha256(found.path, job.stop.check) != found.sha256:
            job.report(f"The checkpoint of the stage {stage} is damaged: it is made again")
            self._remove(found.path.parent)
            return None
        os.utime(found.path.parent)
        return found

    @contextlib.contextmanager
    def held(self, checkpoint: Checkpoint) -> Iterator[Checkpoint]:
        """Keep the entry from being trimmed while it is read; raises FileNotFoundError if it is gone already."""
        manifest = checkpoint.path.parent / _MANIFEST
        with manifest.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            if not manifest.exists() or not os.path.samestat(manifest.stat(), os.fstat(file.fileno())):
                raise FileNotFoundError(f"{manifest} was removed meanwhile")
            yield checkpoint

    @contextlib.contextmanager
    def building(self, digest: str, job: Job) -> Iterator[None]:
        """Be the only one on this machine who makes `digest`; whoever else wants it waits, and looks again."""
        with locks.exclusive(self._folder / "locks" / f"{digest}.lock", job):
            yield

    def keep(
        self, stage: StageName, digest: str, make: Callable[[Path], Mapping[str, int]], job: Job
    ) -> tuple[Checkpoint, Path]:
        """Let `make` write the file `data` into a folder and give it as a finished, still invisible entry."""
        partial = self._unfinished()
        partial.mkdir()
        with contextlib.ExitStack() as unfinished:
            unfinished.callback(shutil.rmtree, partial, ignore_errors=True)
            facts = dict(make(partial))
            path = partial / "data"
            sha256, size = content.sparse_sha256(path, job.stop.check), path.stat().st_blocks * 512
            manifest = {"sha256": sha256, "size": size, "facts": facts}
            (partial / _MANIFEST).write_text(json.dumps(manifest), "utf-8")
            unfinished.pop_all()
        return Checkpoint(stage, digest, path, sha256, size, facts), partial

    def publish(self, made: Checkpoint, partial: Path) -> Checkpoint:
        """Make a finished entry visible, unless one is there already: the first stays."""
        entry = self._entry(made.stage, made.digest)
        entry.parent.mkdir(exist_ok=True)
        try:
            partial.rename(entry)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            shutil.rmtree(partial)
        self.trim()
        return self._read(made.stage, made.digest) or made

    def trim(self) -> int:
        """Remove the entries used longest ago until all fit the limit; returns the bytes removed."""
        entries = sorted(_used(path.parent) for path in self._folder.glob(f"*/*/{_MANIFEST}"))
        excess = sum(size for _, size, _ in entries) - self._limit
        removed = 0
        for _, size, entry in entries[:-1]:
            if removed >= excess:
                break
            if _free(entry / _MANIFEST):
                self._remove(entry)
                removed += size
        return removed

    def sweep(self, alive: Callable[[int], bool]) -> tuple[str, ...]:
        """Remove what crashed processes left half made; returns the names of the folders removed."""
        dead = [path for path in self._folder.glob("partial-*") if not alive(int(path.name.split("-")[1]))]
        for path in dead:
            shutil.rmtree(path, ignore_errors=True)
        return tuple(path.name for path in dead)

    def _unfinished(self) -> Path:
        return self._folder / f"partial-{os.getpid()}-{uuid.uuid4().hex}"

    def _remove(self, entry: Path) -> None:
        """Make an entry invisible at once, then remove it."""
        doomed = self._unfinished()
        with contextlib.suppress(FileNotFoundError):
            entry.rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)

    def _entry(self, stage: StageName, digest: str) -> Path:
        return self._folder / stage / digest

    def _read(self, stage: StageName, digest: str) -> Checkpoint | None:
        entry = self._entry(stage, digest)
        try:
            manifest = json.loads((entry / _MANIFEST).read_text("utf-8"))
            return Checkpoint(stage, digest, entry / "data", manifest["sha256"], manifest["size"], manifest["facts"])
        except (OSError, ValueError, KeyError, TypeError):
            self._remove(entry)
            return None


def _used(entry: Path) -> tuple[float, int, Path]:
    """When an entry was last used and the bytes it takes; what is being removed counts as nothing."""
    try:
        return entry.stat().st_mtime, sum(path.stat().st_blocks * 512 for path in entry.iterdir()), entry
    except FileNotFoundError:
        return 0.0, 0, entry


def _free(manifest: Path) -> bool:
    try:
        with manifest.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
