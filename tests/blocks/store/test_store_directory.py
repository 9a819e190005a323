"""What the store in a directory promises beyond the interface: its layout, its damage, its faults, its processes."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from blocks.errors import CorruptFile, MachineUnfit, NoSpace, ReforgeError, Stopped, StoreUnavailable
from blocks.model import Record
from blocks.store import Store, open_store
from blocks.store.faults import translated

KEY = "7/1/image.raw"
Place = Callable[[str], Path]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The URL of a store in a folder."""
    return (tmp_path / "store").as_uri()


Run = Callable[..., subprocess.CompletedProcess[str]]

UPLOAD_AND_WAIT = """
import sys
from pathlib import Path
from blocks.store import open_store

url, source = sys.argv[1:]
calls = iter(range(2))

def stop():
    if next(calls, None) is None:
        print("in the middle", flush=True)
        sys.stdin.read()

open_store(url).upload(Path(source), "7/1/image.raw", stop)
"""

UPLOAD_IN_NAMESPACE = """
import subprocess, sys
from pathlib import Path
from blocks.errors import ReforgeError
from blocks.store import open_store

mount, root, source = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
root.mkdir(exist_ok=True)
for command in mount.format(root=root).split(";"):
    subprocess.run(command.split(), check=True)
try:
    open_store(root.as_uri()).upload(source, "7/1/image.raw", lambda: None)
except ReforgeError as error:
    print(type(error).__name__, error)
print("left:", sum(file.is_file() for file in root.rglob("*")))
"""

MEASURE_MEMORY = """
import re, sys
from pathlib import Path
from blocks.store import open_store

def peak():
    return int(re.search("VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

store, before = open_store(sys.argv[1]), peak()
blob = store.upload(Path(sys.argv[2]), "7/1/image.raw", lambda: None)
store.verify(blob.sha256, blob.size, lambda: None)
store.fetch(blob.sha256, Path(sys.argv[3]), lambda: None)
print(peak() - before)
"""


def go_on() -> None:
    """Never stop."""


def namespace() -> tuple[str, ...]:
    """The prefix of a command that may mount for itself; skips the test where that is impossible."""
    prefix = ("unshare", "--user", "--map-root-user", "--mount")
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine gives no user namespaces")
    return prefix


def test_layout(store: Store, source: Path, place: Place, root: Path) -> None:
    """A blob lies below the first two digits of its sha256, and its URI leads there."""
    blob = store.upload(source, KEY, go_on)
    assert place(blob.sha256).read_bytes() == source.read_bytes()
    assert store.uri(blob.sha256) == place(blob.sha256).as_uri()
    assert [path.name for path in root.iterdir() if path.name != "uploads"] == ["blobs"]


def test_new_store_is_private(store: Store, root: Path) -> None:
    """A new store can't be entered by other users: a record is as confidential as its image."""
    assert list(store.blobs()) == []
    assert root.stat().st_mode & 0o777 == 0o700


def test_no_shared_inode(store: Store, source: Path, place: Place) -> None:
    """A package file in the store is a copy: damage to its source doesn't reach it."""
    sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    store.put_package(source, sha256)
    with source.open("r+b") as file:
        file.write(b"damage")
    assert place(sha256).stat().st_nlink == 1
    store.verify(sha256, place(sha256).stat().st_size, go_on)


def test_reuse_keeps_the_file(store: Store, source: Path, place: Place) -> None:
    """An upload of what is there already leaves the very same file in place."""
    blob = store.upload(source, KEY, go_on)
    before = place(blob.sha256).stat()
    store.upload(source, KEY, go_on, expected=blob.sha256)
    after = place(blob.sha256).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def flip_bit(path: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_verify_finds_one_flipped_bit(store: Store, source: Path, place: Place) -> None:
    """One flipped bit raises CorruptFile with the file, the expected sha256 and the one found."""
    blob = store.upload(source, KEY, go_on)
    flip_bit(place(blob.sha256))
    found = hashlib.sha256(place(blob.sha256).read_bytes()).hexdigest()
    with pytest.raises(CorruptFile) as caught:
        store.verify(blob.sha256, blob.size, go_on)
    assert all(part in caught.value.what for part in (str(place(blob.sha256)), blob.sha256, found))


def test_fetch_of_damaged_blob(store: Store, source: Path, place: Place, tmp_path: Path) -> None:
    """A damaged blob can't be fetched, and what was at the target stays."""
    blob = store.upload(source, KEY, go_on)
    flip_bit(place(blob.sha256))
    target = tmp_path / "target"
    target.write_bytes(b"old")
    with pytest.raises(CorruptFile):
        store.fetch(blob.sha256, target, go_on)
    assert target.read_bytes() == b"old"


def test_upload_mends_a_damaged_blob(store: Store, source: Path, place: Place) -> None:
    """An upload without an expected sha256 puts a good file in a damaged one's place."""
    blob = store.upload(source, KEY, go_on)
    flip_bit(place(blob.sha256))
    store.upload(source, KEY, go_on)
    store.verify(blob.sha256, blob.size, go_on)


def test_cut_blob_is_not_reused(store: Store, source: Path, place: Place) -> None:
    """A blob of the wrong size is written anew, by an upload, a package and a small object alike."""
    sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    writers: list[Callable[[], object]] = [
        lambda: store.upload(source, KEY, go_on, expected=sha256),
        lambda: store.put_package(source, sha256),
        lambda: store.put(source.read_bytes()),
    ]
    for write in writers:
        write()
        place(sha256).write_bytes(b"cut")
        write()
        store.verify(sha256, source.stat().st_size, go_on)


def test_source_that_shrinks(store: Store, source: Path) -> None:
    """A source that gets shorter while it is read is found out, and nothing is stored."""
    with pytest.raises(CorruptFile, match=r"image\.raw ends at byte"):
        store.upload(source, KEY, lambda: os.truncate(source, 1000))
    assert list(store.blobs()) == []


def test_kill_in_the_middle(store: Store, root: Path, source: Path) -> None:
    """A process killed in the middle of an upload leaves no blob, only an unfinished upload that can be aborted."""
    command = [sys.executable, "-c", UPLOAD_AND_WAIT, root.as_uri(), str(source)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in the middle\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert list(store.blobs()) == []
    (left,) = store.unfinished()
    assert left.key == KEY
    assert 0 < left.size < source.stat().st_size
    store.abort(KEY)
    assert store.unfinished() == ()


def test_upload_after_a_kill(store: Store, root: Path, source: Path) -> None:
    """What a killed upload left behind doesn't disturb the next one."""
    command = [sys.executable, "-c", UPLOAD_AND_WAIT, root.as_uri(), str(source)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
    blob = store.upload(source, KEY, go_on)
    store.verify(blob.sha256, blob.size, go_on)
    assert len(store.unfinished()) == 1


def test_abort_from_another_process(store: Store, root: Path, source: Path) -> None:
    """An upload in another process ends with Stopped at its next chunk after its key was aborted."""
    command = [sys.executable, "-c", UPLOAD_AND_WAIT, root.as_uri(), str(source)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        store.abort(KEY)
        _, errors = process.communicate()
    assert process.returncode == 1
    assert Stopped.__name__ in errors
    assert list(store.blobs()) == []


def test_memory_is_bounded(root: Path, tmp_path: Path, run_python: Run) -> None:
    """Uploading, verifying and fetching 1 GiB with 128 MiB of data takes less than 32 MiB of memory."""
    source = tmp_path / "large"
    with source.open("wb") as file:
        for gibibyte_part in range(8):
            file.seek(gibibyte_part * 2**27)
            file.write(bytes([gibibyte_part + 1]) * 2**24)
        file.truncate(2**30)
    done = run_python(MEASURE_MEMORY, root.as_uri(), source, tmp_path / "target")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 32 * 1024


def test_full_disk(root: Path, source: Path, run_python: Run) -> None:
    """On a full disk the upload raises NoSpace with what to do, and gives back the room it took."""
    mount = "mount -t tmpfs -o size=6m tmpfs {root}"
    done = run_python(UPLOAD_IN_NAMESPACE, mount, root, source, prefix=namespace())
    assert done.stdout.startswith("NoSpace Storing"), done.stderr
    assert str(root) in done.stdout
    assert "Free disk space" in done.stdout
    assert done.stdout.endswith("left: 0\n")


def test_read_only_store(root: Path, source: Path, run_python: Run) -> None:
    """A store mounted read-only isn't worth another try, and the error says what to change."""
    mount = "mount --bind {root} {root};mount -o remount,bind,ro {root}"
    done = run_python(UPLOAD_IN_NAMESPACE, mount, root, source, prefix=namespace())
    assert done.stdout.startswith("MachineUnfit Storing"), done.stderr
    assert "Mount its file system for writing" in done.stdout


@pytest.mark.parametrize(
    "use",
    [
        lambda store, source, _record: store.upload(source, KEY, go_on),
        lambda store, _source, _record: store.put(b"index"),
        lambda store, _source, _record: store.has("0" * 64),
        lambda store, _source, _record: store.open("0" * 64),
        lambda store, _source, _record: store.remove("0" * 64),
        lambda store, _source, _record: store.unfinished(),
        lambda store, _source, record: store.put_record(record),
        lambda store, _source, _record: list(store.records()),
        lambda store, _source, _record: store.log(7, 1, "pack"),
    ],
    ids=["upload", "put", "has", "open", "remove", "unfinished", "put_record", "records", "log"],
)
def test_vanished_store(
    store: Store,
    root: Path,
    source: Path,
    make_record: Callable[[int], Record],
    use: Callable[[Store, Path, Record], object],
) -> None:
    """A store whose folder went away is unavailable, never empty, and isn't made anew by a write."""
    root.rmdir()
    with pytest.raises(StoreUnavailable, match="Mount or restore it"):
        use(store, source, make_record(7))
    assert not root.exists()


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, NoSpace),
        (errno.EDQUOT, NoSpace),
        (errno.EACCES, MachineUnfit),
        (errno.EROFS, MachineUnfit),
        (errno.ENOTDIR, MachineUnfit),
        (errno.EIO, StoreUnavailable),
        (errno.ESTALE, StoreUnavailable),
    ],
)
def test_meaning_of_system_errors(number: int, kind: type[ReforgeError]) -> None:
    """A system error becomes the error that says whether another try helps, with doing, file and hint."""
    with pytest.raises(kind) as caught, translated("Storing image.raw", Path("/the/store")):
        raise OSError(number, os.strerror(number), "/the/store/uploads/x")
    assert type(caught.value) is kind
    assert "Storing image.raw" in caught.value.what
    assert "/the/store/uploads/x" in caught.value.what
    assert caught.value.hint


def test_file_in_the_way(tmp_path: Path) -> None:
    """A store can't be opened where a file is."""
    (tmp_path / "store").touch()
    with pytest.raises(ReforgeError, match="Opening the store"):
        open_store((tmp_path / "store").as_uri())


def test_foreign_files_are_passed_over(store: Store, root: Path) -> None:
    """Files that aren't the store's own are neither blobs nor unfinished uploads."""
    blob = store.put(b"index")
    (root / "blobs/sha256/notes.txt").touch()
    (root / "blobs/sha256" / blob.sha256[:2] / "copy~").touch()
    (root / "uploads/notes.txt").touch()
    assert list(store.blobs()) == [blob]
    assert store.unfinished() == ()


def test_last_blob_takes_its_folder_along(store: Store, root: Path) -> None:
    """Removing the last blob leaves no empty folders, and the store works on."""
    blob = store.put(b"index")
    store.remove(blob.sha256)
    assert not (root / "blobs").exists() or list((root / "blobs").iterdir()) == []
    assert store.put(b"index") == blob
