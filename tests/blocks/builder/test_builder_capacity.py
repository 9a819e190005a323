from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from blocks.builder import capacity

_GB = 10**9


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine of 8 cores, 64 GB of memory and 1 TB of disk, without a container's limits."""
    monkeypatch.setattr(capacity, "_GROUP", tmp_path)
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(8)))
    _memory(monkeypatch, 64 * _GB)
    _disk(monkeypatch, 1000 * _GB)
    return monkeypatch


def _memory(machine: pytest.MonkeyPatch, available: int) -> None:
    machine.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=available))


def _disk(machine: pytest.MonkeyPatch, free: int) -> None:
    machine.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=free))


def test_a_build_for_each_core(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where memory and disk allow, the cores decide."""
    assert machine
    assert capacity.runs(tmp_path) == 8


def test_what_is_scarce_decides(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Little memory or little free disk space means fewer builds, and never none."""
    _memory(machine, 3 * _GB)
    assert capacity.runs(tmp_path) == 3
    _disk(machine, 9 * _GB)
    assert capacity.runs(tmp_path) == 2
    _disk(machine, 1)
    assert capacity.runs(tmp_path) == 1


def test_the_limits_of_a_container_count(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the container may not use is not there."""
    assert machine
    (tmp_path / "cpu.max").write_text("550000 100000\n", "utf-8")
    assert capacity.runs(tmp_path) == 5
    (tmp_path / "cpu.max").write_text("max 100000\n", "utf-8")
    (tmp_path / "memory.max").write_text(f"{4 * _GB}\n", "utf-8")
    (tmp_path / "memory.current").write_text(f"{2 * _GB}\n", "utf-8")
    assert capacity.runs(tmp_path) == 2


def test_this_machine_takes_one_at_least() -> None:
    """As it really is."""
    assert capacity.runs(Path("/")) >= 1
