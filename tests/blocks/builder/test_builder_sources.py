"""Sources of one's own: any suite of any distribution with apt, and what an image of it must bring with it."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from blocks.builder import Job, Order, mirrors
from blocks.builder.archive import Archive, ordered
from blocks.builder.pool import Pool
from blocks.builder.programs import initrd
from blocks.builder.programs import profile as program
from blocks.model import OSProfile, Recipe, Source
from tests.blocks.builder.conftest import Workshop
from tests.blocks.builder.small_archive import GPG, Deb, Signer, SmallArchive, tool

SCRIPT = {"name": "late", "content": "#!/bin/sh\n"}


@pytest.fixture
def house(tmp_path: Path, signers: tuple[Signer, Signer]) -> Iterator[SmallArchive]:
    """An archive of one package that needs one of Debian's, under a label of its own."""
    archive = SmallArchive(tmp_path / "house", signers[1])
    archive.publish("house", Deb("house-tool", fields={"Depends": "bash"}), origin="House", label="House")
    yield archive
    archive.end()


@pytest.fixture
def debian(tmp_path: Path) -> Source:
    """Debian as this host reaches it, written as a profile's own source."""
    mirror = next(
        found for found in mirrors.find("Debian", (), mirrors.entries(), tmp_path, Job()) if found.label == "Debian"
    )
    return Source(address=mirror.address, suite="bookworm", keyring=armoured(mirror.signed_by, tmp_path / "gpg"))


def armoured(keyring: str, home: Path) -> str:
    """The text of a keyring that is named by its path, or that is such text already."""
    if "\n" in keyring:
        return keyring
    path = Path(keyring or "/usr/share/keyrings/debian-archive-keyring.gpg")
    if path.suffix == ".asc":
        return path.read_text("utf-8")
    home.mkdir(mode=0o700)
    argv = [*GPG, "--no-default-keyring", "--keyring", str(path), "--export", "--armor"]
    return tool(*argv, environment={"GNUPGHOME": str(home)}).decode()


@pytest.mark.build
def test_a_distribution_of_one_s_own_is_built(
    workshop: Workshop, house: SmallArchive, debian: Source, signers: tuple[Signer, Signer]
) -> None:
    """A small archive on top of Debian, under names that nobody knows: its package is locked, fetched and installed."""
    own = Source(address=house.address, suite="house", keyring=signers[1].public())
    recipe = Recipe.parse(
        {
            "name": "house",
            "version": "1.0",
            "revision": 1,
            "os_profile": OSProfile(
                distribution="House", suite="front-door", packages=("house-tool",), sources=(debian, own)
            ),
            "install_profile": {"disk_size": 512},
        }
    )
    resolution = workshop.builder.resolve(recipe, None, Job())
    origins = {package.name: package.origin for package in resolution.lock.packages}
    assert (origins["house-tool"].archive, origins["house-tool"].suite) == ("House", "house")
    assert (origins["bash"].archive, origins["bash"].suite) == ("Debian", "bookworm")
    assert {state.archive for state in resolution.evidence.archives} == {"Debian", "House"}
    assert {tool.origin.archive for tool in resolution.lock.tools} <= {"Debian", "Debian-Security"}
    built = workshop.builder.run("rootfs", Order(recipe, resolution.lock, "8-1"), Job())
    with tarfile.open(built.checkpoint.path) as tar:
        file = tar.extractfile("./var/lib/dpkg/status")
        assert file is not None
        assert "Package: house-tool\nStatus: install ok installed\n" in file.read().decode()


def test_any_suite_is_known_by_its_own_sources(profile: OSProfile, archive: Archive) -> None:
    """With sources of its own a profile's distribution and suite are any."""
    strange = OSProfile.parse({**profile.document(), "distribution": "House OS", "suite": "front-door"})
    found, _ = archive.packages(strange, Job())
    assert {package.name for package in found} == {"base", "apt", "tool", "library"}


def test_two_archives_may_name_a_suite_alike(
    profile: OSProfile, archive: Archive, tmp_path: Path, signers: tuple[Signer, Signer]
) -> None:
    """Each package file comes from the archive that has it, though both call their suite the same."""
    second = SmallArchive(tmp_path / "second", signers[1])
    second.publish("bench", Deb("extra", fields={"Depends": "tool"}), label="Second")
    source = Source(address=second.address, suite="bench", keyring=signers[1].public())
    both = profile.model_copy(update={"sources": (*profile.sources, source), "packages": ("extra",)})
    packages = ordered(archive.packages(both, Job())[0])
    pool = Pool(tmp_path / "pool", 10**9)
    pool.ensure(packages, Job(), archive.fetcher(both))
    second.end()
    assert {"extra", "tool", "library"} <= {package.name for package in packages if pool.has(package)}


def test_a_kernel_without_an_initrd_is_told(tmp_path: Path) -> None:
    """A kernel that nothing makes an initrd for would not boot: the missing package is named; no kernel needs none."""
    (tmp_path / "boot").mkdir()
    initrd.make(tmp_path)
    (tmp_path / "boot/vmlinuz-6.1").touch()
    with pytest.raises(SystemExit, match="add initramfs-tools"):
        initrd.make(tmp_path)


@pytest.mark.parametrize(("folder", "other"), [("usr/bin", "=/bin/"), ("bin", "=/usr/bin/")])
def test_an_image_without_systemd_is_told(tmp_path: Path, folder: str, other: str) -> None:
    """What takes a unit names the missing package; the unit has the tools where the image has them."""
    path = tmp_path / folder / "run-parts"
    path.parent.mkdir(parents=True)
    path.touch()
    with pytest.raises(SystemExit, match=r"no systemd to enable reforge-first-boot\.service: add systemd-sysv"):
        program._first_boot(tmp_path, [SCRIPT])
    unit = (tmp_path / "etc/systemd/system/reforge-first-boot.service").read_text("utf-8")
    assert f"ExecStart=/{folder}/run-parts " in unit
    assert f"ExecStartPost=/{folder}/mv " in unit
    assert other not in unit


@pytest.mark.parametrize("action", ["enable", "disable"])
def test_services_take_systemd(tmp_path: Path, action: str) -> None:
    """Services of a profile are told to need systemd, and none need nothing."""
    none: dict[str, list[str]] = {"enable": [], "disable": []}
    program._services(tmp_path, none)
    with pytest.raises(SystemExit, match=rf"no systemd to {action} ssh\.service"):
        program._services(tmp_path, {**none, action: ["ssh.service"]})
