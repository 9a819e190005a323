"""The store's interface and its values; every kind of store keeps the same promises.

A blob is named by the sha256 of its bytes and is visible only when it is whole and safe on its medium.
Whatever takes long calls `stop` at each chunk of 4 MiB, which raises Stopped when the work shall end.
All methods raise InvalidInput for a name outside its grammar, NoSpace when the store is full,
StoreUnavailable when it can't be reached, MachineUnfit or StoreRefused when another try is pointless.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from blocks.model import Record

Stop = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Blob:
    """Stored bytes: their sha256 in hex and their size in bytes."""

    sha256: str
    size: int


Announce = Callable[[Blob], None]


def unheard(_blob: Blob) -> None:
    """Announce to nobody."""


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that isn't finished: its key, the bytes it holds so far, and when it started (UTC)."""

    key: str
    size: int
    started: datetime


@dataclass(frozen=True, slots=True)
class Damaged:
    """A record that can't be read: its place in the store, and what is wrong with it."""

    where: str
    reason: str


class Store(Protocol):
    """Blobs by sha256, records and logs by ticket and attempt."""

    def upload(
        self, source: Path, key: str, stop: Stop, *, expected: str | None = None, announce: Announce = unheard
    ) -> Blob:
        """Store a file, its holes kept; `key` (`ticket/attempt/file`) finds the upload again until it is finished.

        With `expected` the source must have that sha256 (else CorruptFile), and a blob that is there already is
        reused: the source is hashed, not copied. Without it the blob is written anew, which mends a damaged one.
        `announce` is told the blob, once, before the store has it: what it raises ends the upload.
        Whatever ends it early leaves nothing behind; Stopped also if another process aborts the key.
        """

    def put(self, data: bytes) -> Blob:
        """Store a small object that fits into memory."""

    def put_package(self, source: Path, sha256: str, stop: Stop | None = None) -> Blob:
        """Store a package file of known sha256, at once if it is there in the right size; raises CorruptFile."""

    def verify(self, sha256: str, size: int, stop: Stop) -> None:
        """Read a blob back; raises CorruptFile with what was expected and found, NotFound."""

    def open(self, sha256: str) -> BinaryIO:
        """A blob's bytes as a readable, seekable file; raises NotFound."""

    def has(self, sha256: str) -> bool:
        """Whether the blob is there."""

    def size(self, sha256: str) -> int:
        """A blob's size in bytes; raises NotFound."""

    def fetch(self, sha256: str, target: Path, stop: Stop) -> None:
        """Copy a blob to `target`, which appears whole and verified or not at all; raises CorruptFile, NotFound."""

    def remove(self, sha256: str) -> None:
        """Remove a blob; one that isn't there is no error."""

    def uri(self, sha256: str) -> str:
        """Where the blob is or would be."""

    def link(self, sha256: str, name: str, seconds: int) -> str | None:
        """A link for anybody, good for so long, under which the blob is downloaded as `name`; None without such.

        Raises InvalidInput for less than a second or more than a week.
        """

    def blobs(self) -> Iterator[Blob]:
        """All blobs, whether a record needs them or not."""

    def unfinished(self) -> tuple[Upload, ...]:
        """The uploads that are under way or were left behind, sorted by key and start."""

    def abort(self, key: str) -> None:
        """End and remove all uploads of the key, here and in other processes; none is no error."""

    def put_record(self, record: Record) -> None:
        """Store a generation's record as canonical JSON, in place of an earlier one of its attempt."""

    def records(self) -> Iterator[Record]:
        """Each ticket's record of its highest readable attempt, in the tickets' order; see `damaged` for the rest."""

    def damaged(self) -> Iterator[Damaged]:
        """The records that `records` has to skip."""

    def record(self, ticket: int) -> Record:
        """The ticket's record of its highest readable attempt; raises NotFound, CorruptFile if all are damaged."""

    def remove_record(self, ticket: int, attempt: int) -> None:
        """Remove one record; one that isn't there is no error."""

    def put_log(self, ticket: int, attempt: int, stage: str, lines: Iterable[str]) -> None:
        """Store a stage's log, compressed; equal lines give equal bytes. An open text file is such lines too."""

    def log(self, ticket: int, attempt: int, stage: str) -> str:
        """A stage's whole log; raises NotFound, CorruptFile."""

    def log_uri(self, ticket: int, attempt: int, stage: str) -> str:
        """Where a stage's log is or would be."""

    def logs(self) -> Iterator[tuple[int, int]]:
        """Ticket and attempt of all that have logs, each once, in no order: a listing of every log."""

    def remove_logs(self, ticket: int, attempt: int) -> None:
        """Remove the attempt's logs; none is no error."""

    def check(self) -> None:
        """List, write, read and remove; raises what hinders that, with what to do next."""
