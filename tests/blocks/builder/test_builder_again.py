from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blocks.builder import Built, Job, Order, content
from blocks.errors import Unreproducible
from blocks.model import Recipe
from tests.blocks.builder.builder_child import CHILD
from tests.blocks.builder.conftest import Start, Workshop, copy_home, reachable
from tests.blocks.builder.small_archive import tool

pytestmark = pytest.mark.build


def sha256(path: Path) -> str:
    """The sha256 of a file's bytes."""
    return content.sha256(path, lambda: None)


RANDOM = {"name": "dice", "content": "#!/bin/sh\nhead -c 16 /dev/urandom > /srv/dice\n"}


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder that an ordinary user reaches, far from the others."""
    folder = Path(tempfile.mkdtemp(prefix="elsewhere-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_other_circumstances_same_bytes(
    plain: dict[str, Built],
    workshop: Workshop,
    make_recipe: Callable[..., Recipe],
    ordinary: tuple[str, ...],
    start: Start,
    elsewhere: Path,
) -> None:
    """As an ordinary user, in another folder on disk, time zone and umask the packed image has the same bytes."""
    home = elsewhere / "home"
    copy_home(workshop.home, home)
    (elsewhere / "recipe.json").write_text(make_recipe().model_dump_json(), "utf-8")
    (elsewhere / "lock.json").write_text(workshop.lock.model_dump_json(), "utf-8")
    if ordinary:
        tool("chown", "-R", f"{ordinary[2]}:", str(home))
    argv = [str(home), str(elsewhere / "recipe.json"), str(elsewhere / "lock.json"), "pack", "--folder", "--umask=077"]
    user = [*ordinary, "env", "TZ=Pacific/Chatham", "LC_ALL=de_DE.UTF-8"]
    child = start(str(CHILD), *argv, user=user, python=reachable(ordinary))
    told = child.communicate()[0].splitlines()
    assert told[-1] == f"done pack {sha256(plain['pack'].checkpoint.path)}", told[-5:]
    assert list((home / "work").iterdir()) == []
    if ordinary:
        assert {path.stat().st_uid for path in (home / "cache/checkpoints").rglob("*")} != {os.geteuid()}


def test_a_rebuild_arrives_at_the_same_bytes(
    plain: dict[str, Built], workshop: Workshop, make_recipe: Callable[..., Recipe]
) -> None:
    """A rebuild runs every stage again and arrives at the bytes that are there; the first output stays."""
    for stage, first in plain.items():
        order = Order(make_recipe(), workshop.lock, "8-1", rebuild=True)
        again = workshop.builder.run(first.result.name, order, Job(), expected=first.result.sha256)
        assert not again.result.reused, stage
        assert again.checkpoint == first.checkpoint
    assert list((workshop.home / "cache/checkpoints").glob("partial-*")) == []


def test_chance_is_told(workshop: Workshop, make_recipe: Callable[..., Recipe]) -> None:
    """A rebuild that gives other bytes is told with the file that differs, and never replaces the first output."""
    recipe = make_recipe(build_scripts=[RANDOM])
    first = workshop.builder.run("rootfs", Order(recipe, workshop.lock, "8-2"), Job())
    before = sha256(first.checkpoint.path)
    with pytest.raises(Unreproducible, match=r"1 files differ: \./srv/dice") as caught:
        workshop.builder.run("rootfs", Order(recipe, workshop.lock, "8-3", rebuild=True), Job())
    assert "build script" in caught.value.hint
    assert sha256(first.checkpoint.path) == before
    assert list((workshop.home / "cache/checkpoints").glob("partial-*")) == []


def test_other_bytes_than_recorded_are_told(
    plain: dict[str, Built], workshop: Workshop, make_recipe: Callable[..., Recipe], warm: Path
) -> None:
    """Bytes that differ from those first recorded elsewhere are refused though this machine has made none yet."""
    assert warm
    order = Order(make_recipe(disk_size=900), workshop.lock, "8-4")
    with pytest.raises(Unreproducible, match=f"content .* now, {'0' * 64} then"):
        workshop.builder.run("disk", order, Job(), expected="0" * 64)
    assert not workshop.builder.has("disk", plain["disk"].result.digest[::-1])
