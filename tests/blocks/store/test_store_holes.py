"""Sparse files stay sparse, and their holes count as the zeros they are."""

from __future__ import annotations

import hashlib
import itertools
import tempfile
from io import FileIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks.store import open_store
from blocks.store.content import CHUNK, extents

MIB = 1024 * 1024
LAYOUT = st.lists(
    st.tuples(
        st.one_of(st.just(0), st.integers(0, 9 * MIB), st.integers(0, 2 * CHUNK // 4096).map(lambda n: n * 4096)),
        st.binary(min_size=0, max_size=64),
        st.integers(1, 5000),
    ),
    max_size=6,
)


def write_sparse(path: Path, layout: list[tuple[int, bytes, int]], tail: int) -> None:
    """Write each layout's entry as a gap and then its bytes so many times, and a gap at the end."""
    with path.open("wb") as file:
        for gap, pattern, times in layout:
            file.seek(gap, 1)
            file.write(pattern * times)
        file.truncate(file.tell() + tail)


def shape(path: Path) -> list[tuple[int, int, bool]]:
    """The file's extents: start, end, and whether it is a hole."""
    with FileIO(path) as file:
        return list(extents(file, path.stat().st_size))


@settings(max_examples=40, deadline=None)
@given(LAYOUT, st.integers(0, 9 * MIB))
def test_any_layout(layout: list[tuple[int, bytes, int]], tail: int) -> None:
    """Any sparse file keeps bytes, sha256 (as hashlib has it over the whole) and holes, in the store and fetched."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "source"), Path(folder, "target")
        write_sparse(source, layout, tail)
        store = open_store(Path(folder, "store").as_uri())
        blob = store.upload(source, "7/1/image.raw", lambda: None)
        store.fetch(blob.sha256, target, lambda: None)
        content = source.read_bytes()
        assert blob.sha256 == hashlib.sha256(content).hexdigest()
        assert blob.size == len(content)
        assert target.read_bytes() == content
        with store.open(blob.sha256) as stored:
            assert shape(Path(str(stored.name))) == shape(source) == shape(target)


@settings(max_examples=40, deadline=None)
@given(LAYOUT, st.integers(0, 9 * MIB))
def test_extents_have_no_gap(layout: list[tuple[int, bytes, int]], tail: int) -> None:
    """The extents of any file cover it from its first byte to its last, data and holes in turn."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        write_sparse(path, layout, tail)
        found = shape(path)
        edges = [(0, 0, None), *found, (path.stat().st_size, 0, None)]
        assert all(one[1] == other[0] for one, other in itertools.pairwise(edges))
        assert all(one[2] != other[2] for one, other in itertools.pairwise(found))


def test_all_hole(tmp_path: Path) -> None:
    """A file that is one hole takes no room in the store."""
    source = tmp_path / "source"
    write_sparse(source, [], 64 * MIB)
    store = open_store((tmp_path / "store").as_uri())
    blob = store.upload(source, "7/1/image.raw", lambda: None)
    assert blob.sha256 == hashlib.sha256(bytes(64 * MIB)).hexdigest()
    assert Path(store.uri(blob.sha256).removeprefix("file://")).stat().st_blocks == 0


@pytest.mark.parametrize("tail", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1])
def test_stop_is_called_in_holes(tmp_path: Path, tail: int) -> None:
    """A hole asks whether to stop as often as data does: once in each chunk."""
    source = tmp_path / "source"
    write_sparse(source, [], tail)
    calls: list[int] = []
    open_store((tmp_path / "store").as_uri()).upload(source, "7/1/image.raw", lambda: calls.append(1))
    assert len(calls) == -(-tail // CHUNK)
