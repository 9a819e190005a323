"""What the profiles take, and what a recipe keeps of an appliance."""

from __future__ import annotations

from typing import Any

import pytest

from blocks.errors import InvalidInput
from blocks.model import Appliance, InstallProfile, OSProfile, Recipe


def test_smallest_appliance() -> None:
    """A name alone makes an appliance; it has no OS profile, and its policy is refresh."""
    appliance = Appliance.parse({"name": "server"})
    assert appliance.os_profile is None
    assert appliance.policy == "refresh"
    assert appliance.revision == 1


def test_defaults_leave_no_trace_of_the_host() -> None:
    """Unless asked for, an image has neither apt sources nor users, and lives in UTC."""
    profile = InstallProfile()
    assert profile.apt_sources == ()
    assert profile.users == ()
    assert profile.timezone == "Etc/UTC"


@pytest.mark.parametrize(
    ("field", "entry"),
    [
        ("users", {"name": "ada"}),
        ("files", {"path": "/etc/motd", "content": "x"}),
        ("build_scripts", {"name": "setup", "content": "#!/bin/sh\n"}),
        ("first_boot_scripts", {"name": "setup", "content": "#!/bin/sh\n"}),
    ],
)
def test_things_are_named_once(field: str, entry: dict[str, Any]) -> None:
    """Two users, files or scripts of one name can't both be meant."""
    InstallProfile.parse({field: [entry]})
    with pytest.raises(InvalidInput, match="is allowed once"):
        InstallProfile.parse({field: [entry, entry]})


def test_a_keyboard_has_at_most_one_variant_for_each_layout() -> None:
    """Variants are named in the order of the layouts; one too many can't be meant."""
    keyboard = {"layout": "us,ru", "variant": ",phonetic"}
    assert InstallProfile.parse({"keyboard": keyboard}).document()["keyboard"]["model"] == "pc105"
    with pytest.raises(InvalidInput, match="one variant for each layout"):
        InstallProfile.parse({"keyboard": {**keyboard, "layout": "us"}})


def test_what_is_not_set_is_not_written() -> None:
    """Locale and keyboard came later: a profile without them has the document that it always had."""
    assert not {"locale", "keyboard"} & set(InstallProfile().document())
    assert InstallProfile.parse({"locale": None, "keyboard": None}) == InstallProfile()
    assert InstallProfile(locale="C.UTF-8").document()["locale"] == "C.UTF-8"


@pytest.mark.parametrize("packages", [["bash", "bash"], ["Bash"], ["bash=1"], ["bash -y"], ["--help"]])
def test_packages_asked_for(packages: list[str]) -> None:
    """A package is asked for once and by its name alone."""
    with pytest.raises(InvalidInput, match="packages"):
        OSProfile.parse({"suite": "bookworm", "packages": packages})


def test_script_has_its_interpreter() -> None:
    """A script begins with the line that names its interpreter."""
    with pytest.raises(InvalidInput, match="content"):
        InstallProfile.parse({"build_scripts": [{"name": "setup", "content": "echo"}]})


@pytest.mark.parametrize("field", ["disk_size", "memory_size", "swap_size"])
@pytest.mark.parametrize("size", [-1, 16 * 1024 * 1024 + 1, "large", 1.5])
def test_sizes(field: str, size: object) -> None:
    """Sizes are whole MiB within limits."""
    with pytest.raises(InvalidInput, match=field):
        InstallProfile.parse({field: size})


@pytest.mark.parametrize(
    "wrong",
    [{"distribution": "../x"}, {"architecture": "arm64"}, {"suite": "../x"}, {"components": ["main", "main"]}],
)
def test_wrong_os_profile(wrong: dict[str, Any]) -> None:
    """A distribution, architecture, suite or component that can't be built from is named."""
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        OSProfile.parse({"suite": "bookworm", **wrong})


def test_another_distribution_takes_its_own_sources() -> None:
    """Debian comes from the build host's mirrors; any other distribution is named with where it comes from."""
    source = {"address": "http://a.example/house", "suite": "house", "keyring": "-----BEGIN PGP PUBLIC KEY BLOCK-----"}
    profile = OSProfile.parse({"distribution": "House OS", "suite": "front-door", "sources": [source]})
    assert profile.distribution == "House OS"
    with pytest.raises(InvalidInput, match="sources of its own"):
        OSProfile.parse({"distribution": "House OS", "suite": "front-door"})
    with pytest.raises(InvalidInput, match="distribution"):
        OSProfile.parse({**profile.document(), "distribution": "House\nOS"})


def test_recipe_survives_the_appliance() -> None:
    """A recipe is a copy: name, version, revision and both profiles as they were."""
    profile = OSProfile(suite="bookworm", packages=("bash",))
    appliance = Appliance(name="server", version="2.0", revision=3, install_profile=InstallProfile(hostname="web"))
    recipe = Recipe.of(appliance, profile, "raw", compress=False)
    assert (recipe.name, recipe.version, recipe.revision) == ("server", "2.0", 3)
    assert (recipe.os_profile, recipe.install_profile) == (profile, appliance.install_profile)
    assert (recipe.format, recipe.compress) == ("raw", False)
    assert Recipe.parse(recipe.document()) == recipe
