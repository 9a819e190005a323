"""Multipart uploads: parts in parallel with bounded memory, and no upload that can't be found again.

A marker below `uploads/` carries the caller's key; it is written before anything else, and a note beside it tells the
upload once that has begun. So whatever crashes, `unfinished` lists it and `abort` ends it. Whoever aborts removes the
marker first, and whoever uploads looks for it after the note is written: one of the two sees the other.
"""

from __future__ import annotations

import base64
import concurrent.futures
import dataclasses
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO
from typing import TYPE_CHECKING, TypedDict

from botocore.exceptions import ClientError

from blocks.errors import CorruptFile, Stopped
from blocks.store import names
from blocks.store.bucket import Bucket
from blocks.store.refusals import absent, code
from blocks.store.store import Stop, Upload

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PART = 8 * 1024 * 1024
_PARTS = 9000
_WORKERS = 4
_PATIENCE = 0.5
_ENDED = frozenset({"NoSuchUpload", "404", "NotFound"})


class _Address(TypedDict):
    Bucket: str
    Key: str
    UploadId: str


@dataclass(frozen=True)
class Begun:
    """A multipart upload: the name that it is going to have, and the server's id of it."""

    target: str
    upload: str


class Multipart:
    """Uploads into one bucket; `part` is the least size of a part in bytes."""

    def __init__(self, client: S3Client, bucket: Bucket, part: int = PART) -> None:
        self._client = client
        self._bucket = bucket
        self._part = part

    @contextmanager
    def marked(self, key: str) -> Iterator[str]:
        """The name of a marker with the key, there as long as the context lasts."""
        marker = f"uploads/{names.upload(key, datetime.now(UTC), secrets.token_hex(8))}"
        self._put_object(marker, b"")
        try:
            yield marker
        finally:
            self._end(marker)

    def send(self, source: FileIO, target: str, marker: str, stop: Stop) -> None:
        """Store the file under `target`, whole or not at all.

        Raises Stopped also if another process has aborted the marker's key, CorruptFile if the file gets shorter.
        """
        begun = self._begin(target, marker)
        try:
            self._require(marker)
            self._complete(begun, list(self._parts(source, begun, stop)))
        except ClientError as error:
            self._discard(begun)
            if code(error) in _ENDED:
                self._require(marker)
            raise

    def unfinished(self) -> Iterator[Upload]:
        """The uploads whose marker is there, with the bytes that their parts hold."""
        for marker in self._markers("uploads/"):
            if (parsed := names.parse_upload(marker.rpartition("/")[2])) is not None:
                yield Upload(parsed[0], self._held(marker), parsed[1])

    def abort(self, key: str) -> None:
        """End the key's uploads, wherever they are going on, and forget them."""
        for marker in self._markers(f"uploads/{key.replace('/', ',')},"):
            parsed = names.parse_upload(marker.rpartition("/")[2])
            if parsed is not None and parsed[0] == key:
                self._end(marker)

    def _begin(self, target: str, marker: str) -> Begun:
        answer = self._client.create_multipart_upload(Bucket=self._bucket.name, Key=self._bucket.full(target))
        begun = Begun(target, answer["UploadId"])
        self._put_object(_note(marker), json.dumps(dataclasses.asdict(begun)).encode())
        return begun

    def _require(self, marker: str) -> None:
        """Raise Stopped unless the marker is there: whoever aborts removes it first."""
        try:
            self._client.head_object(Bucket=self._bucket.name, Key=self._bucket.full(marker))
        except ClientError as error:
            if not absent(error):
                raise
            raise Stopped(
                "The upload was aborted by another process", "See who cancelled it; nothing of it is left"
            ) from None

    def _parts(self, source: FileIO, begun: Begun, stop: Stop) -> Iterator[CompletedPartTypeDef]:
        """Send every part, at most so many at a time; calls `stop` at least twice a second."""
        size = os.fstat(source.fileno()).st_size
        length = max(self._part, -(-size // _PARTS))
        starts = iter(enumerate(range(0, max(size, 1), length), 1))
        with concurrent.futures.ThreadPoolExecutor(_WORKERS, "part") as workers:
            running: dict[concurrent.futures.Future[CompletedPartTypeDef], int] = {}
            try:
                while True:
                    stop()
                    while len(running) < _WORKERS and (following := next(starts, None)) is not None:
                        number, start = following
                        piece = (source, start, min(length, size - start))
                        running[workers.submit(self._put, begun, number, *piece)] = number
                    if not running:
                        return
                    done, _ = concurrent.futures.wait(running, _PATIENCE, concurrent.futures.FIRST_COMPLETED)
                    for future in done:
                        del running[future]
                        yield future.result()
            except BaseException:
                self._discard(begun)  # what is being sent fails at once
                raise

    def _put(self, begun: Begun, number: int, source: FileIO, start: int, length: int) -> CompletedPartTypeDef:
        data = os.pread(source.fileno(), length, start)
        if len(data) != length:
            raise CorruptFile(
                f"{source.name} got shorter while it was stored", "Something changes the file: find out what"
            )
        digest = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        answer = self._client.upload_part(**self._of(begun), PartNumber=number, Body=data, ContentMD5=digest)
        return {"PartNumber": number, "ETag": answer["ETag"]}

    def _complete(self, begun: Begun, parts: list[CompletedPartTypeDef]) -> None:
        ordered = sorted(parts, key=lambda part: part.get("PartNumber", 0))
        self._client.complete_multipart_upload(**self._of(begun), MultipartUpload={"Parts": ordered})

    def _of(self, begun: Begun) -> _Address:
        return _Address(Bucket=self._bucket.name, Key=self._bucket.full(begun.target), UploadId=begun.upload)

    def _end(self, marker: str) -> None:
        self._delete_object(marker)
        if (begun := self._begun(marker)) is not None:
            self._discard(begun)
            self._delete_object(_note(marker))

    def _discard(self, begun: Begun) -> None:
        try:
            self._client.abort_multipart_upload(**self._of(begun))
        except ClientError as error:
            if code(error) not in _ENDED:
                raise

    def _markers(self, prefix: str) -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket.name, Prefix=self._bucket.full(prefix)):
            for row in page.get("Contents", []):
                yield self._bucket.short(row.get("Key", ""))

    def _begun(self, marker: str) -> Begun | None:
        try:
            answer = self._client.get_object(Bucket=self._bucket.name, Key=self._bucket.full(_note(marker)))
        except ClientError as error:
            if absent(error):
                return None
            raise
        with answer["Body"] as body:
            return Begun(**json.loads(body.read()))

    def _held(self, marker: str) -> int:
        if (begun := self._begun(marker)) is None:
            return 0
        try:
            pages = self._client.get_paginator("list_parts").paginate(**self._of(begun))
            return sum(part.get("Size", 0) for page in pages for part in page.get("Parts", []))
        except ClientError as error:
            if code(error) in _ENDED:
                return 0
            raise

    def _put_object(self, name: str, data: bytes) -> None:
        self._client.put_object(Bucket=self._bucket.name, Key=self._bucket.full(name), Body=data)

    def _delete_object(self, name: str) -> None:
        self._client.delete_object(Bucket=self._bucket.name, Key=self._bucket.full(name))


def _note(marker: str) -> str:
    """Where a marker's upload is noted."""
    return f"{marker}.upload"
