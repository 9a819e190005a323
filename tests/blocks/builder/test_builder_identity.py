from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from blocks.builder import identities
from blocks.builder.stages import disk, pack, rootfs
from blocks.model import Lock, Package, Recipe, Record, canonical
from deployments.demo import example

Make = Callable[..., Package]


@pytest.fixture
def lock(make_package: Make) -> Lock:
    """A lock of a package and a tool."""
    return Lock(packages=(make_package("base"),), index="1" * 64, tools=(make_package("mmdebstrap"),))


@pytest.fixture
def recipe(make_recipe: Callable[..., Recipe]) -> Recipe:
    """A plain recipe."""
    return make_recipe()


def moved(recipe: Recipe, lock: Lock, other: Recipe, other_lock: Lock) -> list[str]:
    """The stages whose digests differ."""
    one, two = identities(recipe, lock), identities(other, other_lock)
    return [stage for stage, digest in one.items() if two[stage] != digest]


def install(recipe: Recipe, **changed: Any) -> Recipe:
    """The recipe with another install profile."""
    profile = recipe.install_profile.model_dump(mode="json")
    return Recipe.parse({**recipe.document(), "install_profile": {**profile, **changed}})


ALL = ["rootfs", "disk", "pack"]


@pytest.mark.parametrize(
    ("changed", "stages"),
    [
        ({"hostname": "other"}, ALL),
        ({"timezone": "Europe/Berlin"}, ALL),
        ({"users": [{"name": "admin"}]}, ALL),
        ({"files": [{"path": "/etc/motd", "content": "hello"}]}, ALL),
        ({"build_scripts": [{"name": "a", "content": "#!/bin/sh\n"}]}, ALL),
        ({"first_boot_scripts": [{"name": "a", "content": "#!/bin/sh\n"}]}, ALL),
        ({"services": {"enable": ["ssh.service"]}}, ALL),
        ({"apt_sources": ["deb http://a.example/debian bookworm main"]}, ALL),
        ({"network": "none"}, ALL),
        ({"locale": "C.UTF-8"}, ALL),
        ({"keyboard": {"layout": "de"}}, ALL),
        ({"disk_size": 2048}, ["disk", "pack"]),
        ({"swap_size": 64}, ["disk", "pack"]),
        ({"kernel_command_line": ["quiet"]}, ["disk", "pack"]),
        ({"memory_size": 4096}, []),
    ],
    ids=lambda value: next(iter(value), "none") if isinstance(value, dict) else "",
)
def test_a_profile_s_part_moves_its_stages(
    recipe: Recipe, lock: Lock, changed: dict[str, Any], stages: list[str]
) -> None:
    """Each part of the install profile changes the digests of the stages whose bytes it shapes, and no others."""
    assert moved(recipe, lock, install(recipe, **changed), lock) == stages


@pytest.mark.parametrize(
    ("changed", "stages"),
    [
        ({"format": "raw"}, ["pack"]),
        ({"compress": False}, ["pack"]),
        ({"name": "other"}, []),
        ({"version": "2"}, []),
        ({"revision": 9}, []),
    ],
    ids=lambda value: next(iter(value), "none") if isinstance(value, dict) else "",
)
def test_a_recipe_s_part_moves_its_stages(
    recipe: Recipe, lock: Lock, changed: dict[str, Any], stages: list[str]
) -> None:
    """Format and compression shape the packing only; the appliance's name shapes no byte."""
    assert moved(recipe, lock, recipe.model_copy(update=changed), lock) == stages


def test_an_older_record_keeps_its_document_and_its_digests() -> None:
    """The demo's record, older than some fields of the profiles, comes back byte for byte and means the same."""
    written = example.RECORD.read_bytes().strip()
    record = Record.parse_json(written)
    assert canonical(record.document()) == written
    recorded = {stage.name: stage.digest for stage in record.generation.stages}
    assert identities(record.generation.recipe, record.generation.lock) == recorded


@pytest.mark.parametrize("field", ["version", "sha256", "size", "architecture"])
def test_another_package_moves_everything(recipe: Recipe, lock: Lock, make_package: Make, field: str) -> None:
    """What a package is changes every digest."""
    value = {"version": "2", "sha256": "2" * 64, "size": 9, "architecture": "all"}[field]
    other = lock.model_copy(update={"packages": (make_package("base", **{field: value}),)})
    assert moved(recipe, lock, recipe, other) == ALL


def test_other_tools_move_everything(recipe: Recipe, lock: Lock, make_package: Make) -> None:
    """The tools that shape bytes are part of every digest, and so are the archive's stanzas."""
    assert moved(recipe, lock, recipe, lock.model_copy(update={"tools": (make_package("zstd"),)})) == ALL
    assert moved(recipe, lock, recipe, lock.model_copy(update={"index": "2" * 64})) == ALL


def test_where_a_file_lies_moves_nothing(recipe: Recipe, lock: Lock) -> None:
    """An archive that moves its files, renames a suite or a component changes no digest."""
    origin = {"archive": "Other", "suite": "oldstable", "component": "contrib", "filename": "elsewhere.deb"}
    package = Package.parse({**lock.packages[0].document(), "origin": origin})
    assert moved(recipe, lock, recipe, lock.model_copy(update={"packages": (package,)})) == []


def test_what_was_asked_for_moves_nothing_by_itself(recipe: Recipe, lock: Lock) -> None:
    """The names that were asked for count only by what they resolve to."""
    asked = recipe.os_profile.model_copy(update={"packages": ("base",)})
    assert moved(recipe, lock, recipe.model_copy(update={"os_profile": asked}), lock) == []


@pytest.mark.parametrize(("stage", "stages"), [(rootfs, ALL), (disk, ["disk", "pack"]), (pack, ["pack"])])
def test_a_stage_s_format_moves_what_follows(
    recipe: Recipe, lock: Lock, monkeypatch: pytest.MonkeyPatch, stage: Any, stages: list[str]
) -> None:
    """A stage's format number is part of its own digest and so of those after it."""
    before = identities(recipe, lock)
    monkeypatch.setattr(stage, "FORMAT", 1000)
    after = identities(recipe, lock)
    assert [name for name in after if after[name] != before[name]] == stages
