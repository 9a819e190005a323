from __future__ import annotations

from pathlib import Path

import pytest

from blocks.builder import mirrors
from blocks.builder.apt import Suite
from blocks.builder.job import Job


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """An empty apt configuration folder."""
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


def test_no_configuration_no_entries(host: Path) -> None:
    """A host without package sources has no entries."""
    assert mirrors.entries(host) == ()


def test_one_line_format(host: Path) -> None:
    """The one-line format is read with its keyring; comments, sources and other lines aren't."""
    (host / "sources.list").write_text(
        "# deb http://a.example/off bookworm main\n"
        "deb http://a.example/debian/ bookworm main contrib\n"
        "deb-src http://a.example/debian bookworm main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://a.example/security bookworm-security main # why\n"
        "nonsense\n",
        "utf-8",
    )
    assert mirrors.entries(host) == (
        mirrors.Entry("http://a.example/debian", "bookworm", ""),
        mirrors.Entry("http://a.example/security", "bookworm-security", "/k.gpg"),
    )


def test_paragraph_format(host: Path) -> None:
    """The paragraph format gives an entry for each address and suite; what is disabled or no binary source doesn't."""
    (host / "sources.list.d" / "all.sources").write_text(
        "Types: deb deb-src\nURIs: http://a.example/debian\nSuites: bookworm bookworm-updates\n"
        "Components: main\nSigned-By: /k.gpg\n\n"
        "# off for now\nTypes: deb\nURIs: http://a.example/off\nSuites: bookworm\nEnabled: no\n\n"
        "Types: deb-src\nURIs: http://a.example/source\nSuites: bookworm\n",
        "utf-8",
    )
    assert mirrors.entries(host) == (
        mirrors.Entry("http://a.example/debian", "bookworm", "/k.gpg"),
        mirrors.Entry("http://a.example/debian", "bookworm-updates", "/k.gpg"),
    )


def test_a_list_of_mirrors(host: Path) -> None:
    """A source that names a list of mirrors, as on Debian's cloud images, stands for each of its addresses."""
    (host / "list").write_text("# ours\n\nhttp://a.example/debian/\nhttp://b.example/debian priority:2\n", "utf-8")
    rows = f"deb mirror+file://{host}/list bookworm main\ndeb mirror+file://{host}/none bookworm main\n"
    (host / "sources.list").write_text(rows, "utf-8")
    assert mirrors.entries(host) == (
        mirrors.Entry("http://a.example/debian", "bookworm", ""),
        mirrors.Entry("http://b.example/debian", "bookworm", ""),
    )


def test_files_that_apt_ignores(host: Path) -> None:
    """Files of other names below sources.list.d aren't read, as apt doesn't."""
    (host / "sources.list.d" / "old.list.save").write_text("deb http://a.example/debian bookworm main\n", "utf-8")
    assert mirrors.entries(host) == ()


def test_an_embedded_key_survives(host: Path) -> None:
    """A key that stands in the source itself reaches the private apt whole."""
    key = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEabc\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----"
    rows = "\n".join(f" {row or '.'}" for row in key.split("\n"))
    (host / "sources.list.d" / "own.sources").write_text(
        f"Types: deb\nURIs: http://a.example/own\nSuites: bookworm\nComponents: main\nSigned-By:\n{rows}\n", "utf-8"
    )
    entry = mirrors.entries(host)[0]
    stanza = Suite(entry.address, entry.suite, ("main",), entry.signed_by).stanza()
    assert stanza.endswith(f"Signed-By: \n{rows}\n")


def test_only_the_way_to_a_mirror_is_taken() -> None:
    """Of the host's apt configuration only settings of proxy, certificates and address families are taken."""
    assert all(row.startswith("Acquire::") for row in mirrors.transport(Job()))
