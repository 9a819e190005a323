"""What the builder keeps below its home."""

from __future__ import annotations

from pathlib import Path

from blocks.builder import Builder


def test_nobody_else_reads_what_is_built(tmp_path: Path) -> None:
    """Checkpoints hold password hashes and the tools set-uid programs: both lie closed, however open the home is."""
    tmp_path.chmod(0o755)
    Builder(tmp_path, cache_limit=1, pool_limit=1)
    assert {name: (tmp_path / name).stat().st_mode & 0o777 for name in ("cache", "work")} == {
        "cache": 0o700,
        "work": 0o700,
    }
