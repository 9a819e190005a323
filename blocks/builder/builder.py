"""The builder: resolves recipes and runs stages on this machine, below one home folder.

A stage whose digest is known already is looked up, here and then in the library, not run. With `rebuild` it is run all
the same and must arrive at the same bytes: the first output of a digest owns it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import psutil

from blocks.builder import changelog, parcel, sandbox, space
from blocks.builder.archive import Archive
from blocks.builder.checkpoints import Checkpoint, Checkpoints
from blocks.builder.job import Job
from blocks.builder.library import Library, Shared
from blocks.builder.order import Order, Workshop
from blocks.builder.pool import Keeper, Pool
from blocks.builder.process import ProgramFailed
from blocks.builder.space import Space
from blocks.builder.stages import disk, pack, rootfs
from blocks.builder.stages.resolve import Resolution, resolve
from blocks.builder.toolbox import Toolbox
from blocks.errors import Contradiction, CorruptFile, NotFound, StageFailed, Unreproducible
from blocks.model import Lock, PackageChanges, Recipe, StageName, StageResult

STAGES: tuple[StageName, ...] = ("rootfs", "disk", "pack")
_INDEXES = 256
_GROWTH = 16
_TRIES = 3


@dataclass(frozen=True)
class Built:
    """A finished stage: its result, the checkpoint that holds its output, and the output's sha256 if it is stored."""

    result: StageResult
    checkpoint: Checkpoint
    stored: str | None = None


class Builder:
    """Builds below `home`: `cache/` (apt, pool, tools, index, checkpoints), `work/` and `reservations/`."""

    def __init__(
        self,
        home: Path,
        *,
        cache_limit: int,
        pool_limit: int,
        keeper: Keeper | None = None,
        library: Library | None = None,
        tmpfs: bool = True,
    ) -> None:
        cache = home / "cache"
        self._work = home / "work"
        self._index = cache / "index"
        for folder in (cache, self._work):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._index.mkdir(exist_ok=True)
        self._archive = Archive(cache / "apt")
        self._pool = Pool(cache / "pool", pool_limit)
        self._toolbox = Toolbox(cache / "tools")
        self._checkpoints = Checkpoints(cache / "checkpoints", cache_limit)
        self._space = Space(home / "reservations")
        self._keeper = keeper
        self._library = library
        self._tmpfs = tmpfs

    @space.translated("Resolving the packages")
    def resolve(self, recipe: Recipe, parent: Lock | None, job: Job) -> Resolution:
        """The recipe's lock in the archive's present state; its index object is kept for the stage rootfs."""
        resolution = resolve(recipe, parent, self._archive, job)
        partial = self._index / f"partial-{os.getpid()}-{uuid.uuid4().hex}"
        partial.write_bytes(resolution.index)
        partial.rename(self._index / resolution.lock.index)
        for old in sorted(self._index.iterdir(), key=lambda path: path.stat().st_mtime)[:-_INDEXES]:
            old.unlink(missing_ok=True)
        return resolution

    def index(self, lock: Lock) -> bytes | None:
        """The lock's index object, if this machine or the store has it."""
        path = self._index / lock.index
        if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() != lock.index:
            path.unlink()
        if not path.exists() and self._keeper is not None and self._keeper.has(lock.index):
            with contextlib.suppress(NotFound, CorruptFile):
                self._keeper.fetch(lock.index, path, lambda: None)
        return path.read_bytes() if path.exists() else None

    def has(self, stage: StageName, digest: str) -> bool:
        """Whether the stage's output is there, here or in the library, unverified."""
        return self._checkpoints.has(stage, digest) or self._shared(digest) is not None

    def package(self, lock: Lock) -> Iterator[tuple[str, Path]]:
        """The lock's package files in the pool, as sha256 and path."""
        for package in (*lock.packages, *lock.tools):
            if self._pool.has(package):
                yield package.sha256, self._pool.path(package)

    def explained(self, recipe: Recipe, lock: Lock, changes: PackageChanges, job: Job) -> PackageChanges:
        """The changes with what the upgrades fix, by the changelogs of the new package files, which are fetched."""
        by_name = {package.name: package for package in lock.packages}
        workshop = self._workshop(Order(recipe, lock, "changelogs"))

        def find(name: str) -> Path | None:
            if (package := by_name.get(name)) is None:
                return None
            workshop.have((package,), job)
            return self._pool.path(package)

        with self._pool.used():
            workshop.have([by_name[change.name] for change in changes.upgraded], job)
            return changes.model_copy(update={"upgraded": changelog.explained(changes.upgraded, find)})

    def find(self, stage: StageName, order: Order, job: Job) -> Built | None:
        """The stage's output if it need not be made: this machine has it, or another has left it in the library."""
        began = time.monotonic()
        name = identities(order.recipe, order.lock)[stage]
        if not self.has(stage, name):
            return None
        with self._checkpoints.building(name, job):
            found = self._checkpoints.find(stage, name, job) or self._bring(name, job)
        return None if found is None else _built(found, time.monotonic() - began, reused=True)

    @contextlib.contextmanager
    def parcelled(self, built: Built, order: Order, job: Job) -> Iterator[Path]:
        """The stage's output as one file for the library, gone afterwards; raises NotFound if it was trimmed already.

        An output that is compressed is its own parcel.
        """
        before = built.checkpoint
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self._checkpoints.held(before))
            except FileNotFoundError:
                raise NotFound(f"The cache has dropped the output of the stage {before.stage}") from None
            if before.stage == "pack" and pack.packing(order.recipe).compression != "none":
                yield before.path
                return
            path = stack.enter_context(self._workplace(order, before.size, job)) / "parcel"
            parcel.pack(before.path, path, job.stop.check)
            yield path

    @contextlib.contextmanager
    def _workplace(self, order: Order, need: int, job: Job) -> Iterator[Path]:
        """Reserve disk space in bytes and have a work folder for the order, both gone afterwards."""
        folder = self._work / order.name
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._space.reserved(need))
            stack.callback(job.released, f"reservation of {need / 1e9:.1f} GB of disk space")
            folder.mkdir(parents=True, exist_ok=True)
            stack.callback(job.released, f"work folder {order.name}")
            stack.callback(sandbox.remove, folder, job)
            yield folder

    def sweep(self, dead: Callable[[str], bool], job: Job) -> tuple[str, ...]:
        """Remove what dead processes left: work folders whose order's name is `dead`, half-made entries."""
        left = [folder for folder in self._work.iterdir() if dead(folder.name)]
        for folder in left:
            sandbox.remove(folder, job)
        partial = (*self._checkpoints.sweep(psutil.pid_exists), *self._pool.sweep(psutil.pid_exists))
        self._space.held()
        return (
            *(f"work folder {folder.name}" for folder in left),
            *(f"half-made entry {name}" for name in partial),
        )

    @space.translated("Building")
    def run(self, stage: StageName, order: Order, job: Job, expected: str | None = None) -> Built:
        """Have the stage's output: looked up, or made from the output of the stage before.

        `expected` is the content digest first recorded for it. Raises StageFailed with the end of the tool's log,
        Unreproducible, NoSpace, NoSandbox, NoProgram, or the stage's own errors.
        """
        began = time.monotonic()
        name = identities(order.recipe, order.lock)[stage]
        with self._checkpoints.building(name, job):
            found = self._checkpoints.find(stage, name, job)
            if found is None and not order.rebuild:
                found = self._bring(name, job)
            if found is None or order.rebuild:
                sandbox.check(job)
                need = _GROWTH * sum(package.size for package in (*order.lock.packages, *order.lock.tools))
                with self._source(stage, order, job) as source, self._workplace(order, need, job), self._pool.used():
                    maker = self._maker(stage, name, order, source, job)
                    made = self._settle(*self._checkpoints.keep(stage, name, maker, job), found, expected)
                self._pool.trim((*order.lock.packages, *order.lock.tools))
                return _built(made, time.monotonic() - began, reused=False)
        return _built(found, time.monotonic() - began, reused=True)

    def _shared(self, name: str) -> Shared | None:
        return None if self._library is None else self._library.find(name)

    def _bring(self, name: str, job: Job) -> Checkpoint | None:
        """Have what the library has for a digest as if it were made here; None, and dropped there, if it is damaged."""
        shared = self._shared(name)
        if shared is None or self._library is None:
            return None
        job.report(f"Fetching the stage {shared.stage} from the store, {shared.size / 1e6:.1f} MB")
        with contextlib.suppress(NotFound, CorruptFile), self._space.reserved(shared.size + shared.content_size):
            made, partial = self._checkpoints.keep(shared.stage, name, self._opener(shared, self._library, job), job)
            if made.sha256 == shared.content:
                return self._checkpoints.publish(made, partial)
            shutil.rmtree(partial)
        job.report(f"The store's copy of the stage {shared.stage} is damaged: it is made again")
        self._library.drop(shared)
        return None

    @staticmethod
    def _opener(shared: Shared, library: Library, job: Job) -> Callable[[Path], Mapping[str, int]]:
        def make(folder: Path) -> Mapping[str, int]:
            library.fetch(shared, folder / "parcel", job.stop.check)
            parcel.unpack(folder / "parcel", folder / "data", job.stop.check)
            (folder / "parcel").unlink(missing_ok=True)
            return shared.facts

        return make

    def _settle(self, made: Checkpoint, partial: Path, first: Checkpoint | None, expected: str | None) -> Checkpoint:
        """Publish what was made, if it has the bytes that were made before."""
        if {first.sha256 if first else made.sha256, expected or made.sha256} != {made.sha256}:
            told = difference(first.path, made.path) if first else f"content {made.sha256} now, {expected} then"
            shutil.rmtree(partial)
            raise Unreproducible(
                f"The stage {made.stage} gave other bytes than before: {told}",
                "Something in the recipe depends on chance, time or the outside, most likely a build script",
            )
        return self._checkpoints.publish(made, partial)

    def _maker(
        self, stage: StageName, name: str, order: Order, source: Checkpoint | None, job: Job
    ) -> Callable[[Path], Mapping[str, int]]:
        workshop = self._workshop(order)

        def make(output: Path) -> Mapping[str, int]:
            try:
                if source is None:
                    return rootfs.build(order, workshop, output, job)
                if stage == "disk":
                    return disk.build(order, name, source, workshop, output, job)
                return pack.build(order, source, workshop, output, job)
            except ProgramFailed as error:
                raise StageFailed(
                    f"The stage {stage} failed: {' | '.join(error.tail[-5:])}", "The stage's log has all of it"
                ) from error

        return make

    @contextlib.contextmanager
    def _source(self, stage: StageName, order: Order, job: Job) -> Iterator[Checkpoint | None]:
        """Hold the output of the stage before, made again if it has gone missing; a rebuild has made it already."""
        if stage == "rootfs":
            yield None
            return
        again = Order(order.recipe, order.lock, order.name)
        with contextlib.ExitStack() as stack:
            for _ in range(_TRIES):
                before = self.run(STAGES[STAGES.index(stage) - 1], again, job).checkpoint
                with contextlib.suppress(FileNotFoundError):
                    stack.enter_context(self._checkpoints.held(before))
                    break
            else:
                raise Contradiction("The cache drops each stage's output at once", "Raise the limit of the cache")
            yield before

    def _workshop(self, order: Order) -> Workshop:
        profile = order.recipe.os_profile
        return Workshop(
            work=self._work,
            index=self._index,
            pool=self._pool,
            toolbox=self._toolbox,
            checkpoints=self._checkpoints,
            keeper=self._keeper,
            fetch=self._archive.fetcher(profile),
            stanzas=lambda job: self._archive.stanzas(profile, order.lock.packages, job),
            tmpfs=self._tmpfs,
        )


def identities(recipe: Recipe, lock: Lock) -> dict[StageName, str]:
    """The digest of every stage after resolve."""
    first = rootfs.identity(recipe, lock)
    second = disk.identity(recipe, first)
    return {"rootfs": first, "disk": second, "pack": pack.identity(recipe, second)}


def difference(first: Path, second: Path) -> str:
    """In words, what differs between two outputs of one stage: the members of a tar, or sizes."""
    if not (tarfile.is_tarfile(first) and tarfile.is_tarfile(second)):
        return f"{first.stat().st_size} bytes then, {second.stat().st_size} bytes now, contents differ"
    before, after = _members(first), _members(second)
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return f"{len(names)} files differ: {', '.join(names[:10])}"


def _members(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    with tarfile.open(path) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isfile() else None
            reader = cast("io.BufferedReader", file)
            data = hashlib.file_digest(reader, "sha256").hexdigest() if file else member.linkname
            own = f"{member.type!r} {member.mode} {member.uid} {member.gid} {member.mtime}"
            found[member.name] = f"{own} {sorted(member.pax_headers.items())} {data}"
    return found


def _built(checkpoint: Checkpoint, seconds: float, *, reused: bool) -> Built:
    result = StageResult(
        name=checkpoint.stage,
        digest=checkpoint.digest,
        sha256=checkpoint.sha256,
        size=checkpoint.size,
        seconds=round(seconds, 3),
        reused=reused,
    )
    return Built(result, checkpoint)
