"""What every store promises about blobs."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from blocks.errors import CorruptFile, InvalidInput, NotFound, Stopped
from blocks.store import Blob, Store

KEY = "7/1/image.raw"
ABSENT = "0" * 64


def go_on() -> None:
    """Never stop."""


def stop_at(chunk: int) -> Callable[[], None]:
    """Stop at the chunk of that number, counted from 1."""
    left = iter(range(chunk - 1))

    def stop() -> None:
        if next(left, None) is None:
            raise Stopped("Stopped: cancelled")

    return stop


def digest(path: Path) -> str:
    """The sha256 of a file, by hashlib alone."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_upload_names_a_file_by_its_bytes(store: Store, source: Path) -> None:
    """An upload tells sha256 and size of the file, and its bytes can be read under that name."""
    blob = store.upload(source, KEY, go_on)
    assert blob == Blob(digest(source), source.stat().st_size)
    with store.open(blob.sha256) as file:
        assert file.read() == source.read_bytes()


def test_upload_of_an_empty_file(store: Store, tmp_path: Path) -> None:
    """A file without bytes is stored like any other."""
    (tmp_path / "empty").touch()
    blob = store.upload(tmp_path / "empty", KEY, go_on)
    assert blob == Blob(hashlib.sha256(b"").hexdigest(), 0)
    assert store.size(blob.sha256) == 0


def test_finished_upload_is_no_longer_unfinished(store: Store, source: Path) -> None:
    """After an upload nothing is left under its key."""
    store.upload(source, KEY, go_on)
    assert store.unfinished() == ()


def test_stop_is_called_for_each_chunk(store: Store, source: Path) -> None:
    """A file of three chunks asks at least three times whether to stop."""
    calls: list[int] = []
    store.upload(source, KEY, lambda: calls.append(1))
    assert len(calls) >= 3


@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_stopped_upload_leaves_nothing(store: Store, source: Path, chunk: int) -> None:
    """An upload stopped at any chunk leaves neither a blob nor an unfinished upload."""
    with pytest.raises(Stopped):
        store.upload(source, KEY, stop_at(chunk))
    assert store.unfinished() == ()
    assert list(store.blobs()) == []


def test_any_error_leaves_nothing(store: Store, source: Path) -> None:
    """An upload that ends by an error that nobody foresaw leaves nothing either."""

    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.upload(source, KEY, fail)
    assert store.unfinished() == ()
    assert list(store.blobs()) == []


def test_upload_under_way_is_found_by_its_key(store: Store, source: Path) -> None:
    """While an upload is under way it is listed with its key, its size so far and a start in UTC."""
    seen = []
    store.upload(source, KEY, lambda: seen.append(store.unfinished()))
    assert {upload.key for found in seen for upload in found} == {KEY}
    assert all(len(found) == 1 for found in seen)
    assert all(0 <= found[0].size <= source.stat().st_size for found in seen)
    assert len({found[0].started for found in seen}) == 1
    assert seen[0][0].started.tzinfo is not None


def test_upload_under_way_is_no_blob(store: Store, source: Path) -> None:
    """While an upload is under way its bytes are visible under no name."""
    seen: list[bool] = []
    store.upload(source, KEY, lambda: seen.append(store.has(digest(source)) or any(store.blobs())))
    assert set(seen) == {False}


@pytest.mark.parametrize("size", [1000, 12 * 1024 * 1024])
def test_a_blob_is_announced_before_it_is_there(store: Store, tmp_path: Path, size: int) -> None:
    """Once in each upload, also of one that is there already, and to whoever tells its digest."""
    source = tmp_path / "file"
    source.write_bytes(b"a" * size)
    blob, told = Blob(digest(source), size), []

    def hear(announced: Blob) -> None:
        told.append((announced, store.has(announced.sha256)))

    store.upload(source, KEY, go_on, announce=hear)
    store.upload(source, KEY, go_on, expected=blob.sha256, announce=hear)
    store.remove(blob.sha256)
    store.upload(source, KEY, go_on, expected=blob.sha256, announce=hear)
    assert told == [(blob, False), (blob, True), (blob, False)]
    assert store.has(blob.sha256)


def test_who_hears_of_a_blob_may_refuse_it(store: Store, source: Path) -> None:
    """Then nothing of it is stored, and nothing is left unfinished."""

    def refuse(announced: Blob) -> None:
        raise Stopped(announced.sha256)

    with pytest.raises(Stopped, match=digest(source)):
        store.upload(source, KEY, go_on, announce=refuse)
    assert list(store.blobs()) == []
    assert list(store.unfinished()) == []


def test_abort_reaches_an_upload_under_way(store: Store, source: Path) -> None:
    """An aborted upload ends with Stopped and stores nothing."""
    with pytest.raises(Stopped, match="aborted"):
        store.upload(source, KEY, lambda: store.abort(KEY))
    assert list(store.blobs()) == []


def test_abort_twice(store: Store) -> None:
    """Aborting a key without uploads is no error, however often."""
    store.abort(KEY)
    store.abort(KEY)


def test_abort_ends_its_own_key_only(store: Store, source: Path) -> None:
    """Aborting other keys, even one that begins with it, leaves an upload alone."""

    def abort_others() -> None:
        for key in ("7/1/image.ra", "7/1/image.raw/x", "7/1/x", "71/1/image.raw"):
            store.abort(key)

    store.upload(source, KEY, abort_others)
    assert store.has(digest(source))


def test_expected_blob_is_reused(store: Store, source: Path) -> None:
    """A blob that is there already isn't copied again: nothing is under way while its source is read."""
    blob = store.upload(source, KEY, go_on)
    seen = []
    assert store.upload(source, KEY, lambda: seen.append(store.unfinished()), expected=blob.sha256) == blob
    assert seen == [()] * 3


def test_reuse_hashes_the_source(store: Store, source: Path) -> None:
    """A source of the right size and the wrong bytes is found out although the blob is there."""
    blob = store.upload(source, KEY, go_on)
    source.write_bytes(bytes(blob.size))
    with pytest.raises(CorruptFile, match=blob.sha256):
        store.upload(source, KEY, go_on, expected=blob.sha256)


def test_unexpected_source_is_not_stored(store: Store, source: Path) -> None:
    """A source that isn't what was expected raises CorruptFile with both digests, and nothing is stored."""
    with pytest.raises(CorruptFile) as caught:
        store.upload(source, KEY, go_on, expected=ABSENT)
    assert all(part in caught.value.what for part in (ABSENT, digest(source), str(source)))
    assert list(store.blobs()) == []


def test_two_uploads_of_the_same_content(store: Store, source: Path) -> None:
    """Two uploads of one content, each under way while the other is, both end well in one blob."""
    barrier = threading.Barrier(2)
    results: list[Blob] = []

    def upload(key: str) -> None:
        meetings = iter(range(3))

        def together() -> None:
            if next(meetings, None) is not None:
                barrier.wait(timeout=60)

        results.append(store.upload(source, key, together))

    threads = [threading.Thread(target=upload, args=(key,)) for key in (KEY, "8/1/image.raw")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [Blob(digest(source), source.stat().st_size)] * 2
    assert list(store.blobs()) == results[:1]
    assert store.unfinished() == ()


def test_two_uploads_of_one_key(store: Store, tmp_path: Path) -> None:
    """An upload that begins while another of the same key is under way touches nothing of it."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"first")
    second.write_bytes(b"second")
    inner: list[Blob] = []
    outer = store.upload(first, KEY, lambda: inner.append(store.upload(second, KEY, go_on)))
    for blob, path in ((outer, first), (inner[0], second)):
        assert blob.sha256 == digest(path)
        store.verify(blob.sha256, blob.size, go_on)


def test_missing_source(store: Store, tmp_path: Path) -> None:
    """A source that isn't there is named in the error."""
    with pytest.raises(NotFound, match=r"absent\.raw"):
        store.upload(tmp_path / "absent.raw", KEY, go_on)


def test_folder_as_source(store: Store, tmp_path: Path) -> None:
    """A folder is no file to store."""
    with pytest.raises(InvalidInput, match="no regular file"):
        store.upload(tmp_path, KEY, go_on)


def test_put(store: Store) -> None:
    """A small object is stored under its sha256, and a second time changes nothing."""
    blob = store.put(b"index")
    assert blob == store.put(b"index") == Blob(hashlib.sha256(b"index").hexdigest(), 5)
    assert list(store.blobs()) == [blob]


def test_put_package(store: Store, source: Path) -> None:
    """A package file is stored under the sha256 it was said to have."""
    assert store.put_package(source, digest(source)) == Blob(digest(source), source.stat().st_size)
    store.verify(digest(source), source.stat().st_size, go_on)


def test_put_package_again_is_cheap(store: Store, source: Path) -> None:
    """A package file that is there in the right size isn't even read."""
    store.put_package(source, digest(source))
    store.put_package(source, digest(source), stop_at(1))


def test_put_wrong_package(store: Store, source: Path) -> None:
    """A package file with other bytes than its sha256 says is refused and not stored."""
    with pytest.raises(CorruptFile, match=digest(source)):
        store.put_package(source, ABSENT)
    assert list(store.blobs()) == []
    assert store.unfinished() == ()


def test_verify_whole_blob(store: Store, source: Path) -> None:
    """A blob with its bytes unchanged verifies, a chunk at a time."""
    blob = store.upload(source, KEY, go_on)
    store.verify(blob.sha256, blob.size, go_on)
    with pytest.raises(Stopped):
        store.verify(blob.sha256, blob.size, stop_at(3))


def test_verify_wrong_size(store: Store) -> None:
    """A blob of another size than recorded raises CorruptFile that tells both."""
    blob = store.put(b"index")
    with pytest.raises(CorruptFile, match="has 5 bytes, expected 6"):
        store.verify(blob.sha256, 6, go_on)


def test_fetch(store: Store, source: Path, tmp_path: Path) -> None:
    """A fetched file has the blob's bytes and replaces what was there."""
    blob = store.upload(source, KEY, go_on)
    target = tmp_path / "fetched"
    target.write_bytes(b"old")
    store.fetch(blob.sha256, target, go_on)
    assert target.read_bytes() == source.read_bytes()


def test_stopped_fetch_leaves_nothing(store: Store, source: Path, tmp_path: Path) -> None:
    """A stopped fetch leaves no file, whole or partial."""
    blob = store.upload(source, KEY, go_on)
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(Stopped):
        store.fetch(blob.sha256, folder / "fetched", stop_at(2))
    assert list(folder.iterdir()) == []


def test_fetch_into_missing_folder(store: Store, tmp_path: Path) -> None:
    """A target in a folder that isn't there is refused with the folder's name."""
    blob = store.put(b"index")
    with pytest.raises(InvalidInput, match="absent"):
        store.fetch(blob.sha256, tmp_path / "absent" / "file", go_on)


def test_remove(store: Store) -> None:
    """A removed blob is gone, and removing it again is no error."""
    blob = store.put(b"index")
    store.remove(blob.sha256)
    store.remove(blob.sha256)
    assert not store.has(blob.sha256)


@pytest.mark.parametrize(
    "use",
    [
        lambda store, _target: store.open(ABSENT),
        lambda store, _target: store.size(ABSENT),
        lambda store, _target: store.verify(ABSENT, 1, go_on),
        lambda store, target: store.fetch(ABSENT, target, go_on),
    ],
    ids=["open", "size", "verify", "fetch"],
)
def test_unknown_blob(store: Store, tmp_path: Path, use: Callable[[Store, Path], object]) -> None:
    """A sha256 that the store doesn't have raises NotFound with the sha256 and what to do."""
    with pytest.raises(NotFound, match=ABSENT) as caught:
        use(store, tmp_path / "target")
    assert caught.value.hint
    assert not store.has(ABSENT)


def test_read_here_and_there(store: Store, source: Path) -> None:
    """An open blob is read from any position, and nothing beyond its end."""
    blob = store.upload(source, KEY, go_on)
    content = source.read_bytes()
    with store.open(blob.sha256) as file:
        assert file.seekable()
        assert file.read(10) == content[:10]
        assert file.seek(-5, 2) == blob.size - 5
        assert file.read(10) == content[-5:]
        assert file.seek(4 * 1024 * 1024 - 3) == file.tell()
        assert file.read(6) == content[4 * 1024 * 1024 - 3 :][:6]
        assert file.seek(blob.size) == blob.size
        assert file.read() == b""


def test_check(store: Store) -> None:
    """A store that works passes its check, and nothing of it stays."""
    store.check()
    assert list(store.blobs()) == []
    assert store.unfinished() == ()


def test_log_uri(store: Store) -> None:
    """A log's place is told before and after it is stored."""
    before = store.log_uri(7, 1, "pack")
    store.put_log(7, 1, "pack", ["one"])
    assert store.log_uri(7, 1, "pack") == before
    assert before.endswith("/logs/7/1/pack.log.gz")
