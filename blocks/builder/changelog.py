"""What an upgrade fixes: the CVE ids that a package's own changelog names since the version before.

None named is no proof that nothing was fixed: not every fix has an id, and not every changelog names it.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from debian_inspector.version import compare_versions

from blocks.builder.process import ENVIRONMENT, tied
from blocks.model import PackageChange

_ENTRY = re.compile(r"^[a-z0-9][a-z0-9+.-]* \(([0-9][^)\s]*)\) ", re.MULTILINE)
_CVE = re.compile(r"CVE-\d{4}-\d{4,7}")
_FILES = ("changelog.Debian.gz", "changelog.gz")
_HOPS = 3


def explained(upgrades: Iterable[PackageChange], find: Callable[[str], Path | None]) -> tuple[PackageChange, ...]:
    """The upgrades with the ids that their changelogs name; `find` gives a package's file by the package's name."""

    def explain(change: PackageChange) -> PackageChange:
        text = changelog(change.name, find)
        return change.model_copy(update={"cves": identifiers(text, change.before)})

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
        return tuple(threads.map(explain, upgrades))


def identifiers(text: str, before: str) -> tuple[str, ...]:
    """The ids in the entries that are newer than the version `before`, sorted, each once."""
    found: set[str] = set()
    for version, entry in _entries(text):
        if compare_versions(version, before) <= 0:
            break
        found.update(_CVE.findall(entry))
    return tuple(sorted(found))


def changelog(name: str, find: Callable[[str], Path | None]) -> str:
    """A package's changelog; where its documentation is a link to another package's, that one's. Empty if none."""
    for _ in range(_HOPS):
        package = find(name)
        if package is None:
            return ""
        found = _look(package, name)
        if isinstance(found, str):
            return found
        name = found.name
    return ""


def _entries(text: str) -> Iterator[tuple[str, str]]:
    heads = list(_ENTRY.finditer(text))
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        yield head[1], text[head.start() : following.start() if following else None]


def _look(package: Path, name: str) -> str | PurePosixPath:
    """The changelog's text, or the documentation folder of another package that this one points to."""
    folder = f"./usr/share/doc/{name}"
    wanted = {f"{folder}/{file}" for file in _FILES}
    with _opened(package) as tar:
        found = next((member for member in tar if member.name in wanted or _link(member, folder)), None)
        if found is None:
            return ""
        if found.issym():
            return PurePosixPath(found.linkname)
        file = tar.extractfile(found)
        return gzip.decompress(file.read()).decode("utf-8", "replace") if file else ""


def _link(member: tarfile.TarInfo, folder: str) -> bool:
    return member.name == folder and member.issym()


@contextlib.contextmanager
def _opened(package: Path) -> Iterator[tarfile.TarFile]:
    """The package's files as a stream, which may be left before its end."""
    argv = tied(["dpkg-deb", "--fsys-tarfile", str(package)])
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env=ENVIRONMENT) as unpacked:
        try:
            with tarfile.open(fileobj=unpacked.stdout, mode="r|") as tar:
                yield tar
        finally:
            unpacked.kill()
