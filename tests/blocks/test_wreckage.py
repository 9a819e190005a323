"""Wreckage: what living processes hold is never taken for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from blocks import wreckage


@pytest.mark.parametrize("room", ["tools", "index"])
def test_what_is_being_unpacked_is_no_wreckage_however_old_its_files_are(tmp_path: Path, room: str) -> None:
    """A tree that tar is filling bears the time of its packages; only its process tells whether anybody needs it."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    folder = tmp_path / "cache" / room
    for pid in (os.getpid(), dead.pid):
        half = folder / f"partial-{pid}-ab"
        half.mkdir(parents=True)
        os.utime(half, (0, 0))
    assert list(wreckage.stale(tmp_path)) == [folder / f"partial-{dead.pid}-ab"]
