from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from blocks.builder import Builder, Built, Job, Order
from blocks.builder.process import ended
from blocks.errors import MachineUnfit, Stopped
from blocks.model import Recipe
from blocks.stop import StopToken
from tests.blocks.builder.builder_child import CHILD
from tests.blocks.builder.conftest import LIMIT, Start, Workshop, gone

pytestmark = pytest.mark.build
MIDDLE = "reforge: installing packages"


def left(home: Path) -> list[str]:
    """Everything below a home that only a running build may have."""
    names = ("work/*", "reservations/*.reservation", "cache/checkpoints/partial-*", "cache/pool/partial-*")
    return [str(path.relative_to(home)) for name in names for path in home.glob(name)]


@pytest.mark.parametrize("tmpfs", [True, False])
def test_a_stop_in_the_middle_leaves_nothing(
    workshop: Workshop, make_recipe: Callable[..., Recipe], warm: Path, *, tmpfs: bool
) -> None:
    """Stopped in the middle of a stage a build has no process, folder, half-made entry or reservation any more."""
    stop = StopToken()
    others = psutil.Process().children(recursive=True)
    tree: list[psutil.Process] = []
    released: list[str] = []

    def report(line: str) -> None:
        if line.startswith("I: extracting"):
            tree.extend(child for child in psutil.Process().children(recursive=True) if child not in others)
            assert left(warm)
            stop.set("cancelled")

    builder = Builder(warm, cache_limit=LIMIT, pool_limit=LIMIT, tmpfs=tmpfs)
    with pytest.raises(Stopped, match="cancelled"):
        builder.run("rootfs", Order(make_recipe(), workshop.lock, "1-1"), Job(stop, report, released.append))
    assert len(tree) >= 3
    assert all(map(ended, tree))
    assert left(warm) == []
    assert released[0] == "work folder 1-1"
    assert released[1].startswith("reservation of")


def test_a_killed_build_leaves_nothing_that_matters(
    plain: dict[str, Built],
    workshop: Workshop,
    make_recipe: Callable[..., Recipe],
    warm: Path,
    start: Start,
) -> None:
    """After kill -9 no process is left, what lies about is swept, and the next build gives the right bytes."""
    (warm / "recipe.json").write_text(make_recipe().model_dump_json(), "utf-8")
    (warm / "lock.json").write_text(workshop.lock.model_dump_json(), "utf-8")
    argv = [str(warm), str(warm / "recipe.json"), str(warm / "lock.json"), "rootfs", "--folder"]
    child = start(str(CHILD), *argv)
    assert child.stdout is not None
    assert any(line.startswith("line I: extracting") for line in child.stdout)
    tree = psutil.Process(child.pid).children(recursive=True)
    child.kill()
    child.wait()
    assert len(tree) >= 3
    assert gone(tree)
    builder = Builder(warm, cache_limit=LIMIT, pool_limit=LIMIT)
    swept = builder.sweep(lambda name: name == "9-1", Job())
    assert "work folder 9-1" in swept
    assert left(warm) == []
    again = builder.run("rootfs", Order(make_recipe(), workshop.lock, "9-2"), Job())
    assert again.result.sha256 == plain["rootfs"].result.sha256


def test_a_sweep_spares_the_living(workshop: Workshop, warm: Path) -> None:
    """A sweep removes only work folders whose order is dead."""
    assert workshop
    builder = Builder(warm, cache_limit=LIMIT, pool_limit=LIMIT)
    for name in ("1-1", "2-1"):
        (warm / "work" / name).mkdir()
    assert builder.sweep(lambda name: name == "1-1", Job()) == ("work folder 1-1",)
    assert [path.name for path in (warm / "work").iterdir()] == ["2-1"]


def test_a_full_machine_is_told_before_anything_is_made(
    workshop: Workshop, make_recipe: Callable[..., Recipe], warm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the space isn't there the build doesn't begin, and leaves nothing."""
    monkeypatch.setattr("blocks.builder.builder._GROWTH", 10**9)
    builder = Builder(warm, cache_limit=LIMIT, pool_limit=LIMIT)
    with pytest.raises(MachineUnfit, match=r"needs .* GB, and the file system of"):
        builder.run("rootfs", Order(make_recipe(), workshop.lock, "1-1"), Job())
    assert left(warm) == []


def test_a_tiny_cache_still_builds(
    plain: dict[str, Built], workshop: Workshop, make_recipe: Callable[..., Recipe], warm: Path
) -> None:
    """A cache that can't hold two stages at once gives the right image all the same."""
    builder = Builder(warm, cache_limit=1, pool_limit=1)
    built = builder.run("pack", Order(make_recipe(), workshop.lock, "1-1"), Job())
    assert built.result.sha256 == plain["pack"].result.sha256
