from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from blocks.builder import Job
from blocks.builder.archive import TOOLS, Archive, index, ordered
from blocks.builder.stages.resolve import resolve
from blocks.errors import (
    InvalidInput,
    MirrorRefused,
    MirrorUnreachable,
    PackagesMissing,
    ReforgeError,
    UnsupportedSuite,
)
from blocks.model import InstallProfile, Lock, OSProfile, Package, Recipe
from tests.blocks.builder.small_archive import BASE, Deb, Signer, SmallArchive
from tests.servers.relay import relay


def versions(found: dict[Package, bytes]) -> dict[str, str]:
    """Name and version of each package."""
    return {package.name: package.version for package in found}


def test_takes_what_is_wanted_and_what_that_needs(profile: OSProfile, archive: Archive) -> None:
    """A resolve finds the essential packages, apt, the wanted ones and their dependencies, each with its version."""
    found, _ = archive.packages(profile, Job())
    assert versions(found) == {"base": "1.0", "apt": "1.0", "tool": "1.0", "library": "1.0"}


def test_knows_each_file_exactly(profile: OSProfile, archive: Archive, served: SmallArchive) -> None:
    """A package's size and sha256 are those of the archive's file, and its origin names the file but no host."""
    found, _ = archive.packages(profile, Job())
    tool = next(package for package in found if package.name == "tool")
    data = (served.folder / "pool/tool_1.0_amd64.deb").read_bytes()
    assert (tool.size, tool.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert tool.origin.document() == {
        "archive": "Debian",
        "suite": "bench",
        "component": "main",
        "filename": "pool/tool_1.0_amd64.deb",
    }


def test_keeps_the_archive_s_own_stanzas(profile: OSProfile, archive: Archive, served: SmallArchive) -> None:
    """The index object consists of the archive's stanzas, byte for byte, in the order of the lock."""
    found, _ = archive.packages(profile, Job())
    packages = (served.folder / "dists/bench/main/binary-amd64/Packages").read_text("utf-8")
    stanzas = {stanza.split("\n")[0]: stanza.strip("\n") for stanza in packages.split("\n\n")}
    wanted = "\n\n".join(stanzas[f"Package: {name}"] for name in ("apt", "base", "library", "tool"))
    assert index(found) == f"{wanted}\n".encode()


def test_the_archive_s_state_is_the_evidence(profile: OSProfile, archive: Archive, served: SmallArchive) -> None:
    """The evidence is the sha256 of the InRelease file that the packages were resolved from."""
    _, evidence = archive.packages(profile, Job())
    data = (served.folder / "dists/bench/InRelease").read_bytes()
    assert [state.sha256 for state in evidence.archives] == [hashlib.sha256(data).hexdigest()]


@pytest.mark.parametrize(
    ("rows", "known_as"),
    [
        ({"Label": None}, "Debian"),
        ({"Label": ". bench"}, ". bench"),
        ({"Origin": None, "Label": None, "Codename": None}, "unnamed"),
        ({"Date": "Tue, 03 Mar 2026 04:05:06"}, "Debian"),
    ],
)
def test_archives_that_say_little_are_taken(
    profile: OSProfile, archive: Archive, served: SmallArchive, rows: dict[str, str | None], known_as: str
) -> None:
    """A Release file without a label, a code name or a zone in its date is evidence all the same."""
    served.publish("bench", *BASE, Deb("tool"), release=rows)
    found, evidence = archive.packages(profile, Job())
    assert "tool" in versions(found)
    assert [state.archive for state in evidence.archives] == [known_as]


def test_a_release_without_a_date_is_told(profile: OSProfile, archive: Archive, served: SmallArchive) -> None:
    """A Release file without its date is refused with what it lacks."""
    served.publish("bench", *BASE, Deb("tool"), release={"Date": None})
    with pytest.raises(ReforgeError, match=r"Date|date"):
        archive.packages(profile, Job())


def test_a_signature_beside_the_release_will_do(
    profile: OSProfile, archive: Archive, served: SmallArchive, signers: tuple[Signer, Signer]
) -> None:
    """An archive with Release and Release.gpg instead of InRelease is verified and recorded as well."""
    suite = served.folder / "dists/bench"
    release = suite.joinpath("InRelease").read_text("utf-8").split("\n\n", 1)[1].split("-----BEGIN")[0].encode()
    (suite / "InRelease").unlink()
    (suite / "Release").write_bytes(release)
    (suite / "Release.gpg").write_bytes(signers[0].sign_apart(release))
    _, evidence = archive.packages(profile, Job())
    assert [state.sha256 for state in evidence.archives] == [hashlib.sha256(release).hexdigest()]


def test_same_archive_same_lock(profile: OSProfile, archive: Archive, tmp_path: Path) -> None:
    """An archive that didn't move gives the same packages and stanzas, also from a folder that knows nothing yet."""
    first, evidence = archive.packages(profile, Job())
    other = Archive(tmp_path / "other", tmp_path / "host")
    assert archive.packages(profile, Job()) == other.packages(profile, Job()) == (first, evidence)


def test_a_moved_archive_gives_its_newest(profile: OSProfile, archive: Archive, served: SmallArchive) -> None:
    """What the archive has meanwhile upgraded or added as a dependency is what the next resolve takes."""
    _, before = archive.packages(profile, Job())
    served.publish("bench", *BASE, Deb("tool", "1.1", {"Depends": "helper"}), Deb("helper", "3"), Deb("library"))
    found, after = archive.packages(profile, Job())
    assert versions(found) == {"base": "1.0", "apt": "1.0", "tool": "1.1", "helper": "3"}
    assert before.state() != after.state()


def test_a_check_of_the_dependencies_believes_no_cache(profile: OSProfile, archive: Archive, tmp_path: Path) -> None:
    """An index that was fetched before and says something else since is believed, but not if all is checked anew."""
    first, _ = archive.packages(profile, Job())
    before = Lock(packages=ordered(first), index=hashlib.sha256(index(first)).hexdigest(), tools=())
    recipe = Recipe(name="small", version="1", revision=1, os_profile=profile, install_profile=InstallProfile())
    (kept,) = tmp_path.glob("apt/*/lists/*_Packages")
    kept.write_text(kept.read_text("utf-8").replace("Depends: library\n", ""), "utf-8")
    assert "library" not in versions(archive.packages(profile, Job())[0])
    checked = recipe.model_copy(update={"check_dependencies": True})
    assert resolve(checked, before, archive, Job()).lock == before
    assert archive.packages(profile, Job())[0] == first


def test_versions_compare_as_debian_s_do(profile: OSProfile, archive: Archive, served: SmallArchive) -> None:
    """Of several versions the newest by Debian's order is taken."""
    served.publish("bench", *BASE, Deb("tool", "1.9"), Deb("tool", "1.10"), Deb("tool", "1.10~rc1"))
    found, _ = archive.packages(profile, Job())
    assert versions(found)["tool"] == "1.10"


def test_recommended_packages_stay_out(profile: OSProfile, archive: Archive, served: SmallArchive) -> None:
    """A package that is only recommended isn't installed."""
    served.publish("bench", *BASE, Deb("tool", fields={"Recommends": "library"}), Deb("library"))
    found, _ = archive.packages(profile, Job())
    assert "library" not in versions(found)


def test_an_unknown_package_is_named(profile: OSProfile, archive: Archive) -> None:
    """A package that no archive has is named, with what to do."""
    wanted = profile.model_copy(update={"packages": ("tool", "no-such-thing")})
    with pytest.raises(PackagesMissing, match="no-such-thing") as caught:
        archive.packages(wanted, Job())
    assert "OS profile" in caught.value.hint


def test_an_unmet_dependency_is_named(profile: OSProfile, archive: Archive, served: SmallArchive) -> None:
    """A dependency that the archive can't meet is named together with who needs it."""
    served.publish("bench", *BASE, Deb("tool", fields={"Depends": "lost-library (>= 2)"}))
    with pytest.raises(PackagesMissing, match=r"tool : Depends: lost-library"):
        archive.packages(profile, Job())


def test_a_removed_package_is_missing(profile: OSProfile, archive: Archive, served: SmallArchive) -> None:
    """A package that the archive has dropped is missing, whatever an earlier resolve has seen."""
    archive.packages(profile, Job())
    served.publish("bench", *BASE)
    with pytest.raises(PackagesMissing, match="tool"):
        archive.packages(profile, Job())


def test_a_stranger_s_signature_is_refused(
    profile: OSProfile, archive: Archive, served: SmallArchive, signers: tuple[Signer, Signer]
) -> None:
    """An archive signed by another key than the source's is refused in apt's own words."""
    served.publish("bench", *BASE, Deb("tool"), signer=signers[1])
    with pytest.raises(MirrorRefused, match=r"not signed|NO_PUBKEY|couldn't be verified"):
        archive.packages(profile, Job())


def test_a_changed_release_is_refused(profile: OSProfile, archive: Archive, served: SmallArchive) -> None:
    """A Release file that was changed after it was signed is refused."""
    release = served.folder / "dists/bench/InRelease"
    release.write_text(release.read_text("utf-8").replace("Label: Debian", "Label: debian"), "utf-8")
    with pytest.raises(MirrorRefused, match=r"invalid|BADSIG"):
        archive.packages(profile, Job())


def test_a_changed_index_is_refused(profile: OSProfile, archive: Archive, served: SmallArchive) -> None:
    """A Packages file other than the signed Release promises is refused."""
    packages = served.folder / "dists/bench/main/binary-amd64/Packages"
    packages.write_text(packages.read_text("utf-8").replace("1.0", "9.9"), "utf-8")
    with pytest.raises(MirrorUnreachable, match=r"Hash Sum mismatch|unexpected size"):
        archive.packages(profile, Job())


def test_an_ended_server_is_unreachable(profile: OSProfile, archive: Archive, served: SmallArchive) -> None:
    """An archive that doesn't answer is unreachable, which is worth another try, though it answered before."""
    archive.packages(profile, Job())
    address = served.address
    closed = SmallArchive(served.folder.parent / "closed", served._signer)
    closed.end()
    moved = profile.sources[0].model_copy(update={"address": closed.address})
    assert closed.address != address
    with pytest.raises(MirrorUnreachable, match=r"Could not connect|Connection refused") as caught:
        archive.packages(profile.model_copy(update={"sources": (moved,)}), Job())
    assert caught.value.transient


def test_a_suite_that_is_not_there_is_refused_for_good(profile: OSProfile, archive: Archive) -> None:
    """An archive that answers that it has no such suite is not asked again."""
    elsewhere = profile.sources[0].model_copy(update={"suite": "nowhere"})
    with pytest.raises(MirrorRefused, match="does not have a Release file") as caught:
        archive.packages(profile.model_copy(update={"sources": (elsewhere,)}), Job())
    assert not caught.value.transient


def test_a_connection_that_is_cut_is_worth_another_try(
    profile: OSProfile, archive: Archive, served: SmallArchive
) -> None:
    """An index that breaks off in the middle is no answer; once it comes whole, the same archive serves."""
    with relay(served.port, received=300) as port:
        cut = profile.sources[0].model_copy(update={"address": f"http://127.0.0.1:{port}"})
        with pytest.raises(MirrorUnreachable) as caught:
            archive.packages(profile.model_copy(update={"sources": (cut,)}), Job())
    assert caught.value.transient
    assert archive.packages(profile, Job())


@pytest.mark.parametrize(("status", "error"), [(503, MirrorUnreachable), (403, MirrorRefused)])
def test_what_a_mirror_answers_decides_about_another_try(
    profile: OSProfile, archive: Archive, served: SmallArchive, status: int, error: type[ReforgeError]
) -> None:
    """A server that is overloaded is asked again, one that gives no right is not."""
    served.answer(status)
    with pytest.raises(error, match=str(status)):
        archive.packages(profile, Job())


def test_an_unknown_suite_is_unsupported(archive: Archive) -> None:
    """A suite that the builder doesn't know is refused with those that it knows."""
    with pytest.raises(UnsupportedSuite, match="sarge") as caught:
        archive.packages(OSProfile(suite="sarge"), Job())
    assert "bookworm, trixie" in caught.value.hint
    assert "sources of its own" in caught.value.hint


def test_a_keyring_is_a_key_and_no_path(profile: OSProfile, archive: Archive, tmp_path: Path) -> None:
    """A source's keyring that isn't an armoured key is refused: it can't name a file of this machine."""
    source = profile.sources[0].model_copy(update={"keyring": str(tmp_path / "key.asc")})
    with pytest.raises(InvalidInput, match="armoured"):
        archive.packages(profile.model_copy(update={"sources": (source,)}), Job())


def test_an_empty_component_is_no_obstacle(profile: OSProfile, archive: Archive, served: SmallArchive) -> None:
    """A suite without any package is read as such."""
    served.publish("updates")
    more = profile.sources[0].model_copy(update={"suite": "updates"})
    found, evidence = archive.packages(profile.model_copy(update={"sources": (*profile.sources, more)}), Job())
    assert versions(found)["tool"] == "1.0"
    assert [state.suite for state in evidence.archives] == ["bench", "updates"]


def test_the_archive_gives_old_stanzas_back(profile: OSProfile, archive: Archive, served: SmallArchive) -> None:
    """The index object of a lock is read from the archive as long as it lists all its packages, and then no more."""
    found, _ = archive.packages(profile, Job())
    assert archive.stanzas(profile, tuple(found), Job()) == index(found)
    served.publish("bench", *BASE, Deb("tool", "2"))
    assert archive.stanzas(profile, tuple(found), Job()) is None


@pytest.fixture
def host(tmp_path: Path, served: SmallArchive, signers: tuple[Signer, Signer]) -> Archive:
    """The archives of a host whose apt configuration names the small archive as its mirror."""
    served.publish("bookworm", *BASE, Deb("tool"), Deb("tool", "2.0"))
    served.publish("trixie", *BASE, Deb("tool", "3.0"), *(Deb(name) for name in TOOLS if not name.startswith("?")))
    folder = tmp_path / "host"
    folder.mkdir(exist_ok=True)
    (folder / "key.asc").write_text(signers[0].public(), "utf-8")
    (folder / "sources.list").write_text(f"deb [signed-by={folder}/key.asc] {served.address} bookworm main\n", "utf-8")
    for suite in ("bookworm", "trixie"):
        served.publish(f"{suite}-updates", *BASE)
    return Archive(tmp_path / "apt", folder)


@pytest.mark.parametrize(("suite", "version"), [("bookworm", "2.0"), ("trixie", "3.0")])
def test_without_sources_the_host_s_mirror_serves(host: Archive, suite: str, version: str) -> None:
    """A profile without sources resolves its suite from the mirror of the host's apt, whatever suite the host has."""
    found, evidence = host.packages(OSProfile(suite=suite, packages=("tool",)), Job())
    assert versions(found)["tool"] == version
    assert [state.suite for state in evidence.archives] == [suite, f"{suite}-updates"]


def test_the_host_s_pins_stay_out(host: Archive, tmp_path: Path) -> None:
    """Preferences of the host's apt pin nothing here."""
    for name in ("preferences", "preferences.d/pin"):
        path = tmp_path / "host" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("Package: tool\nPin: version 1.0\nPin-Priority: 1001\n", "utf-8")
    found, _ = host.packages(OSProfile(suite="bookworm", packages=("tool",)), Job())
    assert versions(found)["tool"] == "2.0"


def test_a_mirror_of_another_origin_is_none(host: Archive, served: SmallArchive) -> None:
    """A configured source whose Release has another Origin is no mirror of the distribution."""
    served.publish("bookworm", *BASE, origin="Elsewhere")
    with pytest.raises(MirrorRefused, match="None of this host's package sources") as caught:
        host.packages(OSProfile(suite="bookworm"), Job())
    assert "/etc/apt" in caught.value.hint


def test_a_mirror_that_is_silent_is_not_done_without(host: Archive, served: SmallArchive, tmp_path: Path) -> None:
    """While a configured source doesn't answer that may have the security fixes, nothing is resolved without them."""
    assert served
    with (tmp_path / "host" / "sources.list").open("a", encoding="utf-8") as file:
        file.write("deb http://127.0.0.1:9/security bookworm-security main\n")
    with pytest.raises(MirrorUnreachable, match="9/security") as caught:
        host.packages(OSProfile(suite="bookworm", packages=("tool",)), Job())
    assert caught.value.transient


def test_a_first_lock_has_tools(host: Archive, make_recipe: Callable[..., Recipe]) -> None:
    """Without a parent the tools that shape bytes are resolved, from their own suite."""
    lock = resolve(make_recipe("tool"), None, host, Job()).lock
    assert {"mmdebstrap", "e2fsprogs", "qemu-utils"} <= {tool.name for tool in lock.tools}
    assert {tool.origin.suite for tool in lock.tools} == {"trixie"}


def test_tools_alone_make_no_new_lock(host: Archive, served: SmallArchive, make_recipe: Callable[..., Recipe]) -> None:
    """Tools that moved while the packages stayed leave the lock as it was; moved packages take the new tools."""
    recipe = make_recipe("tool")
    first = resolve(recipe, None, host, Job()).lock
    served.publish("trixie", *BASE, *(Deb(name, "2") for name in TOOLS if not name.startswith("?")))
    assert resolve(recipe, first, host, Job()).lock == first
    served.publish("bookworm", *BASE, Deb("tool", "3.0"))
    moved: Lock = resolve(recipe, first, host, Job()).lock
    assert moved.toolset() != first.toolset()


def test_old_states_of_apt_go(profile: OSProfile, archive: Archive) -> None:
    """Of the folders that apt keeps its lists in, those used longest ago are removed; the present one stays."""
    old = [archive._folder / f"{number:016x}" for number in range(12)]
    for number, folder in enumerate(old):
        folder.mkdir()
        os.utime(folder, (number, number))
    archive.packages(profile, Job())
    left = [folder for folder in archive._folder.glob("?" * 16) if folder.is_dir()]
    assert len(left) == 8
    assert set(left) >= set(old[-7:])
