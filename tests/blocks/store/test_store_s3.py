"""What the store in a bucket promises beyond the interface: its layout, its parts, its processes, its links."""

from __future__ import annotations

import hashlib
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from blocks.errors import CorruptFile, InvalidInput, Stopped
from blocks.store import Blob, Store, open_store
from blocks.store.bucket import Bucket
from blocks.store.multipart import Multipart, Note
from blocks.store.s3 import S3Store
from tests.servers.rclone import ACCESS, CREDENTIALS, SECRET, Rclone
from tests.waiting import wait_until

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEY = "7/1/image.raw"
MIB = 1024 * 1024
PART = 5 * MIB
Place = Callable[[str], Path]

UPLOAD_AND_WAIT = """
import sys
from pathlib import Path
from blocks.store.s3 import S3Store

store = S3Store.at(sys.argv[1], part=5 * 1024 * 1024)

def stop():
    if any(upload.size for upload in store.unfinished()):
        print("in the middle", flush=True)
        sys.stdin.read()

store.upload(Path(sys.argv[2]), "7/1/image.raw", stop)
"""

MEASURE_MEMORY = """
import re, sys
from pathlib import Path
from blocks.store import open_store

def peak():
    return int(re.search("VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

store = open_store(sys.argv[1])
store.check()
before = peak()
blob = store.upload(Path(sys.argv[2]), "7/1/image.raw", lambda: None)
store.fetch(blob.sha256, Path(sys.argv[3]), lambda: None)
with store.open(blob.sha256) as file:
    file.seek(blob.size // 2)
    file.read(1000)
print(peak() - before)
"""


def go_on() -> None:
    """Never stop."""


def stop_at(chunk: int, action: Callable[[], object] | None = None) -> Callable[[], None]:
    """Do something (raise Stopped, if nothing else) at the chunk of that number, counted from 1."""
    calls = iter(range(1, 10**6))

    def stop() -> None:
        if next(calls) == chunk:
            if action is None:
                raise Stopped("Stopped: cancelled")
            action()

    return stop


@pytest.fixture
def url(bucket: str) -> str:
    """The URL of a store in a fresh bucket."""
    return bucket


@pytest.fixture
def store(url: str, client: S3Client) -> S3Store:
    """An empty store with small parts."""
    return S3Store(client, Bucket.parse(url), PART)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file of 13 parts, most of them zeros."""
    path = tmp_path / "large.raw"
    with path.open("wb") as file:
        file.write(b"begin")
        file.truncate(64 * MIB)
    return path


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's keys in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


def left(client: S3Client, url: str) -> list[str]:
    """Everything in the bucket that isn't finished, as its server tells it."""
    name = Bucket.parse(url).name
    found = [row["Key"] for row in client.list_objects_v2(Bucket=name).get("Contents", []) if "/uploads/" in row["Key"]]
    return found + [row["UploadId"] for row in client.list_multipart_uploads(Bucket=name).get("Uploads", [])]


def digest(path: Path) -> str:
    """The sha256 of a file, by hashlib alone."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_layout(store: Store, source: Path, place: Place, url: str) -> None:
    """An object's key is its name in a folder's store, below the prefix; URIs tell bucket and key."""
    blob = store.upload(source, KEY, go_on)
    assert place(blob.sha256).read_bytes() == source.read_bytes()
    name = Bucket.parse(url).name
    assert store.uri(blob.sha256) == f"s3://{name}/images/blobs/sha256/{blob.sha256[:2]}/{blob.sha256}"
    assert store.log_uri(7, 1, "pack") == f"s3://{name}/images/logs/7/1/pack.log.gz"


@pytest.mark.usefixtures("keys")
def test_keys_from_the_environment(url: str) -> None:
    """Without credentials of its own the store takes those of the AWS variables."""
    assert open_store(url).put(b"index").size == 5


def test_prefixes_are_apart(url: str, client: S3Client) -> None:
    """Stores below different prefixes of one bucket, or below none, see nothing of each other."""
    address = Bucket.parse(url)
    stores = [S3Store(client, Bucket(address.name, prefix)) for prefix in ("", "one", "one-more", "two/deep")]
    for number, store in enumerate(stores):
        store.put(str(number).encode())
        store.put_log(number, 1, "pack", ["one"])
    for number, store in enumerate(stores):
        assert [blob.sha256 for blob in store.blobs()] == [hashlib.sha256(str(number).encode()).hexdigest()]
        assert store._children("logs") == [str(number)]


def test_parts(server: Rclone, url: str, source: Path) -> None:
    """A large file is sent in parts of one size, at the same time: each waits for the others."""
    client, barrier = Bucket("any", endpoint=server.endpoint).client(CREDENTIALS), threading.Barrier(3)
    sizes: dict[int, int] = {}

    def meet(params: dict[str, Any], **_: Any) -> None:
        sizes[params["PartNumber"]] = len(params["Body"])
        barrier.wait(timeout=60)

    client.meta.events.register("before-parameter-build.s3.UploadPart", meet)
    store = S3Store(client, Bucket.parse(url), PART)
    source.write_bytes(source.read_bytes() + b"the rest")
    blob = store.upload(source, KEY, go_on)
    assert sizes == {1: PART, 2: PART, 3: 2 * MIB + 8}
    store.verify(blob.sha256, source.stat().st_size, go_on)
    assert left(client, url) == []


def test_reading_waits_for_sending(server: Rclone, url: str, large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While parts are held up no more than one is read ahead of the four that are being sent."""
    client, ahead = Bucket("any", endpoint=server.endpoint).client(CREDENTIALS), threading.Event()
    read: list[bytes] = []
    sent: list[int] = []
    store = S3Store(client, Bucket.parse(url), PART)
    pieces = store._multipart._pieces

    def counted(*arguments: Any) -> Iterator[bytes]:
        for piece in pieces(*arguments):
            read.append(piece[:1])
            if len(read) - len(sent) > 5:
                ahead.set()
            yield piece

    def hold_up(params: dict[str, Any], **_: Any) -> None:
        if params["PartNumber"] <= 4:
            ahead.wait(0.5)

    monkeypatch.setattr(store._multipart, "_pieces", counted)
    client.meta.events.register("before-parameter-build.s3.UploadPart", hold_up)
    client.meta.events.register("after-call.s3.UploadPart", lambda **_: sent.append(1))
    store.upload(large, KEY, go_on, expected=digest(large))
    assert len(read) == len(sent) == 13
    assert not ahead.is_set()


@pytest.mark.parametrize("size", [PART - 1, PART, PART + 1, 2 * PART])
def test_edges_of_parts(store: Store, tmp_path: Path, size: int) -> None:
    """A file just below, at and above a part's size is stored whole, and so are one and two parts exactly."""
    (tmp_path / "file").write_bytes(secrets.token_bytes(size))
    blob = store.upload(tmp_path / "file", KEY, go_on)
    assert blob == Blob(digest(tmp_path / "file"), size)
    store.verify(blob.sha256, size, go_on)


@pytest.mark.parametrize("chunk", [4, 5, 6, 7])
def test_stopped_in_the_parts(store: Store, source: Path, client: S3Client, url: str, chunk: int) -> None:
    """An upload that is stopped while its parts are sent leaves nothing at the server, not even a part."""
    with pytest.raises(Stopped):
        store.upload(source, KEY, stop_at(chunk))
    assert left(client, url) == []
    assert list(store.blobs()) == []


def test_source_that_changes(store: Store, source: Path, client: S3Client, url: str) -> None:
    """A file that changes after it was hashed isn't stored under its old sha256."""
    with pytest.raises(CorruptFile, match=digest(source)):
        store.upload(source, KEY, stop_at(4, lambda: source.write_bytes(bytes(12 * MIB))))
    assert list(store.blobs()) == []
    assert left(client, url) == []


def test_source_that_shrinks(store: Store, source: Path, client: S3Client, url: str) -> None:
    """A file that gets shorter while its parts are sent is found out, and nothing is stored."""
    with pytest.raises(CorruptFile, match=r"image\.raw ends at byte"):
        store.upload(source, KEY, stop_at(4, lambda: os.truncate(source, 1000)))
    assert list(store.blobs()) == []
    assert left(client, url) == []


def flip_bit(path: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_damaged_blob(store: Store, source: Path, place: Place, tmp_path: Path) -> None:
    """One flipped bit is found when the blob is verified or fetched, and an upload mends it."""
    blob = store.upload(source, KEY, go_on)
    flip_bit(place(blob.sha256))
    target = tmp_path / "target"
    target.write_bytes(b"old")
    with pytest.raises(CorruptFile, match=blob.sha256):
        store.verify(blob.sha256, blob.size, go_on)
    with pytest.raises(CorruptFile, match=blob.sha256):
        store.fetch(blob.sha256, target, go_on)
    assert target.read_bytes() == b"old"
    store.upload(source, KEY, go_on)
    store.verify(blob.sha256, blob.size, go_on)


def test_zeros_are_fetched_as_holes(store: Store, large: Path, tmp_path: Path) -> None:
    """Zeros take no room in a fetched file, at its end neither."""
    blob = store.upload(large, KEY, go_on)
    store.fetch(blob.sha256, tmp_path / "target", go_on)
    assert digest(tmp_path / "target") == digest(large)
    assert (tmp_path / "target").stat().st_blocks * 512 <= 4 * MIB


@pytest.mark.usefixtures("keys")
def test_memory_is_bounded(url: str, tmp_path: Path) -> None:
    """Uploading, fetching and opening 160 MiB takes less than 80 MiB of memory."""
    with (tmp_path / "large").open("wb") as file:
        file.write(b"begin")
        file.truncate(160 * MIB)
    command = [sys.executable, "-c", MEASURE_MEMORY, url, str(tmp_path / "large"), str(tmp_path / "target")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 80 * 1024


@pytest.mark.usefixtures("keys")
def test_kill_in_the_middle(store: Store, url: str, client: S3Client, large: Path) -> None:
    """A process killed in the middle of an upload leaves no blob, only an unfinished upload that can be aborted."""
    command = [sys.executable, "-c", UPLOAD_AND_WAIT, url, str(large)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in the middle\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert list(store.blobs()) == []
    (found,) = store.unfinished()
    assert found.key == KEY
    assert 0 < found.size < large.stat().st_size
    store.abort(KEY)
    assert store.unfinished() == ()
    assert left(client, url) == []


@pytest.mark.usefixtures("keys")
def test_abort_from_another_process(store: Store, url: str, client: S3Client, large: Path) -> None:
    """An upload in another process ends with Stopped after its key was aborted, and nothing of it is left."""
    command, pipe = [sys.executable, "-c", UPLOAD_AND_WAIT, url, str(large)], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in the middle\n"
        store.abort(KEY)
        _, errors = process.communicate()
    assert process.returncode == 1
    assert f"{Stopped.__module__}.{Stopped.__name__}: The upload was aborted" in errors
    assert list(store.blobs()) == []
    assert left(client, url) == []


def test_abort_before_the_last_step(store: Store, source: Path, client: S3Client, url: str) -> None:
    """An abort of which only the first step was done, the marker's removal, still ends the upload."""
    marker = "images/uploads/7,1,image.raw"

    def remove() -> None:
        name = Bucket.parse(url).name
        rows = client.list_objects_v2(Bucket=name, Prefix=marker)["Contents"]
        client.delete_object(Bucket=name, Key=min(row["Key"] for row in rows))

    with pytest.raises(Stopped, match="aborted"):
        store.upload(source, KEY, stop_at(6, remove))
    assert list(store.blobs()) == []
    assert left(client, url) == []


def test_crash_before_the_note(store: Store, client: S3Client, url: str, source: Path) -> None:
    """An upload that was begun and never noted is found by where it leads; one beside it that is noted goes on."""
    address = Bucket.parse(url)
    crashed, target = Multipart(client, address), f"blobs/sha256/{digest(source)[:2]}/{digest(source)}"
    marker = f"uploads/7,2,image.raw,abc,{'0' * 16}"

    def crash() -> None:
        crashed._put_object(marker, b"")
        crashed._put_note(marker, Note(target))
        client.create_multipart_upload(Bucket=address.name, Key=address.full(target))
        assert [upload.key for upload in store.unfinished()] == [KEY, "7/2/image.raw"]
        store.abort("7/2/image.raw")
        assert [upload.key for upload in store.unfinished()] == [KEY]

    store.upload(source, KEY, stop_at(6, crash))
    store.verify(digest(source), source.stat().st_size, go_on)
    assert left(client, url) == []


def test_note_without_marker(store: Store, client: S3Client, url: str) -> None:
    """An abort that crashed after it removed the marker is found and ended by its note."""
    address = Bucket.parse(url)
    target = f"blobs/sha256/00/{'0' * 64}"
    begun = client.create_multipart_upload(Bucket=address.name, Key=address.full(target))
    Multipart(client, address)._put_note(f"uploads/7,1,image.raw,abc,{'0' * 16}", Note(target, begun["UploadId"]))
    assert [upload.key for upload in store.unfinished()] == [KEY]
    store.abort(KEY)
    assert left(client, url) == []


def test_foreign_objects_are_passed_over(store: Store, url: str, client: S3Client) -> None:
    """Objects that aren't the store's own are neither blobs nor unfinished uploads."""
    blob, address = store.put(b"index"), Bucket.parse(url)
    for name in ("blobs/sha256/notes.txt", f"blobs/sha256/{blob.sha256[:2]}/copy", "uploads/notes.txt"):
        client.put_object(Bucket=address.name, Key=address.full(name), Body=b"{")
    assert list(store.blobs()) == [blob]
    assert store.unfinished() == ()


def test_link(store: Store, source: Path) -> None:
    """Anybody downloads a blob by its link, under the given name."""
    blob = store.upload(source, KEY, go_on)
    link = store.link(blob.sha256, 'server "ü".raw', 60)
    assert link is not None
    assert SECRET not in link
    assert httpx.get(link).content == source.read_bytes()
    asked = parse_qs(urlsplit(link).query)["response-content-disposition"]  # this server heeds it not, others do
    assert asked == ["attachment; filename*=UTF-8''server%20%22%C3%BC%22.raw"]


def test_link_ends(store: Store) -> None:
    """A link is refused after its time."""
    link = store.link(store.put(b"index").sha256, "index", 1)
    assert link is not None

    wait_until(lambda: httpx.get(link).status_code in {400, 403}, "the link ends", 10)


@pytest.mark.parametrize("seconds", [0, -1, 7 * 24 * 3600 + 1])
def test_link_for_too_long(store: Store, seconds: int) -> None:
    """A link for no time or for more than a week is refused here, not by whoever follows it."""
    with pytest.raises(InvalidInput, match="seconds"):
        store.link("0" * 64, "image.raw", seconds)
