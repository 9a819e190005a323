"""Whether somebody serves a home: told by a held lock alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from filelock import FileLock


def test_those_who_look_do_not_take_each_other_for_it(tmp_path: Path) -> None:
    """However many look at once, only whoever serves makes the difference."""
    from deployments.up.up import _is_up  # noqa: PLC0415 (what `--detach` asks before it makes a ticket)

    assert not _is_up(tmp_path)
    with FileLock(tmp_path / "up.lock"):
        assert _is_up(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        assert not any(pool.map(lambda _: _is_up(tmp_path), range(400)))
