"""Uploads into a bucket: small files in one request, others in parts, and none that can't be found again.

A marker `uploads/<key,start,token>` carries the caller's key; it is written before anything else. A note beside it
tells where the upload leads, and its id once it has begun. So whatever crashes and wherever, `unfinished` lists the
upload and `abort` ends it. Whoever aborts removes the marker first, and whoever uploads looks for it after the id is
noted and before the upload is completed: one of the two sees the other.

The parts go to the blob's own name, not to a name that tells the key: the copy at the end would double the room, ends
at 5 GiB with Amazon and would need parts that have to be found again themselves.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import hashlib
import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO
from typing import TYPE_CHECKING, TypedDict

from botocore.exceptions import BotoCoreError, ClientError

from blocks.errors import Stopped
from blocks.store import names
from blocks.store.bucket import Bucket
from blocks.store.content import CHUNK, fill, md5
from blocks.store.refusals import absent, code
from blocks.store.source import same
from blocks.store.store import Blob, Stop, Upload

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PART = 8 * 1024 * 1024
_PARTS = 9000
_WORKERS = 4
_PATIENCE = 0.5
_ENDED = frozenset({"NoSuchUpload", "404", "NotFound"})
_NOTE = ".upload"


class _Address(TypedDict):
    Bucket: str
    Key: str
    UploadId: str


@dataclass(frozen=True)
class Note:
    """Where a multipart upload leads, and the server's id of it, None until it has begun."""

    target: str
    upload: str | None = None


class Multipart:
    """Uploads into one bucket; `part` is the least size of a part in bytes."""

    def __init__(self, client: S3Client, bucket: Bucket, part: int = PART) -> None:
        self._client = client
        self._bucket = bucket
        self._part = part

    def small(self, size: int) -> bool:
        """Whether a file of that size goes in one request, which leaves nothing unfinished."""
        return size <= self._part

    def put(self, source: FileIO, blob: Blob, stop: Stop) -> Blob:
        """Store a small file, whole or not at all; raises CorruptFile if it isn't the blob."""
        data = _read(source, 0, blob.size, stop)
        same(source.name, Blob(hashlib.sha256(data).hexdigest(), blob.size), blob.sha256)
        self._put_object(names.blob(blob.sha256), data)
        return blob

    @contextmanager
    def marked(self, key: str) -> Iterator[str]:
        """The name of a marker with the key, there as long as the context lasts; an error ends its upload too."""
        marker = f"uploads/{names.upload(key, datetime.now(UTC), secrets.token_hex(8))}"
        with ExitStack() as failing:
            failing.push(functools.partial(self._give_up, key, marker))
            self._put_object(marker, b"")
            yield marker
            failing.pop_all()
        self._delete_object(_note(marker))
        self._delete_object(marker)

    def send(self, source: FileIO, blob: Blob, marker: str, stop: Stop) -> None:
        """Store the file in parts, whole or not at all; its bytes are hashed again on the way.

        Raises Stopped also if another process has aborted the marker's key, CorruptFile if the file isn't the blob.
        """
        try:
            note = self._begin(names.blob(blob.sha256), marker)
            self._require(marker)
            parts = self._parts(source, blob, note, stop)
            self._require(marker)
            ordered = sorted(parts, key=lambda part: part.get("PartNumber", 0))
            self._client.complete_multipart_upload(**self._of(note), MultipartUpload={"Parts": ordered})
        except ClientError as error:
            if code(error) in _ENDED:
                self._require(marker)
            raise

    def unfinished(self) -> Iterator[Upload]:
        """The uploads whose marker or note is there, with the bytes that their parts hold."""
        for marker in self._markers("uploads/"):
            if (parsed := _parsed(marker)) is not None:
                yield Upload(parsed[0], self._held(marker), parsed[1])

    def abort(self, key: str) -> None:
        """End the key's uploads, wherever they are going on, and forget them."""
        for marker in self._markers(f"uploads/{key.replace('/', ',')},"):
            parsed = _parsed(marker)
            if parsed is not None and parsed[0] == key:
                self._end(marker)

    def _begin(self, target: str, marker: str) -> Note:
        self._put_note(marker, Note(target))
        self._require(marker)
        answer = self._client.create_multipart_upload(Bucket=self._bucket.name, Key=self._bucket.full(target))
        note = Note(target, answer["UploadId"])
        with ExitStack() as failing:
            failing.callback(self._discard, note)
            self._put_note(marker, note)
            failing.pop_all()
        return note

    def _give_up(
        self, key: str, marker: str, _kind: type[BaseException] | None, error: BaseException | None, _trace: object
    ) -> None:
        """End what failed; if that fails as well, the error that came first tells of it."""
        try:
            self._end(marker)
        except (ClientError, BotoCoreError) as hindered:
            if error is not None:
                error.add_note(f"The upload {key} is left unfinished in {self._bucket.where}: {hindered}")

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

    def _parts(self, source: FileIO, blob: Blob, note: Note, stop: Stop) -> list[CompletedPartTypeDef]:
        """Send every part, at most so many at a time; calls `stop` at each chunk and at least twice a second."""
        done: list[CompletedPartTypeDef] = []
        running: set[concurrent.futures.Future[CompletedPartTypeDef]] = set()
        with concurrent.futures.ThreadPoolExecutor(_WORKERS, "part") as workers:
            for number, data in enumerate(self._pieces(source, blob, stop), 1):
                running.add(workers.submit(self._send_part, note, number, data))
                done += _settled(running, stop, _WORKERS - 1)
            return done + _settled(running, stop, 0)

    def _pieces(self, source: FileIO, blob: Blob, stop: Stop) -> Iterator[bytes]:
        length = max(self._part, -(-blob.size // _PARTS))
        total = hashlib.sha256()
        for start in range(0, blob.size, length):
            data = _read(source, start, min(length, blob.size - start), stop)
            total.update(data)
            yield data
        same(source.name, Blob(total.hexdigest(), blob.size), blob.sha256)

    def _send_part(self, note: Note, number: int, data: bytes) -> CompletedPartTypeDef:
        answer = self._client.upload_part(**self._of(note), PartNumber=number, Body=data, ContentMD5=md5(data))
        return {"PartNumber": number, "ETag": answer["ETag"]}

    def _of(self, note: Note) -> _Address:
        return _Address(Bucket=self._bucket.name, Key=self._bucket.full(note.target), UploadId=note.upload or "")

    def _end(self, marker: str) -> None:
        self._delete_object(marker)
        if (note := self._noted(marker)) is not None:
            for begun in [note] if note.upload else self._unnoted(note.target):
                self._discard(begun)
        self._delete_object(_note(marker))

    def _unnoted(self, target: str) -> list[Note]:
        """The uploads that lead there and whose id nobody has noted: their process died, or is about to note it.

        One that lives finds its upload gone, which is worth another try.
        """
        noted = {note.upload for marker in self._markers("uploads/") if (note := self._noted(marker)) is not None}
        key = self._bucket.full(target)
        pages = self._client.get_paginator("list_multipart_uploads")
        rows = [row for page in pages.paginate(Bucket=self._bucket.name, Prefix=key) for row in page.get("Uploads", [])]
        return [Note(target, row["UploadId"]) for row in rows if row["Key"] == key and row["UploadId"] not in noted]

    def _discard(self, note: Note) -> None:
        try:
            self._client.abort_multipart_upload(**self._of(note))
        except ClientError as error:
            if code(error) not in _ENDED:
                raise

    def _markers(self, prefix: str) -> list[str]:
        """The names of markers, whether they are there themselves or only their notes."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket.name, Prefix=self._bucket.full(prefix)
        )
        keys = (row.get("Key", "") for page in pages for row in page.get("Contents", []))
        return sorted({self._bucket.short(key).removesuffix(_NOTE) for key in keys})

    def _noted(self, marker: str) -> Note | None:
        try:
            answer = self._client.get_object(Bucket=self._bucket.name, Key=self._bucket.full(_note(marker)))
        except ClientError as error:
            if absent(error):
                return None
            raise
        with closing(answer["Body"]) as body:
            return Note(**json.loads(body.read()))

    def _held(self, marker: str) -> int:
        note = self._noted(marker)
        if note is None or note.upload is None:
            return 0
        try:
            pages = self._client.get_paginator("list_parts").paginate(**self._of(note))
            return sum(part.get("Size", 0) for page in pages for part in page.get("Parts", []))
        except ClientError as error:
            if code(error) in _ENDED:
                return 0
            raise

    def _put_note(self, marker: str, note: Note) -> None:
        self._put_object(_note(marker), json.dumps(dataclasses.asdict(note)).encode())

    def _put_object(self, name: str, data: bytes) -> None:
        key = self._bucket.full(name)
        self._client.put_object(Bucket=self._bucket.name, Key=key, Body=data, ContentMD5=md5(data))

    def _delete_object(self, name: str) -> None:
        self._client.delete_object(Bucket=self._bucket.name, Key=self._bucket.full(name))


def _note(marker: str) -> str:
    return f"{marker}{_NOTE}"


def _parsed(marker: str) -> tuple[str, datetime] | None:
    return names.parse_upload(marker.rpartition("/")[2])


def _read(source: FileIO, start: int, length: int, stop: Stop) -> bytes:
    data = bytearray(length)
    view = memoryview(data)
    for position in range(0, length, CHUNK):
        stop()
        fill(source, view[position : position + CHUNK], start + position)
    return bytes(data)


def _settled(
    running: set[concurrent.futures.Future[CompletedPartTypeDef]], stop: Stop, limit: int
) -> list[CompletedPartTypeDef]:
    """The results of what has ended, once no more than `limit` are running."""
    results = []
    while len(running) > limit:
        done, _ = concurrent.futures.wait(running, _PATIENCE, concurrent.futures.FIRST_COMPLETED)
        running -= done
        results += [future.result() for future in done]
        if not done:
            stop()
    return results
