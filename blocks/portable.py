"""Records that travel: a record as a JSON document, or with its index object and package files as a tar.

An imported record becomes a complete ticket of the importing user, without the image's file. From it `refresh` works
anywhere; `exact` needs the old package files: those that came along, or those that the archive still has.
"""

from __future__ import annotations

import io
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from blocks.errors import InvalidInput, NotFound
from blocks.model import Appliance, Record, Ticket, canonical
from blocks.ports import Ports

_RECORD = "record.json"
_BLOBS = "blobs"


def export_record(ports: Ports, ticket: int, target: Path, *, with_packages: bool) -> None:
    """Write the ticket's record to `target`; raises NotFound if it has none or the store lacks a package file."""
    record = ports.catalog.tickets.record(ticket)
    if record is None:
        raise NotFound(f"Ticket {ticket} has no record: it isn't complete", "Wait until it is, or choose another")
    partial = target.with_name(f".{target.name}.partial")
    partial.touch(mode=0o600)
    try:
        _write(ports, record, partial, with_packages=with_packages)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def import_record(ports: Ports, source: Path, user: str, appliance: int | None = None) -> Ticket:
    """Make a complete ticket of the record in `source`, for `user`; the blobs in it go to the store.

    Without `appliance` the user's one of that name and version is taken, or made from the recipe.
    Raises InvalidInput for anything that is no record, CorruptFile for a blob that isn't what it is named.
    """
    account = ports.catalog.users.get(user)
    if tarfile.is_tarfile(source):
        record = _unpack(ports, source)
    else:
        record = Record.parse_json(source.read_bytes(), str(source))
    owner = appliance or _appliance(ports, account.name, record)
    envelope = {"user": account.name, "appliance": owner}
    file = record.generation.file
    has_file = file is not None and ports.store.has(file.sha256)
    ticket = ports.catalog.tickets.adopt(record.model_copy(update=envelope), has_file=has_file)
    if (adopted := ports.catalog.tickets.record(ticket.id)) is not None:
        ports.store.put_record(adopted)
        ports.catalog.blobs.take(ticket.id, _present(ports, adopted))
    return ticket


def needed(record: Record) -> Iterator[str]:
    """The sha256 of the index object and the package files from which the record's image is made again."""
    lock = record.generation.lock
    yield lock.index
    yield from sorted({package.sha256 for package in (*lock.packages, *lock.tools)})


def _write(ports: Ports, record: Record, target: Path, *, with_packages: bool) -> None:
    document = canonical(record.document())
    if not with_packages:
        target.write_bytes(document)
        return
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, _RECORD, io.BytesIO(document), len(document))
        for sha256 in needed(record):
            with ports.store.open(sha256) as file:
                _add(tar, f"{_BLOBS}/{sha256}", file, ports.store.size(sha256))


def _present(ports: Ports, record: Record) -> dict[str, int]:
    file = record.generation.file
    wanted = [*needed(record), *([file.sha256] if file else [])]
    return {sha256: ports.store.size(sha256) for sha256 in wanted if ports.store.has(sha256)}


def _add(tar: tarfile.TarFile, name: str, file: IO[bytes], size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    tar.addfile(member, file)


def _unpack(ports: Ports, source: Path) -> Record:
    with tarfile.open(source) as tar:
        members = {member.name: member for member in tar if member.isfile()}
        if _RECORD not in members:
            raise InvalidInput(f"{source} holds no {_RECORD}", "Name a file that `reforge record export` wrote")
        record = Record.parse_json(_content(tar, members[_RECORD]).read(), f"{source}: {_RECORD}")
        for sha256 in needed(record):
            if (member := members.get(f"{_BLOBS}/{sha256}")) is not None:
                _keep(ports, _content(tar, member), sha256)
    return record


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    return tar.extractfile(member) or io.BytesIO()


def _keep(ports: Ports, content: IO[bytes], sha256: str) -> None:
    with tempfile.NamedTemporaryFile() as file:
        shutil.copyfileobj(content, file)
        file.flush()
        ports.store.put_package(Path(file.name), sha256)


def _appliance(ports: Ports, user: str, record: Record) -> int:
    recipe = record.generation.recipe
    for stored in ports.catalog.appliances.list(user):
        if (stored.appliance.name, stored.appliance.version) == (recipe.name, recipe.version):
            return stored.id
    made = Appliance(
        name=recipe.name,
        version=recipe.version,
        revision=recipe.revision,
        os_profile=recipe.os_profile,
        install_profile=recipe.install_profile,
    )
    return ports.catalog.appliances.add(user, made)
