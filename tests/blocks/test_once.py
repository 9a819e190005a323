"""Files that are made once: all who miss one at the same moment find the same."""

from __future__ import annotations

import multiprocessing
import stat
from functools import partial
from pathlib import Path

from blocks.once import made_once


def _made(number: int, path: Path) -> str:
    return made_once(path, f"{number}\n", 0o600)


def test_one_of_many_makes_it(tmp_path: Path) -> None:
    """Twenty processes at once agree on one content, that stays; nobody but its user may read it; nothing is left."""
    with multiprocessing.get_context("spawn").Pool(4) as processes:
        found = set(processes.map(partial(_made, path=tmp_path / "key"), range(20), 1))
    assert len(found) == 1
    assert found == {made_once(tmp_path / "key", "another")}
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
