"""The store in a bucket of an S3-compatible server, laid out as the one in a folder.

Objects are visible whole or not at all, so nothing is renamed. Nothing relies on conditional writes, which many
servers ignore: blobs are named by their bytes, records by ticket and attempt. Integrity is our own: the MD5 of every
part on the way in, the sha256 of the whole when it is read back.
"""

from __future__ import annotations

import base64
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
from blocks.store.content import CHUNK, transfer
from blocks.store.credentials import Credentials
from blocks.store.documents import Documents
from blocks.store.multipart import PART, Multipart
from blocks.store.ranged import ranged
from blocks.store.refusals import absent, translated
from blocks.store.source import MEND, go_on, opened, same
from blocks.store.store import Blob, Stop, Upload

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class S3Store(Documents):
    """Store over a bucket; `part` is the least size of an upload's parts in bytes."""

    def __init__(self, client: S3Client, bucket: Bucket, part: int = PART) -> None:
        self._client = client
        self._bucket = bucket
        self._multipart = Multipart(client, bucket, part)

    @classmethod
    def at(cls, url: str, credentials: Credentials | None = None) -> Self:
        """The store at `s3://bucket/prefix?endpoint=…`; the bucket must be there. Raises InvalidInput."""
        bucket = Bucket.parse(url)
        try:
            with translated("Opening the store", bucket.where):
                return cls(bucket.client(credentials), bucket)
        except ValueError as error:
            raise InvalidInput(
                f"The store {bucket.where} can't be opened: {error}", "Correct the store's URL"
            ) from None

    def upload(self, source: Path, key: str, stop: Stop, *, expected: str | None = None) -> Blob:
        """See Store."""
        names.key(key)
        with self._asked(f"Storing {source}"), opened(source) as file:
            if expected is not None and self._holds(Blob(expected, os.fstat(file.fileno()).st_size)):
                return self._hashed(file, stop, expected)
            return self._send(file, key, stop, expected)

    def put(self, data: bytes) -> Blob:
        """See Store."""
        blob = Blob(hashlib.sha256(data).hexdigest(), len(data))
        if not self._holds(blob):
            self._write(names.blob(blob.sha256), data)
        return blob

    def put_package(self, source: Path, sha256: str, stop: Stop | None = None) -> Blob:
        """See Store."""
        name = names.blob(sha256)
        with self._asked(f"Storing {source}"), opened(source) as file:
            blob = Blob(sha256, os.fstat(file.fileno()).st_size)
            return blob if self._holds(blob) else self._send(file, name, stop or go_on, sha256)

    def verify(self, sha256: str, size: int, stop: Stop) -> None:
        """See Store."""
        actual = self.size(sha256)
        if actual != size:
            raise CorruptFile(f"{self.uri(sha256)} has {actual} bytes, expected {size}", MEND)
        self._read_through(sha256, None, stop)

    def open(self, sha256: str) -> BinaryIO:
        """See Store."""
        return ranged(self.size(sha256), lambda start, end: self._range(sha256, start, end))

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
        partial = target.with_name(f".{secrets.token_hex(8)}.partial")
        try:
            with faults.translated(f"Fetching {sha256} to {target}", target.parent), partial.open("xb") as file:
                self._read_through(sha256, file, stop)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    def remove(self, sha256: str) -> None:
        """See Store."""
        self._delete(names.blob(sha256))

    def uri(self, sha256: str) -> str:
        """See Store."""
        return self._uri(names.blob(sha256))

    def link(self, sha256: str, name: str, seconds: int) -> str:
        """See Store."""
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
        digest = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        key = self._bucket.full(name)
        with self._asked(f"Storing {name}"):
            self._client.put_object(Bucket=self._bucket.name, Key=key, Body=data, ContentMD5=digest)

    def _read(self, name: str) -> bytes:
        with self._named(name, f"Reading {name}") as key, self._body(key) as body:
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

    def _send(self, file: FileIO, key: str, stop: Stop, expected: str | None) -> Blob:
        with self._multipart.marked(key) as marker:
            blob = self._hashed(file, stop, expected)
            self._multipart.send(file, names.blob(blob.sha256), marker, stop)
        return blob

    def _hashed(self, file: FileIO, stop: Stop, expected: str | None) -> Blob:
        with faults.translated(f"Reading {file.name}", Path(str(file.name))):
            blob = transfer(file, None, stop)
        return same(str(file.name), blob, expected or blob.sha256)

    def _read_through(self, sha256: str, target: BinaryIO | None, stop: Stop) -> None:
        total, size = hashlib.sha256(), 0
        with self._named(names.blob(sha256), f"Reading {sha256}") as key, self._body(key) as body:
            for piece in body.iter_chunks(CHUNK):
                stop()
                total.update(piece)
                size += len(piece)
                if target is not None:
                    target.write(piece)
        same(self.uri(sha256), Blob(total.hexdigest(), size), sha256)

    def _body(self, key: str) -> closing[StreamingBody]:
        return closing(self._client.get_object(Bucket=self._bucket.name, Key=key)["Body"])

    def _range(self, sha256: str, start: int, end: int) -> bytes:
        with self._named(names.blob(sha256), f"Reading {sha256}") as key:
            wanted = f"bytes={start}-{end}"
            with self._client.get_object(Bucket=self._bucket.name, Key=key, Range=wanted)["Body"] as body:
                return body.read()

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
                raise NotFound(
                    f"The store {self._bucket.where} has no {name}",
                    "See which records name it, and restore it from a copy",
                ) from None
