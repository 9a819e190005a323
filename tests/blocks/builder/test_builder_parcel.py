from __future__ import annotations

import os
from pathlib import Path

import pytest

from blocks.builder import content, parcel
from blocks.errors import CorruptFile, Stopped
from blocks.stop import StopToken
from tests.blocks.builder.small_archive import damage

_MEBIBYTE = 1024 * 1024


def _go_on() -> None:
    """Never stop."""


@pytest.fixture
def sparse(tmp_path: Path) -> Path:
    """A file of 64 MiB with data at its beginning, in its middle, zeros that are written, and a hole at its end."""
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.write(os.urandom(_MEBIBYTE))
        file.seek(20 * _MEBIBYTE)
        file.write(b"reforge" * 900_000 + bytes(_MEBIBYTE))
        file.truncate(64 * _MEBIBYTE)
    return path


def _there_and_back(path: Path) -> Path:
    parcel.pack(path, path.with_name("parcel"), _go_on)
    parcel.unpack(path.with_name("parcel"), path.with_name("back"), _go_on)
    return path.with_name("back")


def test_bytes_and_holes_come_back(sparse: Path) -> None:
    """What is unpacked has the same bytes and takes no more room on disk; the parcel is smaller than either."""
    back = _there_and_back(sparse)
    assert back.read_bytes() == sparse.read_bytes()
    assert back.stat().st_blocks == sparse.stat().st_blocks
    assert back.with_name("parcel").stat().st_size < 2 * _MEBIBYTE


@pytest.mark.parametrize("size", [0, 1, 5 * _MEBIBYTE])
def test_a_file_of_nothing_but_a_hole(tmp_path: Path, size: int) -> None:
    """It comes back with its size, as a hole."""
    path = tmp_path / "hole"
    path.touch()
    os.truncate(path, size)
    back = _there_and_back(path)
    assert (back.stat().st_size, back.stat().st_blocks) == (size, 0)


def test_what_is_compressed_already_is_its_own_parcel(tmp_path: Path) -> None:
    """A file that isn't a parcel of ours comes out as it is."""
    path = tmp_path / "image.qcow2"
    path.write_bytes(b"QFI\xfb" + os.urandom(1000))
    before = path.read_bytes()
    parcel.unpack(path, tmp_path / "back", _go_on)
    assert (tmp_path / "back").read_bytes() == before


def test_equal_files_give_equal_parcels(sparse: Path) -> None:
    """Whoever shares the same stage stores the same blob."""
    parcel.pack(sparse, sparse.with_name("first"), _go_on)
    parcel.pack(sparse, sparse.with_name("second"), _go_on)
    first, second = (content.sha256(sparse.with_name(name), _go_on) for name in ("first", "second"))
    assert first == second


def test_a_damaged_parcel_is_corrupt(sparse: Path) -> None:
    """Damage in the middle, a missing end and a head that is no head are told."""
    whole = sparse.with_name("parcel")
    parcel.pack(sparse, whole, _go_on)
    data = whole.read_bytes()
    damage(whole)
    cut, headless = sparse.with_name("cut"), sparse.with_name("headless")
    cut.write_bytes(data[:-10_000])
    headless.write_bytes(data[:8] + b"?" + data[9:])
    for number, path in enumerate((whole, cut, headless)):
        with pytest.raises(CorruptFile, match=path.name):
            parcel.unpack(path, sparse.with_name(f"back-{number}"), _go_on)


def test_both_ways_hear_the_stop_token(sparse: Path) -> None:
    """A stop is heard within a chunk."""
    stop = StopToken()
    parcel.pack(sparse, sparse.with_name("parcel"), _go_on)
    stop.set("cancelled")
    with pytest.raises(Stopped):
        parcel.pack(sparse, sparse.with_name("second"), stop.check)
    with pytest.raises(Stopped):
        parcel.unpack(sparse.with_name("parcel"), sparse.with_name("back"), stop.check)
