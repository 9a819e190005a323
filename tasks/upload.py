"""Step upload: the image file, its package files and its index object into the store."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from blocks.builder import Built, filename, packing
from blocks.errors import Contradiction
from blocks.model import ImageFile, Lock, Package
from blocks.planning import Prior, Prospect
from blocks.store import Blob
from tasks import present
from tasks.attempt import Attempt
from tasks.step import step

_TRIES = 3
_TOGETHER = 8


@step("upload", minutes=120, tag="store")
def upload(attempt: Attempt, start: Prior, prospect: Prospect, packed: Built) -> ImageFile:
    """Store the file; the intent is committed first, so that whatever crashes, the upload is found again."""
    attempt.advance("storing", 80, "upload", "Storing the image")
    present.progress(attempt, 80, "upload")
    ports = attempt.ports
    name = filename(start.recipe, attempt.ticket)
    key = f"{attempt.ticket}/{attempt.lease.number}/{name}"
    ports.catalog.intents.open(key, "upload", attempt.ticket, attempt.lease.number, attempt.lease)
    with attempt.at("upload") as working:
        blob = _stored(attempt, prospect, packed, key, working)
        ports.catalog.intents.close(key)
    row = packing(start.recipe)
    return ImageFile(
        name=name, format=start.recipe.format, compression=row.compression, size=blob.size, sha256=blob.sha256
    )


def _stored(attempt: Attempt, prospect: Prospect, packed: Built, key: str, working: Callable[[], None]) -> Blob:
    """Store and reference all blobs; those that a delete is about to remove are removed first and stored again."""
    ports = attempt.ports
    for _ in range(_TRIES):
        blob = ports.store.upload(packed.checkpoint.path, key, working, expected=packed.stored)
        blobs = {blob.sha256: blob.size, **kept(attempt, prospect.lock)}
        doomed = ports.catalog.blobs.take(attempt.ticket, blobs, attempt.lease)
        if not doomed:
            return blob
        for sha256 in doomed:
            ports.catalog.blobs.remove(sha256, ports.store.remove)
    raise Contradiction("Blobs of the image are removed as often as they are stored", "Run it again")


def kept(attempt: Attempt, lock: Lock) -> dict[str, int]:
    """The lock's package files and its index object, in the store: `exact` needs them when the archive has none."""
    ports = attempt.ports
    packages = {package.sha256: package for package in (*lock.packages, *lock.tools)}
    paths = dict(ports.builder.package(lock))

    def held(package: Package) -> int | None:
        attempt.stop.check()
        if (path := paths.get(package.sha256)) is not None:
            return ports.store.put_package(path, package.sha256, attempt.stop.check).size
        return package.size if ports.store.has(package.sha256) else None

    with ThreadPoolExecutor(_TOGETHER, "package") as threads:  # each takes some requests, and waits for them
        sizes = zip(packages, threads.map(held, packages.values()), strict=True)
        blobs = {sha256: size for sha256, size in sizes if size is not None}
    if (index := ports.builder.index(lock)) is not None:
        blob = ports.store.put(index)
        blobs[blob.sha256] = blob.size
    return blobs
