"""What an upgrade fixes, out of real package files."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import pytest

from blocks.builder.changelog import changelog, explained, identifiers
from blocks.model import PackageChange

_TEXT = """hello (1:2.0-3) unstable; urgency=high

  * Fix CVE-2026-0003 and CVE-2026-0002.

 -- Somebody <somebody@example.org>  Mon, 02 Feb 2026 00:00:00 +0000

hello (1:2.0-2~deb12u1) unstable; urgency=medium

  * Fix CVE-2026-0002 (again).

 -- Somebody <somebody@example.org>  Sun, 01 Feb 2026 00:00:00 +0000

hello (1:2.0-1) unstable; urgency=medium

  * Fix CVE-2025-0001.

 -- Somebody <somebody@example.org>  Sat, 31 Jan 2026 00:00:00 +0000
"""


def _package(folder: Path, name: str, *, file: str = "", link: str = "") -> Path:
    """A package file with a changelog, or whose documentation is a link."""
    tree = folder / name
    documentation = tree / "usr/share/doc"
    (tree / "DEBIAN").mkdir(parents=True)
    documentation.mkdir(parents=True)
    control = f"Package: {name}\nVersion: 1:2.0-3\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n"
    (tree / "DEBIAN/control").write_text(control, "utf-8")
    if link:
        (documentation / name).symlink_to(link)
    else:
        (documentation / name).mkdir()
    if file:
        (documentation / name / file).write_bytes(gzip.compress(_TEXT.encode()))
    target = folder / f"{name}.deb"
    subprocess.run(["/usr/bin/dpkg-deb", "--root-owner-group", "-b", str(tree), str(target)], check=True)
    return target


@pytest.mark.parametrize(
    ("before", "told"),
    [
        ("1:2.0-2", ("CVE-2026-0002", "CVE-2026-0003")),
        ("1:2.0-1", ("CVE-2026-0002", "CVE-2026-0003")),
        ("1:1.9-9", ("CVE-2025-0001", "CVE-2026-0002", "CVE-2026-0003")),
        ("1:2.0-3", ()),
        ("2:0", ()),
    ],
)
def test_only_newer_entries_count(before: str, told: tuple[str, ...]) -> None:
    """Ids are those of the entries after the version before, each once, by Debian's order with epoch and tilde."""
    assert identifiers(_TEXT, before) == told


@pytest.mark.parametrize("file", ["changelog.Debian.gz", "changelog.gz"])
def test_a_packages_own_changelog_is_read(tmp_path: Path, file: str) -> None:
    """Both names count: native packages use the shorter one."""
    package = _package(tmp_path, "hello", file=file)
    assert changelog("hello", {"hello": package}.get) == _TEXT


def test_a_link_leads_to_the_sibling(tmp_path: Path) -> None:
    """Documentation that is a link to another package's folder is read there."""
    files = {
        "hello": _package(tmp_path, "hello", file="changelog.Debian.gz"),
        "libhello": _package(tmp_path, "libhello", link="hello"),
    }
    change = PackageChange(name="libhello", before="1:2.0-1", after="1:2.0-3")
    assert explained([change], files.get)[0].cves == ("CVE-2026-0002", "CVE-2026-0003")


def test_without_a_changelog_nothing_is_told(tmp_path: Path) -> None:
    """A package without one, a sibling that isn't there and links in a circle give no ids and no error."""
    files = {
        "bare": _package(tmp_path, "bare"),
        "lost": _package(tmp_path, "lost", link="elsewhere"),
        "round": _package(tmp_path, "round", link="round"),
    }
    assert [changelog(name, files.get) for name in files] == ["", "", ""]
