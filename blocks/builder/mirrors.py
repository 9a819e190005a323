"""The build host's mirrors: which of its configured package sources carry a distribution, and at what address.

Read from the host's apt configuration: address, keyring, proxy and credentials, and nothing else; its preferences,
pins and hooks stay out. A source counts when the Release file it serves has the wanted Origin. Addresses live here
and in the private apt folder only: a lock names an archive by its label.
"""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from debian_inspector import debcon, unsign

from blocks.builder import answers
from blocks.builder.job import Job
from blocks.builder.process import ProgramFailed, run
from blocks.errors import MirrorRefused, MirrorUnreachable

HOST = Path("/etc/apt")
_LIST = "mirror+file://"
_ONE_LINE = re.compile(r"^deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<address>\S+)\s+(?P<suite>\S+)\s*(?P<components>.*)$")
_NO = frozenset({"no", "false", "without", "off", "disable", "0"})
_TRANSPORT = re.compile(r'^Acquire::(?:https?::|Retries|ForceIPv)[^ ]* ".*";$')


@dataclass(frozen=True)
class Entry:
    """One suite of one configured source."""

    address: str
    suite: str
    signed_by: str


@dataclass(frozen=True)
class Mirror:
    """An archive by its Release's label, with the address and keyring that the build host uses for it."""

    label: str
    address: str
    signed_by: str


def entries(folder: Path = HOST) -> tuple[Entry, ...]:
    """The enabled binary package sources of an apt configuration folder, in both of its formats."""
    found: list[Entry] = []
    names = ("sources.list", "sources.list.d/*.list", "sources.list.d/*.sources")
    for path in sorted(path for name in names for path in folder.glob(name)):
        text = "\n".join(row for row in path.read_text("utf-8").splitlines() if not row.lstrip().startswith("#"))
        found += _paragraphs(text) if path.suffix == ".sources" else _lines(text)
    return tuple(dict.fromkeys(each for entry in found for each in _listed(entry)))


def _listed(entry: Entry) -> Iterator[Entry]:
    """The entry for each address of the list that it names, as Debian's cloud images do, or as it is."""
    if not entry.address.startswith(_LIST):
        yield entry
        return
    with contextlib.suppress(OSError):
        for row in Path(entry.address.removeprefix(_LIST)).read_text("utf-8").splitlines():
            if row.strip() and not row.lstrip().startswith("#"):
                yield replace(entry, address=row.split()[0].rstrip("/"))


def _paragraphs(text: str) -> Iterator[Entry]:
    for fields in debcon.get_paragraphs_data(text):
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in _NO:
            continue
        for address in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Entry(address.rstrip("/"), suite, fields.get("signed-by", ""))


def _lines(text: str) -> Iterator[Entry]:
    for row in text.splitlines():
        if match := _ONE_LINE.match(row.strip()):
            options = dict(part.split("=", 1) for part in (match["options"] or "").split() if "=" in part)
            yield Entry(match["address"].rstrip("/"), match["suite"], options.get("signed-by", ""))


def transport(job: Job) -> tuple[str, ...]:
    """The host's proxy and certificate settings, as lines of an apt configuration file."""
    return tuple(row for row in run(["apt-config", "dump"], job.silent()) if _TRANSPORT.match(row))


def find(
    origin: str, wanted: Collection[str], configured: Iterable[Entry], folder: Path, job: Job
) -> tuple[Mirror, ...]:
    """The mirrors among `configured` whose Release has that Origin.

    Raises MirrorUnreachable if one doesn't answer that may be the one with a wanted label, MirrorRefused if there is
    none at all.
    """
    mirrors: dict[str, Mirror] = {}
    silent: list[str] = []
    for entry in configured:
        try:
            fields = _release(entry, folder, job)
        except MirrorUnreachable:
            silent.append(entry.address)
            continue
        if fields.get("origin") == origin:
            label = fields.get("label", origin)
            mirrors.setdefault(label, Mirror(label, entry.address, entry.signed_by))
    if silent and (not mirrors or set(wanted) - set(mirrors)):
        raise MirrorUnreachable(
            f"Package sources of this host don't answer, one of which may be the {origin} that is missing: "
            f"{' '.join(silent)}",
            "Check the network, the proxy and the sources below /etc/apt, then run apt-get update",
        )
    if not mirrors:
        raise MirrorRefused(
            f"None of this host's package sources answers with packages of {origin}",
            "Correct the sources below /etc/apt, then run apt-get update",
        )
    return tuple(mirrors.values())


def _release(entry: Entry, folder: Path, job: Job) -> dict[str, str]:
    """The fields of a source's Release; none if it has no such file. Raises MirrorUnreachable."""
    target = folder / f"probe-{uuid.uuid4().hex}"
    helper = "/usr/lib/apt/apt-helper"
    address = f"{entry.address}/dists/{entry.suite}/InRelease"
    options = ["-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=15"]
    try:
        run([helper, *options, "download-file", address, str(target)], job.silent())
        text = unsign.remove_signature(target.read_text("utf-8", "replace"))
    except ProgramFailed as error:
        if answers.lasting(error):
            return {}
        raise answers.refusal(error, f"The package source {entry.address} can't be read") from error
    finally:
        target.unlink(missing_ok=True)
    fields: dict[str, str] = debcon.get_paragraph_data(text)
    return fields
