"""What determines a lock's digests, and what doesn't; the differences between two locks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from blocks.model import ArchiveState, Evidence, Lock, Origin, Package, PackageChange
from blocks.model.changes import changes

Make = Callable[..., Package]
INDEX = "0" * 64
VERSIONS = st.dictionaries(
    st.sampled_from(["bash", "dash", "grep", "sed", "tar"]), st.sampled_from(["1.0", "1.0+b1", "2"])
)


def packages(versions: dict[str, str]) -> tuple[Package, ...]:
    """A package of each name in its version."""
    origin = Origin(archive="Debian", suite="bookworm", component="main", filename="pool/x.deb")
    return tuple(
        Package(name=name, version=version, architecture="amd64", size=1, sha256=INDEX, origin=origin)
        for name, version in versions.items()
    )


@given(VERSIONS, st.randoms())
def test_order_makes_no_difference(versions: dict[str, str], random: Any) -> None:
    """A lock lists its packages by name whatever order they came in, so its digests are the same."""
    shuffled = list(packages(versions))
    random.shuffle(shuffled)
    lock, other = (Lock(packages=found, index=INDEX, tools=found) for found in (packages(versions), tuple(shuffled)))
    assert lock == other
    assert [package.name for package in lock.packages] == sorted(versions)
    assert (lock.content(), lock.toolset()) == (other.content(), other.toolset())


def test_package_is_there_once(make_package: Make) -> None:
    """Two versions of one package can't both be installed; two architectures can."""
    with pytest.raises(ValidationError, match="allowed once"):
        Lock(packages=(make_package("bash", "1"), make_package("bash", "2")), index=INDEX, tools=())
    Lock(packages=(make_package("bash"), make_package("bash", architecture="i386")), index=INDEX, tools=())


def test_moved_file_changes_nothing(make_package: Make) -> None:
    """Where an archive keeps a package's file is no part of the digest."""
    here, there = (
        Lock(packages=(make_package("bash", suite=suite),), index=INDEX, tools=(make_package("tar", suite=suite),))
        for suite in ("bookworm", "bookworm-updates")
    )
    assert here != there
    assert (here.content(), here.toolset()) == (there.content(), there.toolset())


@pytest.mark.parametrize(
    "change", [{"version": "2"}, {"architecture": "all"}, {"size": 1001}, {"sha256": "1" * 64}, {"name": "bash2"}]
)
def test_identity_changes_the_digest(make_package: Make, change: dict[str, Any]) -> None:
    """Name, version, architecture, size and sha256 of each package are part of the digest."""
    before = make_package("bash")
    after = before.model_copy(update=change)
    one, other = (Lock(packages=(package,), index=INDEX, tools=(package,)) for package in (before, after))
    assert one.content() != other.content()
    assert one.toolset() != other.toolset()


def test_content_and_tools_are_apart(make_package: Make) -> None:
    """The index belongs to the content, and tools change the toolset only."""
    lock = Lock(packages=(make_package("bash"),), index=INDEX, tools=(make_package("tar"),))
    other_index = lock.model_copy(update={"index": "1" * 64})
    other_tools = lock.model_copy(update={"tools": ()})
    assert lock.content() != other_index.content()
    assert lock.toolset() == other_index.toolset()
    assert lock.content() == other_tools.content()
    assert lock.toolset() != other_tools.toolset()


def test_state_names_the_archive() -> None:
    """The archive's state is a short name that changes with an InRelease file, not with its date."""

    def evidence(sha256: str, day: int) -> Evidence:
        date = datetime(2026, 1, day, tzinfo=UTC)
        return Evidence(archives=(ArchiveState(archive="Debian", suite="bookworm", sha256=sha256, date=date),))

    assert evidence(INDEX, 1).state() == evidence(INDEX, 2).state()
    assert evidence(INDEX, 1).state() != evidence("1" * 64, 1).state()
    assert len(evidence(INDEX, 1).state()) == 16


@given(VERSIONS, VERSIONS)
def test_changes_account_for_every_package(before: dict[str, str], after: dict[str, str]) -> None:
    """Every package is added, removed, moved or unchanged, and the counts add up."""
    counts = changes(packages(before), packages(after)).counts()
    assert counts["added"] == len(after.keys() - before.keys())
    assert counts["removed"] == len(before.keys() - after.keys())
    moved = counts["upgraded"] + counts["downgraded"]
    assert moved == sum(before[name] != after[name] for name in before.keys() & after.keys())
    assert moved + counts["unchanged"] == len(before.keys() & after.keys())


@given(VERSIONS, VERSIONS)
def test_changes_read_backwards(before: dict[str, str], after: dict[str, str]) -> None:
    """What is added or upgraded in one direction is removed or downgraded in the other."""
    there, back = changes(packages(before), packages(after)), changes(packages(after), packages(before))
    assert there.added == back.removed
    assert [change.name for change in there.upgraded] == [change.name for change in back.downgraded]
    assert there.unchanged == back.unchanged


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.9", "1.10"),
        ("1.0~rc1", "1.0"),
        ("9", "1:1"),
        ("1.0-1", "1.0-1+deb12u1"),
        ("1.0", "1.0+b1"),
        ("1.0-9", "1.0-10"),
    ],
)
def test_versions_in_debians_order(make_package: Make, older: str, newer: str) -> None:
    """Up and down follow Debian's order of versions: numbers, tildes and epochs."""
    before, after = (make_package("bash", older),), (make_package("bash", newer),)
    assert changes(before, after).upgraded == (PackageChange(name="bash", before=older, after=newer),)
    assert changes(after, before).downgraded == (PackageChange(name="bash", before=newer, after=older),)


def test_change_is_written_from_to() -> None:
    """A change's document says from and to, and is read back equal."""
    change = PackageChange(name="bash", before="1", after="2", cves=("CVE-2026-1",))
    assert change.document() == {"name": "bash", "from": "1", "to": "2", "cves": ["CVE-2026-1"]}
    assert PackageChange.parse(change.document()) == change
