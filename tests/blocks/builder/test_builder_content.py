from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blocks.builder import content
from blocks.errors import Stopped
from blocks.stop import StopToken

KIB = 1024
SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PIECES = st.lists(
    st.tuples(st.integers(0, 400 * KIB), st.integers(1, 80 * KIB), st.sampled_from([b"\0", b"a", b"b"])), max_size=6
)


def nothing() -> None:
    """Let the work go on."""


def write(path: Path, size: int, pieces: list[tuple[int, int, bytes]], *, holes: bool) -> bytes:
    """Write pieces of (offset, length, letter) into a file of that size, zeros as holes or as data."""
    data = bytearray(size)
    for offset, length, letter in pieces:
        end = min(size, offset + length)
        data[offset:end] = letter * max(0, end - offset)
    starts = [start for start in range(0, size, 4 * KIB) if not holes or any(data[start : start + 4 * KIB])]
    with path.open("wb") as file:
        for start in starts:
            file.seek(start)
            file.write(data[start : start + 4 * KIB])
        file.truncate(size)
    return bytes(data)


@SETTINGS
@given(size=st.integers(0, 500 * KIB), pieces=PIECES)
def test_holes_make_no_difference(tmp_path: Path, size: int, pieces: list[tuple[int, int, bytes]]) -> None:
    """Files of equal bytes have one digest, whether their zeros are holes or written."""
    write(tmp_path / "sparse", size, pieces, holes=True)
    write(tmp_path / "full", size, pieces, holes=False)
    assert content.sparse_sha256(tmp_path / "sparse", nothing) == content.sparse_sha256(tmp_path / "full", nothing)


@SETTINGS
@given(sizes=st.tuples(st.integers(0, 500 * KIB), st.integers(0, 500 * KIB)), first=PIECES, second=PIECES)
def test_other_bytes_have_another_digest(
    tmp_path: Path, sizes: tuple[int, int], first: list[tuple[int, int, bytes]], second: list[tuple[int, int, bytes]]
) -> None:
    """Digests are equal exactly if the bytes are, sizes and places included."""
    one = write(tmp_path / "one", sizes[0], first, holes=True)
    two = write(tmp_path / "two", sizes[1], second, holes=False)
    digests = [content.sparse_sha256(tmp_path / name, nothing) for name in ("one", "two")]
    assert (digests[0] == digests[1]) == (one == two)


def test_large_files_are_read_across_chunks(tmp_path: Path) -> None:
    """A byte beyond the first chunk counts, and so does a byte after a hole of many chunks."""
    for name, place in (("one", 5), ("two", 5 * content.CHUNK + 7), ("three", 5 * content.CHUNK + 8)):
        with (tmp_path / name).open("wb") as file:
            file.seek(place)
            file.write(b"x")
            file.truncate(6 * content.CHUNK)
    assert len({content.sparse_sha256(tmp_path / name, nothing) for name in ("one", "two", "three")}) == 3


def test_a_huge_hole_costs_no_reading(tmp_path: Path) -> None:
    """The checks, which come with each chunk read, are as few as the data, however large the file."""
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.write(b"x")
        file.truncate(1024**4)
    calls: list[int] = []
    content.sparse_sha256(path, lambda: calls.append(1))
    assert len(calls) == 1


def test_plain_digest_is_sha256(tmp_path: Path) -> None:
    """The plain digest is the sha256 of the bytes."""
    data = os.urandom(content.CHUNK + 17)
    (tmp_path / "file").write_bytes(data)
    assert content.sha256(tmp_path / "file", nothing) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("digest", [content.sha256, content.sparse_sha256])
def test_hashing_hears_the_stop_token(tmp_path: Path, digest: object) -> None:
    """Both digests stop when the token says so."""
    (tmp_path / "file").write_bytes(b"data")
    stop = StopToken()
    stop.set("cancelled")
    assert callable(digest)
    with pytest.raises(Stopped):
        digest(tmp_path / "file", stop.check)
