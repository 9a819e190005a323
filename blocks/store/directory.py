"""The store in a folder of this machine, or of a file server.

    blobs/sha256/ab/<sha256>
    records/<ticket>/<attempt>.json
    logs/<ticket>/<attempt>/<stage>.log.gz
    uploads/<ticket>,<attempt>,<file>,<start>,<token>

Everything is written below `uploads/` first, under a name of its own, brought safely to the medium, and then
renamed to its place. So a crash leaves either nothing or an unfinished upload, which `unfinished` lists and
`abort` removes; and two uploads never touch each other's file.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Self

from blocks.errors import CorruptFile, InvalidInput, NotFound, Stopped, StoreUnavailable
from blocks.store import names
from blocks.store.content import settle, settle_folder, transfer
from blocks.store.documents import Documents
from blocks.store.faults import translated
from blocks.store.source import MEND, go_on, opened, same
from blocks.store.store import Announce, Blob, Stop, Upload, unheard


class DirectoryStore(Documents):
    """Store over the folder `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def at(cls, root: Path) -> Self:
        """The store in `root`; a new folder is readable by its owner alone."""
        with translated(f"Opening the store {root}", root):
            if not root.is_dir():
                root.parent.mkdir(parents=True, exist_ok=True)
                root.mkdir(mode=0o700, exist_ok=True)
        return cls(root)

    def upload(
        self, source: Path, key: str, stop: Stop, *, expected: str | None = None, announce: Announce = unheard
    ) -> Blob:
        """See Store."""
        names.key(key)
        with translated(f"Storing {source}", self.root), opened(source) as file:
            size = os.fstat(file.fileno()).st_size
            known = None if expected is None else Blob(expected, size)
            if known is not None:
                announce(known)
                if self._holds(known):
                    return same(source, transfer(file, None, stop), known.sha256)
            return self._store(file, key, stop, known, announce)

    def put(self, data: bytes) -> Blob:
        """See Store."""
        blob = Blob(hashlib.sha256(data).hexdigest(), len(data))
        if not self._holds(blob):
            self._write(names.blob(blob.sha256), data)
        return blob

    def put_package(self, source: Path, sha256: str, stop: Stop | None = None) -> Blob:
        """See Store."""
        with translated(f"Storing {source}", self.root), opened(source) as file:
            blob = Blob(sha256, os.fstat(file.fileno()).st_size)
            return blob if self._holds(blob) else self._store(file, names.blob(sha256), stop or go_on, blob)

    def verify(self, sha256: str, size: int, stop: Stop) -> None:
        """See Store."""
        with translated(f"Verifying {self._blob(sha256)}", self.root), self._opened_blob(sha256) as file:
            actual = os.fstat(file.fileno()).st_size
            if actual == size:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # read the medium, not the memory
                same(self._blob(sha256), transfer(file, None, stop), sha256)
                return
        raise CorruptFile(f"{self._blob(sha256)} has {actual} bytes, expected {size}", MEND)

    def open(self, sha256: str) -> BinaryIO:
        """See Store."""
        with translated(f"Opening {self._blob(sha256)}", self.root), self._named(sha256):
            return self._blob(sha256).open("rb")

    def has(self, sha256: str) -> bool:
        """See Store."""
        try:
            self.size(sha256)
        except NotFound:
            return False
        return True

    def size(self, sha256: str) -> int:
        """See Store."""
        with translated(f"Looking for {self._blob(sha256)}", self.root), self._named(sha256):
            return self._blob(sha256).stat().st_size

    def fetch(self, sha256: str, target: Path, stop: Stop) -> None:
        """See Store."""
        if not target.parent.is_dir():
            raise InvalidInput(f"The folder {target.parent} for {target.name} isn't there", "Make it, and try again")
        partial = target.with_name(f".{secrets.token_hex(8)}.partial")
        with translated(f"Fetching {sha256} to {target}", target.parent), self._opened_blob(sha256) as source:
            try:
                with partial.open("xb") as file:
                    same(self._blob(sha256), transfer(source, file, stop), sha256)
                    settle(file)
                partial.replace(target)
                settle_folder(target.parent)
            finally:
                partial.unlink(missing_ok=True)

    def remove(self, sha256: str) -> None:
        """See Store."""
        self._delete(names.blob(sha256))

    def uri(self, sha256: str) -> str:
        """See Store."""
        return self._blob(sha256).absolute().as_uri()

    def link(self, sha256: str, name: str, seconds: int) -> None:
        """See Store: a folder has no links."""
        del sha256, name, seconds

    def blobs(self) -> Iterator[Blob]:
        """See Store."""
        for prefix in self._children("blobs/sha256"):
            for name in self._children(f"blobs/sha256/{prefix}"):
                with suppress(NotFound, InvalidInput):  # removed meanwhile, or not ours
                    yield Blob(name, self.size(name))

    def unfinished(self) -> tuple[Upload, ...]:
        """See Store."""
        found = []
        for name in self._children("uploads"):
            parsed = names.parse_upload(name)
            if parsed is not None:
                with translated("Listing unfinished uploads", self.root), suppress(FileNotFoundError):
                    found.append(Upload(parsed[0], (self.root / "uploads" / name).stat().st_size, parsed[1]))
        return tuple(sorted(found, key=lambda upload: (upload.key, upload.started)))

    def abort(self, key: str) -> None:
        """See Store."""
        names.key(key)
        for name in self._children("uploads"):
            parsed = names.parse_upload(name)
            if parsed is not None and parsed[0] == key:
                self._delete(f"uploads/{name}")

    def _uri(self, name: str) -> str:
        return (self.root / name).absolute().as_uri()

    def _write(self, name: str, data: bytes) -> None:
        with translated(f"Storing {name}", self.root), self._unfinished(name) as file:
            file.write(data)
            self._publish(file, name)

    def _read(self, name: str) -> bytes:
        with translated(f"Reading {name}", self.root):
            try:
                return (self.root / name).read_bytes()
            except FileNotFoundError:
                raise self._missing(name) from None

    def _children(self, name: str) -> list[str]:
        with translated(f"Listing {name}", self.root):
            try:
                return sorted(entry.name for entry in (self.root / name).iterdir())
            except (FileNotFoundError, NotADirectoryError):
                self._require_root()
                return []

    def _delete(self, name: str) -> None:
        path = self.root / name
        with translated(f"Removing {name}", self.root):
            try:
                path.unlink()
                settle_folder(path.parent)
            except FileNotFoundError:
                self._require_root()
            with suppress(OSError):  # not empty, or gone
                for folder in path.relative_to(self.root).parents[:-2]:
                    (self.root / folder).rmdir()

    def _store(self, source: FileIO, key: str, stop: Stop, known: Blob | None, announce: Announce = unheard) -> Blob:
        with self._unfinished(key) as file:
            blob = transfer(source, file, lambda: _proceed(file, stop))
            if known is None:
                announce(blob)
            else:
                same(Path(source.name), blob, known.sha256)
            self._publish(file, names.blob(blob.sha256))
        return blob

    @contextmanager
    def _unfinished(self, key: str) -> Iterator[BinaryIO]:
        path = self._folder("uploads") / names.upload(key, datetime.now(UTC), secrets.token_hex(8))
        try:
            with path.open("xb") as file:
                yield file
        finally:
            path.unlink(missing_ok=True)

    def _publish(self, file: BinaryIO, name: str) -> None:
        settle(file)
        while True:
            try:
                folder = self._folder(name.rpartition("/")[0])
                Path(file.name).replace(self.root / name)
            except FileNotFoundError:  # aborted, or the folder was empty and went away just now
                _require_linked(file)
                continue
            return settle_folder(folder)

    def _folder(self, name: str) -> Path:
        self._require_root()
        path = self.root
        for part in name.split("/"):
            above, path = path, path / part
            if not path.is_dir():
                path.mkdir(exist_ok=True)
                settle_folder(above)
        return path

    def _blob(self, sha256: str) -> Path:
        return self.root / names.blob(sha256)

    def _holds(self, blob: Blob) -> bool:
        try:
            return self.size(blob.sha256) == blob.size
        except NotFound:
            return False

    @contextmanager
    def _opened_blob(self, sha256: str) -> Iterator[FileIO]:
        with self._named(sha256):
            file = FileIO(self._blob(sha256))
        with file:
            yield file

    @contextmanager
    def _named(self, sha256: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise self._missing(sha256) from None

    def _missing(self, name: str) -> NotFound:
        self._require_root()
        return NotFound(f"The store {self.root} has no {name}", "See which records name it, and restore it from a copy")

    def _require_root(self) -> None:
        if not self.root.is_dir():
            raise StoreUnavailable(
                f"The folder of the store, {self.root}, isn't there", "Mount or restore it, and try again"
            )


def _proceed(file: BinaryIO, stop: Stop) -> None:
    stop()
    _require_linked(file)


def _require_linked(file: BinaryIO) -> None:
    if os.fstat(file.fileno()).st_nlink == 0:
        raise Stopped("The upload was aborted by another process", "See who cancelled it; nothing of it is left")
