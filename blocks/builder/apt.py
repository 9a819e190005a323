"""A private apt: its own state folder, its own sources, nothing of the host's configuration but how to reach a mirror.

Signatures are verified by apt itself against the keyring that each source names.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from debian_inspector import debcon, unsign

from blocks.builder import answers
from blocks.builder.job import Job
from blocks.builder.process import ProgramFailed, run
from blocks.errors import PackagesMissing
from blocks.model import ArchiveState, Evidence, Package

_CHUNK = 1024 * 1024
HELPER = "/usr/lib/apt/apt-helper"
_TARGET = "$(REPO_URI)\t$(RELEASE)\t$(COMPONENT)\t$(LABEL)\t$(ORIGIN)\t$(FILENAME)"
_UNKNOWN = ("E: Unable to locate package", "E: Package '", "E: Version '", "E: Couldn't find")


@dataclass(frozen=True)
class Suite:
    """One source of a private apt: `signed_by` is a keyring's path or an armoured key."""

    address: str
    suite: str
    components: tuple[str, ...]
    signed_by: str

    def stanza(self) -> str:
        """The source in apt's deb822 format."""
        key = self.signed_by.strip()
        if "\n" in key:
            key = "".join(f"\n {row.strip() or '.'}" for row in key.splitlines())
        rows = {
            "Types": "deb",
            "URIs": self.address,
            "Suites": self.suite,
            "Components": " ".join(self.components),
            "Signed-By": key,
        }
        return "".join(f"{name}: {value}\n" for name, value in rows.items() if value)


@dataclass(frozen=True)
class Target:
    """One Packages file that apt has fetched and verified."""

    address: str
    suite: str
    component: str
    label: str
    path: Path


class Apt:
    """apt with its state below `folder`, for one architecture and one list of suites."""

    def __init__(self, folder: Path, suites: Iterable[Suite], transport: Sequence[str], architecture: str) -> None:
        self._folder = folder
        self._configuration = folder / "apt.conf"
        for name in ("lists/partial", "archives/partial", "etc/preferences.d"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        _put(folder / "etc" / "private.sources", "\n".join(suite.stanza() for suite in suites))
        _put(self._configuration, "\n".join([*self._settings(architecture), *transport, ""]))

    def _settings(self, architecture: str) -> Iterator[str]:
        folder = self._folder
        yield from (
            'Dir::Etc::main "/dev/null";',
            'Dir::Etc::parts "/dev/null";',
            'Dir::Etc::sourcelist "/dev/null";',
            f'Dir::Etc::sourceparts "{folder}/etc";',
            'Dir::Etc::preferences "/dev/null";',
            f'Dir::Etc::preferencesparts "{folder}/etc/preferences.d";',
            f'Dir::State::lists "{folder}/lists";',
            f'Dir::State::status "{folder}/status";',
            f'Dir::State::extended_states "{folder}/extended_states";',
            f'Dir::Cache::archives "{folder}/archives";',
            'Dir::Cache::pkgcache "";',
            f'Dir::Cache::srcpkgcache "{folder}/sources.bin";',
            'Dir::Log "/dev/null";',
            f'APT::Architecture "{architecture}";',
            f'APT::Architectures {{ "{architecture}"; }};',
            'APT::Install-Recommends "false";',
            'APT::Sandbox::User "root";',
            'APT::Update::Error-Mode "any";',
            'Acquire::Languages "none";',
            'Acquire::ForceHash "sha256";',
            'Acquire::Retries "2";',
            'Acquire::http::Timeout "30";',
            'Acquire::https::Timeout "30";',
        )

    def _run(self, job: Job, *argv: str) -> tuple[str, ...]:
        return run(argv, job, environment={"APT_CONFIG": str(self._configuration)})

    def update(self, job: Job) -> Evidence:
        """Fetch and verify the suites' indexes; raises MirrorUnreachable or MirrorRefused with apt's own words."""
        try:
            self._run(job, "apt-get", "-q", "update")
        except ProgramFailed as error:
            raise answers.refusal(error, "The package archive can't be read") from error
        return self.evidence()

    def evidence(self) -> Evidence:
        """The state of each archive, from its Release file as fetched: signed itself, or beside its signature."""
        lists = self._folder / "lists"
        states = [self._state(path) for name in ("*_InRelease", "*_Release") for path in sorted(lists.glob(name))]
        return Evidence(archives=tuple(sorted(states, key=lambda state: (state.archive, state.suite))))

    @staticmethod
    def _state(path: Path) -> ArchiveState:
        data = path.read_bytes()
        fields = debcon.get_paragraph_data(unsign.remove_signature(data.decode("utf-8", "replace")))
        state = {
            "archive": fields.get("label", fields.get("origin", "unnamed")),
            "suite": fields.get("codename", fields.get("suite", "unnamed")),
            "sha256": hashlib.sha256(data).hexdigest(),
            "date": _moment(fields.get("date", "")),
        }
        return ArchiveState.parse(state, "The archive's Release file")

    def targets(self, job: Job) -> tuple[Target, ...]:
        """The fetched Packages files, with the label of their archive."""
        rows = self._run(job.silent(), "apt-get", "indextargets", "--format", _TARGET, "Created-By: Packages")
        parts = [row.split("\t") for row in rows]
        return tuple(
            Target(a.rstrip("/"), suite, component, _said(label) or _said(origin), Path(path))
            for a, suite, component, label, origin, path in parts
        )

    def choose(self, wanted: Sequence[str], job: Job) -> frozenset[str]:
        """The sha256 of every package file that installing `wanted` into nothing takes.

        `wanted` takes apt's names and patterns. Raises PackagesMissing with apt's reasons.
        """
        try:
            rows = self._run(job.silent(), "apt-get", "-q", "-y", "--print-uris", "install", "--", *wanted)
        except ProgramFailed as error:
            raise _missing(error.tail) from error
        chosen = {row.rsplit("SHA256:", 1)[1].strip() for row in rows if row.startswith("'") and "SHA256:" in row}
        if len(chosen) < sum(row.startswith("'") for row in rows):
            raise PackagesMissing("The archive lists packages without a sha256", "Use an archive that publishes SHA256")
        return frozenset(chosen)

    def fetch(self, files: Sequence[tuple[str, Path, str]], job: Job) -> None:
        """Download (address, target, sha256) triples with apt's own transport; it checks each hash. Best effort."""
        flat = [part for address, path, sha256 in files for part in (address, str(path), f"SHA256:{sha256}")]
        self._run(job, HELPER, "download-file", *flat)


def _said(field: str) -> str:
    """A field of a Release file; apt leaves the name of one that isn't there as it is."""
    return "" if field.startswith("$(") else field


def _moment(text: str) -> datetime | None:
    """A Release file's date; None, which no state has, for anything else. Archives that write no zone mean UTC."""
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _put(path: Path, text: str) -> None:
    """Write a file whole: another process may read it at any time."""
    partial = path.with_suffix(f".{uuid.uuid4().hex}")
    partial.write_text(text, "utf-8")
    partial.rename(path)


def _missing(tail: Sequence[str]) -> PackagesMissing:
    unknown = [row.removeprefix("E: ") for row in tail if row.startswith(_UNKNOWN)]
    reasons = unknown or [row.strip() for row in tail if " : Depends:" in row or row.startswith("E:")]
    return PackagesMissing(
        f"The packages can't be resolved: {'; '.join(reasons[:6])}",
        "Correct the package names of the OS profile, or its suite and components",
    )


def read(targets: Iterable[Target], chosen: frozenset[str]) -> dict[Package, bytes]:
    """The chosen packages with their exact index stanzas, found by sha256; those in no index are left out."""
    found: dict[str, tuple[Package, bytes]] = {}
    for target in targets:
        if not target.path.exists():  # an empty index is never stored
            continue
        for stanza in _stanzas(target.path):
            sha256 = _sha256(stanza)
            if sha256 in chosen and sha256 not in found:
                found[sha256] = (_package(stanza, target), stanza.strip(b"\n"))
    return dict(found.values())


def _stanzas(path: Path) -> Iterator[bytes]:
    """The stanzas of an index, which is too large to be held whole."""
    rest = b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            *whole, rest = (rest + chunk).split(b"\n\n")
            yield from whole
    yield rest


def _sha256(stanza: bytes) -> str:
    start = stanza.find(b"\nSHA256: ")
    return stanza[start + 9 : start + 73].decode("ascii", "replace") if start >= 0 else ""


def _package(stanza: bytes, target: Target) -> Package:
    fields = debcon.get_paragraph_data(stanza.decode("utf-8"))
    origin = {
        "archive": target.label or "unnamed",
        "suite": target.suite,
        "component": target.component,
        "filename": fields["filename"],
    }
    package = {
        "name": fields["package"],
        "version": fields["version"],
        "architecture": fields["architecture"],
        "size": fields["size"],
        "sha256": fields["sha256"],
        "origin": origin,
    }
    return Package.parse(package, f"The archive's entry of {fields['package']}")
