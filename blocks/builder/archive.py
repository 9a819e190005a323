"""Where packages come from: the private apt folders for an OS profile and for the tools, and fetching of files.

Without sources of its own a profile takes its suite, the suite's updates and its security fixes from the build host's
mirrors. The tools that shape bytes come from one newer suite of the same mirrors.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from blocks.builder import answers, locks, mirrors
from blocks.builder.apt import Apt, Suite, read
from blocks.builder.job import Job
from blocks.builder.process import ProgramFailed
from blocks.errors import CorruptFile, InvalidInput, PackagesMissing, UnsupportedSuite
from blocks.model import Evidence, OSProfile, Package, digest

SUITES: Mapping[str, tuple[tuple[str, str], ...]] = {
    suite: (("Debian", suite), ("Debian", f"{suite}-updates"), ("Debian-Security", f"{suite}-security"))
    for suite in ("bookworm", "trixie")
}
_TOOL_SUITES = (("Debian", "trixie"), ("Debian-Security", "trixie-security"))
_NAME = 16
_KEPT = 8
_UNCACHED = 'Acquire::http::No-Cache "true";'
TOOLS = (
    "?essential",
    "dosfstools",
    "e2fsprogs",
    "fdisk",
    "grub-efi-amd64-bin",
    "grub-pc-bin",
    "libarchive13t64",
    "mmdebstrap",
    "mount",
    "mtools",
    "python3-minimal",
    "qemu-utils",
    "zstd",
)
_BASE = ("?essential", "?priority(required)", "apt")


class Archive:
    """The package archives as this host reaches them; state of apt below `folder`."""

    def __init__(self, folder: Path, host: Path = mirrors.HOST) -> None:
        self._folder = folder
        self._host = host
        folder.mkdir(parents=True, exist_ok=True)

    def packages(self, profile: OSProfile, job: Job, *, anew: bool = False) -> tuple[dict[Package, bytes], Evidence]:
        """What installing the profile's packages into nothing takes now: packages with index stanzas, and evidence.

        With `anew` nothing that was fetched before is believed, neither here nor by a proxy on the way.
        Raises UnsupportedSuite, PackagesMissing, MirrorUnreachable or MirrorRefused.
        """
        supported(profile)
        suites = _own(profile) or self._host_suites(SUITES[profile.suite], profile.components, job)
        return self._resolve(suites, [*_BASE, *profile.packages], profile.architecture, job, anew=anew)

    def tools(self, job: Job, *, anew: bool = False) -> tuple[Package, ...]:
        """The newest packages of the tools that shape bytes, sorted by name."""
        found, _ = self._resolve(self._host_suites(_TOOL_SUITES, ("main",), job), TOOLS, "amd64", job, anew=anew)
        return ordered(found)

    def stanzas(self, profile: OSProfile, packages: Sequence[Package], job: Job) -> bytes | None:
        """The index object of packages that the archive still lists; None if it lists some of them no more."""
        suites = _own(profile) or self._host_suites(SUITES[profile.suite], profile.components, job)
        with self._opened(suites, profile.architecture, job) as apt:
            apt.update(job)
            found = read(apt.targets(job), frozenset(package.sha256 for package in packages))
        return index(found) if len(found) == len(packages) else None

    @contextlib.contextmanager
    def _opened(self, suites: Sequence[Suite], architecture: str, job: Job, *, anew: bool = False) -> Iterator[Apt]:
        name = digest([suite.stanza() for suite in suites])[:_NAME]
        with locks.exclusive(self._folder / f"{name}.lock", job):
            transport = mirrors.transport(job)
            if anew:
                shutil.rmtree(self._folder / name, ignore_errors=True)
                transport = (*transport, _UNCACHED)
            yield Apt(self._folder / name, suites, transport, architecture)
            os.utime(self._folder / name)
        self._trim()

    def _trim(self) -> None:
        """Keep the states that were used last; one that is in use stays."""
        states = sorted(self._folder.glob("?" * _NAME), key=lambda path: path.stat().st_mtime)
        for state in states[:-_KEPT]:
            with contextlib.suppress(Timeout), FileLock(self._folder / f"{state.name}.lock", timeout=0):
                shutil.rmtree(state, ignore_errors=True)

    def _resolve(
        self, suites: Sequence[Suite], wanted: Sequence[str], architecture: str, job: Job, *, anew: bool
    ) -> tuple[dict[Package, bytes], Evidence]:
        with self._opened(suites, architecture, job, anew=anew) as apt:
            evidence = apt.update(job)
            chosen = apt.choose(wanted, job)
            found = read(apt.targets(job), chosen)
        if missing := len(chosen) - len(found):
            raise PackagesMissing(f"{missing} packages are in no index that apt has fetched", "Run it again")
        return found, evidence

    def _host_suites(self, named: Sequence[tuple[str, str]], components: Sequence[str], job: Job) -> tuple[Suite, ...]:
        known = self._mirrors({label for label, _ in named}, job)
        suites = [
            Suite(known[label].address, suite, tuple(components), known[label].signed_by)
            for label, suite in named
            if label in known
        ]
        for label in sorted({label for label, _ in named} - set(known)):
            job.report(f"This host has no package source with the label {label}: resolving without it")
        return tuple(suites)

    def _mirrors(self, wanted: Collection[str], job: Job) -> dict[str, mirrors.Mirror]:
        found = mirrors.find("Debian", wanted, mirrors.entries(self._host), self._folder, job)
        return {mirror.label: mirror for mirror in found}

    def fetcher(self, profile: OSProfile) -> Callable[[Sequence[tuple[Package, Path]], Job], None]:
        """What brings package files of a lock made for `profile`; see `Pool.ensure`."""
        known: dict[str, mirrors.Mirror] = {}

        def fetch(files: Sequence[tuple[Package, Path]], job: Job) -> None:
            apt = Apt(self._folder / "fetch", (), mirrors.transport(job), profile.architecture)
            for own in profile.sources:
                _download(apt, [(own.address, *file) for file in files if file[0].origin.suite == own.suite], job)
            left = [(package, path) for package, path in files if not path.exists()]
            own_suites = {own.suite for own in profile.sources}
            wanted = {package.origin.archive for package, _ in left if package.origin.suite not in own_suites}
            if wanted - set(known):
                known.update(self._mirrors(wanted, job))
            mirror = {label: found.address for label, found in known.items()}
            _download(apt, [(mirror[p.origin.archive], p, path) for p, path in left if p.origin.archive in known], job)

        return fetch


def supported(profile: OSProfile) -> None:
    """Raise UnsupportedSuite unless the profile has sources of its own, or the builder knows its suite."""
    if not profile.sources and profile.suite not in SUITES:
        raise UnsupportedSuite(
            f"The suite {profile.suite} of {profile.distribution} is not known here",
            f"Name one of: {', '.join(sorted(SUITES))}; or give the OS profile sources of its own, with their keyring",
        )


def ordered(found: Mapping[Package, bytes]) -> tuple[Package, ...]:
    """Packages in the order in which every lock lists them."""
    return tuple(sorted(found, key=lambda package: (package.name, package.architecture)))


def index(found: Mapping[Package, bytes]) -> bytes:
    """The index object: the packages' archive stanzas, in the lock's order."""
    return b"\n\n".join(found[package] for package in ordered(found)) + b"\n"


def _own(profile: OSProfile) -> tuple[Suite, ...]:
    for own in profile.sources:
        if not own.keyring.lstrip().startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----"):
            raise InvalidInput(
                f"The keyring of the source {own.address} is not an ASCII-armoured public key",
                "Give the text that `gpg --export --armor` prints",
            )
    return tuple(Suite(own.address, own.suite, own.components, own.keyring) for own in profile.sources)


def _download(apt: Apt, files: Sequence[tuple[str, Package, Path]], job: Job) -> None:
    wanted = [
        (f"{address.rstrip('/')}/{package.origin.filename}", path, package.sha256)
        for address, package, path in files
        if not path.exists()
    ]
    if not wanted:
        return
    try:
        apt.fetch(wanted, job.silent())
    except ProgramFailed as error:
        _judge(error)


def _judge(error: ProgramFailed) -> None:
    """A file that isn't there any more is for the caller to name; everything else is an error of its own."""
    told = [row for row in error.tail if row.startswith("E: Failed to fetch")] or list(error.tail)
    if any("Hash Sum mismatch" in row or "unexpected size" in row for row in error.tail):
        raise CorruptFile(
            f"A package file has not the bytes that were promised: {' '.join(told[:2])}",
            "The archive or a proxy on the way serves wrong bytes: try again, then check the proxy",
        ) from error
    if not all("  404  " in row for row in told):
        raise answers.refusal(error, "Package files can't be fetched") from error
