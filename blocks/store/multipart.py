"""Multipart uploads: parts in parallel with bounded memory, and no upload that can't be found again.

A marker below `uploads/` carries the caller's key; it is written before the upload is begun and names it afterwards,
so whatever crashes, `unfinished` lists it and `abort` ends it.
"""

from __future__ import annotations

import base64
import concurrent.futures
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
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
class Marker:
    """An upload that is under way or was left: its marker's name, its target, and its id once it has begun."""

    name: str
    target: str
    upload: str | None

    @property
    def key(self) -> str:
        """The caller's key."""
        return parsed[0] if (parsed := names.parse_upload(self.name.rpartition("/")[2])) else ""


class Multipart:
    """Uploads into one bucket; `part` is the least size of a part in bytes."""

    def __init__(self, client: S3Client, bucket: Bucket, part: int = PART) -> None:
        self._client = client
        self._bucket = bucket
        self._part = part

    def send(self, source: FileIO, target: str, key: str, stop: Stop) -> None:
        """Store the file under `target`, whole or not at all; whatever ends it early leaves nothing.

        Raises Stopped also if another process has aborted the key, CorruptFile if the file gets shorter meanwhile.
        """
        marker = self._begin(target, key)
        try:
            self._complete(marker, list(self._parts(source, marker, stop)))
        except ClientError as error:
            if code(error) in _ENDED and not self._known(marker):
                raise Stopped(
                    "The upload was aborted by another process", "See who cancelled it; nothing of it is left"
                ) from error
            raise
        finally:
            self._end(marker)

    def unfinished(self) -> Iterator[Upload]:
        """The uploads whose marker is there, with the bytes that their parts hold."""
        for marker in self._markers("uploads/"):
            if (parsed := names.parse_upload(marker.name.rpartition("/")[2])) is not None:
                yield Upload(parsed[0], self._held(marker), parsed[1])

    def abort(self, key: str) -> None:
        """End the key's uploads, wherever they are going on, and forget them."""
        for marker in self._markers(f"uploads/{key.replace('/', ',')},"):
            if marker.key == key:
                self._end(marker)

    def _begin(self, target: str, key: str) -> Marker:
        name = f"uploads/{names.upload(key, datetime.now(UTC), secrets.token_hex(8))}"
        self._mark(Marker(name, target, None))
        begun = self._client.create_multipart_upload(Bucket=self._bucket.name, Key=self._bucket.full(target))
        marker = Marker(name, target, begun["UploadId"])
        self._mark(marker)
        return marker

    def _mark(self, marker: Marker) -> None:
        body = json.dumps({"target": marker.target, "upload": marker.upload}).encode()
        self._client.put_object(Bucket=self._bucket.name, Key=self._bucket.full(marker.name), Body=body)

    def _parts(self, source: FileIO, marker: Marker, stop: Stop) -> Iterator[CompletedPartTypeDef]:
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
                        running[workers.submit(self._put, marker, number, *piece)] = number
                    if not running:
                        return
                    done, _ = concurrent.futures.wait(running, _PATIENCE, concurrent.futures.FIRST_COMPLETED)
                    for future in done:
                        del running[future]
                        yield future.result()
            except BaseException:
                self._discard(marker)  # what is being sent fails at once
                raise

    def _put(self, marker: Marker, number: int, source: FileIO, start: int, length: int) -> CompletedPartTypeDef:
        data = os.pread(source.fileno(), length, start)
        if len(data) != length:
            raise CorruptFile(
                f"{source.name} got shorter while it was stored", "Something changes the file: find out what"
            )
        digest = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        answer = self._client.upload_part(**self._of(marker), PartNumber=number, Body=data, ContentMD5=digest)
        return {"PartNumber": number, "ETag": answer["ETag"]}

    def _complete(self, marker: Marker, parts: list[CompletedPartTypeDef]) -> None:
        ordered = sorted(parts, key=lambda part: part.get("PartNumber", 0))
        self._client.complete_multipart_upload(**self._of(marker), MultipartUpload={"Parts": ordered})

    def _of(self, marker: Marker) -> _Address:
        key = self._bucket.full(marker.target)
        return _Address(Bucket=self._bucket.name, Key=key, UploadId=marker.upload or "")

    def _end(self, marker: Marker) -> None:
        self._discard(marker)
        self._client.delete_object(Bucket=self._bucket.name, Key=self._bucket.full(marker.name))

    def _discard(self, marker: Marker) -> None:
        if marker.upload is None:
            return
        try:
            self._client.abort_multipart_upload(**self._of(marker))
        except ClientError as error:
            if code(error) not in _ENDED:
                raise

    def _known(self, marker: Marker) -> bool:
        try:
            self._client.head_object(Bucket=self._bucket.name, Key=self._bucket.full(marker.name))
        except ClientError as error:
            if absent(error):
                return False
            raise
        return True

    def _markers(self, prefix: str) -> Iterator[Marker]:
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket.name, Prefix=self._bucket.full(prefix)):
            for row in page.get("Contents", []):
                if (marker := self._marker(self._bucket.short(row.get("Key", "")))) is not None:
                    yield marker

    def _marker(self, name: str) -> Marker | None:
        try:
            answer = self._client.get_object(Bucket=self._bucket.name, Key=self._bucket.full(name))
        except ClientError as error:
            if absent(error):  # finished meanwhile
                return None
            raise
        with answer["Body"] as body:
            document = json.loads(body.read())
        return Marker(name, document["target"], document["upload"])

    def _held(self, marker: Marker) -> int:
        if marker.upload is None:
            return 0
        try:
            pages = self._client.get_paginator("list_parts").paginate(**self._of(marker))
            return sum(part.get("Size", 0) for page in pages for part in page.get("Parts", []))
        except ClientError as error:
            if code(error) in _ENDED:
                return 0
            raise
