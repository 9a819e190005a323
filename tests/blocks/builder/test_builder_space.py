from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from blocks.builder.space import Space
from blocks.errors import MachineUnfit, NoSpace
from tests.blocks.builder.conftest import Start


@pytest.fixture
def space(tmp_path: Path) -> Space:
    """No reservations yet."""
    return Space(tmp_path)


def test_a_reservation_lasts_as_long_as_its_build(space: Space) -> None:
    """A reservation is there inside and gone outside."""
    with space.reserved(1000):
        assert list(space.held().values()) == [1000]
    assert space.held() == {}


def test_a_failed_build_gives_back(space: Space) -> None:
    """A build that fails gives its reservation back."""
    with pytest.raises(ZeroDivisionError), space.reserved(1000):
        raise ZeroDivisionError
    assert space.held() == {}


def test_too_much_is_refused_with_figures(space: Space, tmp_path: Path) -> None:
    """More than is free is refused, with what is needed, what is free, where, and what to do; others may free some."""
    total, _, free = shutil.disk_usage(tmp_path)
    need = (total + free) // 2
    with pytest.raises(NoSpace, match=rf"needs {need / 1e9:.1f} GB .* GB are free") as caught, space.reserved(need):
        pass
    assert caught.value.transient
    assert str(tmp_path) in caught.value.what
    assert "REFORGE_HOME" in caught.value.hint
    assert space.held() == {}


def test_more_than_there_will_ever_be_is_refused_for_good(space: Space, tmp_path: Path) -> None:
    """A file system that is too small is no reason to try again."""
    with pytest.raises(MachineUnfit, match=r"needs 1000000\.0 GB") as caught, space.reserved(10**15):
        pass
    assert str(tmp_path) in caught.value.what
    assert not caught.value.transient
    assert space.held() == {}


def test_what_others_reserved_is_not_free(space: Space, tmp_path: Path) -> None:
    """Two builds that fit one by one and not together don't both start."""
    most = shutil.disk_usage(tmp_path).free * 3 // 5
    with (
        space.reserved(most),
        pytest.raises(NoSpace, match=rf"{most / 1e9:.1f} GB of them reserved"),
        Space(tmp_path).reserved(most),
    ):
        pass


_HOLD = """
import sys
from pathlib import Path
from blocks.builder.space import Space

with Space(Path(sys.argv[1])).reserved(1000):
    print("reserved", flush=True)
    sys.stdin.readline()
"""


def test_a_killed_build_holds_nothing(space: Space, tmp_path: Path, start: Start) -> None:
    """The reservation of another living process counts; once that is killed it is gone, with its file."""
    child = start("-c", _HOLD, str(tmp_path))
    assert child.stdout is not None
    assert child.stdout.readline() == "reserved\n"
    assert list(space.held().values()) == [1000]
    child.kill()
    child.wait()
    assert space.held() == {}
    assert list(tmp_path.glob("*.reservation")) == []
