"""The targets: what users name, UForge's word for it, and the file that we make."""

from __future__ import annotations

import pytest

from blocks.errors import InvalidInput
from blocks.model import Appliance, InstallProfile, OSProfile, Recipe
from blocks.model.request import FirstGeneration
from blocks.model.search import Search
from blocks.model.target import PLATFORMS, TARGETS, taken_by, target

_OLD = {"name", "version", "revision", "os_profile", "install_profile", "format", "compress"}


def _recipe() -> Recipe:
    return Recipe.of(Appliance(name="server"), OSProfile(suite="bookworm"), "qcow2", compress=True)


def test_every_target_is_found_by_its_label_and_its_id() -> None:
    """Labels and ids are of one target each."""
    assert [each.label for each in TARGETS.values()] == list(TARGETS)
    assert len({each.id for each in TARGETS.values()}) == len(TARGETS)


def test_each_platform_takes_the_formats_of_its_kind() -> None:
    """A cloud's target format is taken by one platform, any other by none."""
    taken = {platform.name: [each.label for each in taken_by(platform)] for platform in PLATFORMS}
    assert taken == {"OpenStack": ["OpenStack QCOW2"], "CloudStack": ["CloudStack QCOW2"]}
    assert all((each.platform is None) == (each.type == "virtual") for each in TARGETS.values())


def test_without_a_label_the_file_s_own_format_counts() -> None:
    """A recipe of an earlier time has the target that is named like its format."""
    assert (target(None, "raw").label, target(None, "qcow2").label) == ("RAW", "QCOW2")
    assert target("KVM", "qcow2").primitive == "kvm"


def test_a_recipe_that_asks_for_nothing_new_keeps_its_document() -> None:
    """What came later is left out unless it is set, so that older digests hold; set, it survives."""
    assert set(_recipe().document()) == _OLD
    told = _recipe().model_copy(update={"target": "KVM", "simulated": True, "check_dependencies": True})
    assert set(told.document()) - _OLD == {"target", "simulated", "check_dependencies"}
    assert Recipe.parse(told.document()) == told


@pytest.mark.parametrize("wrong", [{"target": "RAW"}, {"target": "VirtualBox"}, {"target": "qcow2"}])
def test_a_target_of_another_format_or_of_none_is_refused(wrong: dict[str, str]) -> None:
    """Recipe and request know the targets, and that a qcow2 file is no raw disk."""
    with pytest.raises(InvalidInput, match="target"):
        Recipe.parse({**_recipe().document(), **wrong})
    with pytest.raises(InvalidInput, match="target"):
        FirstGeneration.parse({"user": "alice", "appliance": 1, "format": "qcow2", **wrong})


def test_a_first_generation_keeps_what_it_was_known_by() -> None:
    """Fields that came later are left out of the request unless they are set: an idempotency key knows it again."""
    plain = FirstGeneration(user="alice", appliance=1)
    assert set(plain.document()) == {"user", "appliance", "force", "key", "ticket", "token", "format", "compress"}
    sized = FirstGeneration(user="alice", appliance=1, disk_size=4096, swap_size=0)
    assert sized.overrides() == {"disk_size": 4096, "swap_size": 0}
    assert set(sized.overrides()) < set(sized.document())
    assert set(sized.overrides()) < set(InstallProfile.model_fields)


def test_a_search_is_bounded() -> None:
    """Counts are numbers of entries that a database can skip or give."""
    assert not Search().paged
    assert Search(count=0).paged
    assert Search(offset=1).paged
    for wrong in ({"count": -1}, {"offset": -1}, {"count": 2**40}, {"limit": 1}):
        with pytest.raises(InvalidInput):
            Search.parse(wrong)
