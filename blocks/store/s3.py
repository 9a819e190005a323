"""The store in a bucket of an S3-compatible server, laid out as the one in a folder.

Objects are visible whole or not at all, so nothing is renamed. Nothing relies on conditional writes, which many
servers ignore: blobs are named by their bytes, records by ticket and attempt. Integrity is our own: on the way in the
MD5 of every part, which the server compares, and the sha256 of the whole; the sha256 again when it is read back.
A file whose sha256 nobody told is read twice, as its name must be known before its bytes are sent.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self
from urllib.parse import quote

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from blocks.errors import CorruptFile, InvalidInput, NotFound
from blocks.store import faults, names
from blocks.store.bucket import Bucket
from blocks.store.content import CHUNK, md5, settle, settle_folder, transfer, write_sparse
from blocks.store.credentials import Credentials
from blocks.store.documents import Documents
from blocks.store.multipart import PART, Multipart
from blocks.store.ranged import ranged
from blocks.store.refusals import absent, code, translated
from blocks.store.source import MEND, go_on, opened, same
from blocks.store.store import Announce, Blob, Stop, Upload, unheard

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


_WEEK = 7 * 24 * 60 * 60


class S3Store(Documents):
    """Store over a bucket; `part` is the least size of an upload's parts in bytes."""

    def __init__(self, client: S3Client, bucket: Bucket, part: int = PART) -> None:
        self._client = client
        self._bucket = bucket
        self._multipart = Multipart(client, bucket, part)

    @classmethod
    def at(cls, url: str, credentials: Credentials | None = None, part: int = PART) -> Self:
        """The store at `s3://bucket/prefix?endpoint=…`; the bucket must be there.

        Raises InvalidInput, and MachineUnfit if the certificates that the URL names aren't on this machine.
        """
        bucket = Bucket.parse(url)
        try:
            with translated("Opening the store", bucket.where):
                return cls(bucket.client(credentials), bucket, part)
        except ValueError as error:
            raise InvalidInput(
                f"The store {bucket.where} can't be opened: {error}", "Correct the store's URL"
            ) from None

    def upload(
        self, source: Path, key: str, stop: Stop, *, expected: str | None = None, announce: Announce = unheard
    ) -> Blob:
        """See Store."""
        names.key(key)
        with self._source(source) as (file, size):
            known = None if expected is None else Blob(expected, size)
            if known is not None:
                announce(known)
                if self._holds(known):
                    return _hashed(file, stop, known.sha256)
            return self._send(file, key, stop, known, announce)

    def put(self, data: bytes) -> Blob:
        """See Store."""
        blob = Blob(hashlib.sha256(data).hexdigest(), len(data))
        if not self._holds(blob):
            self._write(names.blob(blob.sha256), data)
        return blob

    def put_package(self, source: Path, sha256: str, stop: Stop | None = None) -> Blob:
        """See Store."""
        name = names.blob(sha256)
        with self._source(source) as (file, size):
            blob = Blob(sha256, size)
            return blob if self._holds(blob) else self._send(file, name, stop or go_on, blob)

    def verify(self, sha256: str, size: int, stop: Stop) -> None:
        """See Store."""
        actual = self.size(sha256)
        if actual != size:
            raise CorruptFile(f"{self.uri(sha256)} has {actual} bytes, expected {size}", MEND)
        self._read_through(Blob(sha256, size), None, stop)

    def open(self, sha256: str) -> BinaryIO:
        """See Store."""
        return self._opened(Blob(sha256, self.size(sha256)))

    def has(self, sha256: str) -> bool:
        """See Store."""
        try:
            self.size(sha256)
        except NotFound:
            return False
        return True

    def size(self, sha256: str) -> int:
        """See Store."""
        with self._named(names.blob(sha256), f"Looking for {sha256}") as key:
            return self._client.head_object(Bucket=self._bucket.name, Key=key)["ContentLength"]

    def fetch(self, sha256: str, target: Path, stop: Stop) -> None:
        """See Store."""
        if not target.parent.is_dir():
            raise InvalidInput(f"The folder {target.parent} for {target.name} isn't there", "Make it, and try again")
        blob = Blob(sha256, self.size(sha256))
        partial = target.with_name(f".{secrets.token_hex(8)}.partial")
        with faults.translated(f"Fetching {sha256} to {target}", target.parent):
            try:
                with partial.open("xb") as file:
                    self._read_through(blob, file, stop)
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
        return self._uri(names.blob(sha256))

    def link(self, sha256: str, name: str, seconds: int) -> str:
        """See Store; S3 allows at most a week."""
        if not 0 < seconds <= _WEEK:
            raise InvalidInput(f"A link can't be good for {seconds} seconds", f"Give 1 to {_WEEK} seconds, a week")
        key = self._bucket.full(names.blob(sha256))
        shown = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
        wanted = {"Bucket": self._bucket.name, "Key": key, "ResponseContentDisposition": shown}
        with self._asked(f"Making a link to {sha256}"):
            return self._client.generate_presigned_url("get_object", Params=wanted, ExpiresIn=seconds)

    def blobs(self) -> Iterator[Blob]:
        """See Store."""
        for name, size in self._listed("blobs/sha256/"):
            sha256 = name.rpartition("/")[2]
            with suppress(InvalidInput):  # not ours
                if names.blob(sha256) == name:
                    yield Blob(sha256, size)

    def logs(self) -> Iterator[tuple[int, int]]:
        """See Store: one flat listing, which takes far fewer requests than one for each ticket."""
        found = (names.parse_log(name) for name, _ in self._listed("logs/"))
        yield from dict.fromkeys(each for each in found if each is not None)

    def unfinished(self) -> tuple[Upload, ...]:
        """See Store."""
        with self._asked("Listing unfinished uploads"):
            return tuple(sorted(self._multipart.unfinished(), key=lambda upload: (upload.key, upload.started)))

    def abort(self, key: str) -> None:
        """See Store."""
        names.key(key)
        with self._asked(f"Aborting the upload {key}"):
            self._multipart.abort(key)

    def _uri(self, name: str) -> str:
        return f"s3://{self._bucket.name}/{self._bucket.full(name)}"

    def _write(self, name: str, data: bytes) -> None:
        key = self._bucket.full(name)
        with self._asked(f"Storing {name}"):
            self._client.put_object(Bucket=self._bucket.name, Key=key, Body=data, ContentMD5=md5(data))

    def _read(self, name: str) -> bytes:
        with self._named(name, f"Reading {name}") as key, closing(self._get(key)) as body:
            return body.read()

    def _children(self, name: str) -> list[str]:
        prefix = self._bucket.full(f"{name}/")
        found: set[str] = set()
        with self._asked(f"Listing {name}"):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket.name, Prefix=prefix, Delimiter="/"):
                keys = [row.get("Key", "") for row in page.get("Contents", [])]
                keys += [row.get("Prefix", "") for row in page.get("CommonPrefixes", [])]
                found |= {key.removeprefix(prefix).rstrip("/") for key in keys}
        return sorted(found - {""})

    def _delete(self, name: str) -> None:
        with self._asked(f"Removing {name}"):
            self._client.delete_object(Bucket=self._bucket.name, Key=self._bucket.full(name))

    def _listed(self, prefix: str) -> Iterator[tuple[str, int]]:
        with self._asked(f"Listing {prefix}"):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket.name, Prefix=self._bucket.full(prefix)):
                for row in page.get("Contents", []):
                    yield self._bucket.short(row.get("Key", "")), row.get("Size", 0)

    @contextmanager
    def _source(self, source: Path) -> Iterator[tuple[FileIO, int]]:
        with self._asked(f"Storing {source}"), faults.translated(f"Reading {source}", source), opened(source) as file:
            yield file, os.fstat(file.fileno()).st_size

    def _send(self, file: FileIO, key: str, stop: Stop, known: Blob | None, announce: Announce = unheard) -> Blob:
        if self._multipart.small(os.fstat(file.fileno()).st_size):
            return self._multipart.put(file, known or _announced(file, stop, announce), stop)
        with self._multipart.marked(key) as marker:
            blob = known or _announced(file, stop, announce)
            self._multipart.send(file, blob, marker, stop)
        return blob

    def _read_through(self, blob: Blob, target: BinaryIO | None, stop: Stop) -> None:
        total, size = hashlib.sha256(), 0
        with self._opened(blob) as file:
            while piece := file.read(CHUNK):
                stop()
                total.update(piece)
                size += len(piece)
                if target is not None:
                    write_sparse(target, piece)
        same(self.uri(blob.sha256), Blob(total.hexdigest(), size), blob.sha256)

    def _opened(self, blob: Blob) -> BinaryIO:
        name = names.blob(blob.sha256)
        key = self._bucket.full(name)

        return ranged(
            blob.size, lambda start: self._get(key, start), lambda: self._named(name, f"Reading {blob.sha256}")
        )

    def _get(self, key: str, start: int = 0) -> StreamingBody:
        if start == 0:  # an empty object has no range
            return self._client.get_object(Bucket=self._bucket.name, Key=key)["Body"]
        return self._client.get_object(Bucket=self._bucket.name, Key=key, Range=f"bytes={start}-")["Body"]

    def _holds(self, blob: Blob) -> bool:
        try:
            return self.size(blob.sha256) == blob.size
        except NotFound:
            return False

    @contextmanager
    def _asked(self, doing: str) -> Iterator[None]:
        with translated(doing, self._bucket.where):
            yield

    @contextmanager
    def _named(self, name: str, doing: str) -> Iterator[str]:
        """The object's key; that it isn't there is NotFound."""
        with self._asked(doing):
            try:
                yield self._bucket.full(name)
            except ClientError as error:
                if not absent(error):
                    raise
                self._require_bucket(error)
                raise NotFound(
                    f"The store {self._bucket.where} has no {name}",
                    "See which records name it, and restore it from a copy",
                ) from None

    def _require_bucket(self, error: ClientError) -> None:
        """Raise what is wrong if it is the bucket that isn't there, which some answers leave open."""
        if code(error) != "NoSuchKey":
            self._client.list_objects_v2(Bucket=self._bucket.name, MaxKeys=1)


def _announced(file: FileIO, stop: Stop, announce: Announce) -> Blob:
    blob = _hashed(file, stop)
    announce(blob)
    return blob


def _hashed(file: FileIO, stop: Stop, expected: str | None = None) -> Blob:
    blob = transfer(file, None, stop)
    return same(file.name, blob, expected or blob.sha256)
