"""Step upload: the image file, its package files and its index object into the store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from blocks.builder import Built, filename, packing
from blocks.errors import Contradiction
from blocks.model import ImageFile, Lock
from blocks.planning import Prior, Prospect
from blocks.store import Blob
from blocks.uploading import uploading
from tasks import present
from tasks.attempt import Attempt
from tasks.step import step

_TOGETHER = 8


@step("upload", minutes=120, tag="store")
def upload(attempt: Attempt, start: Prior, prospect: Prospect, packed: Built) -> ImageFile:
    """Store the file, its package files and its index object."""
    attempt.advance("storing", 80, "upload", "Storing the image")
    present.progress(attempt, 80, "upload")
    ports = attempt.ports
    name = filename(start.recipe, attempt.ticket)
    key = f"{attempt.ticket}/{attempt.lease.number}/{name}"
    with attempt.at("upload") as working:
        with uploading(ports.catalog, ports.store, key, attempt.lease) as claim:
            path = packed.checkpoint.path
            blob = ports.store.upload(path, key, working, expected=packed.stored, announce=claim)
        if not keep(attempt, prospect.lock, blob):
            raise Contradiction(f"The image that was just stored as {blob.sha256} is gone", "Run it again")
    row = packing(start.recipe)
    return ImageFile(
        name=name, format=start.recipe.format, compression=row.compression, size=blob.size, sha256=blob.sha256
    )


def keep(attempt: Attempt, lock: Lock, image: Blob) -> bool:
    """Reference a stored image, its lock's package files and its index object, which are stored now.

    `exact` needs them when the archive has none. The references come first, for what is referenced nobody removes;
    those to files that neither this machine nor the store has are given up again. False if the image isn't there.
    """
    ports = attempt.ports
    index = ports.builder.index(lock)
    packages = {package.sha256: package.size for package in (*lock.packages, *lock.tools)}
    blobs = {**packages, image.sha256: image.size, **({} if index is None else {lock.index: len(index)})}
    ports.catalog.blobs.claim(blobs, attempt.lease, ports.store.remove)
    if index is not None:
        ports.store.put(index)
    if absent := _absent(attempt, lock):
        ports.catalog.blobs.release(absent, attempt.lease)
    return ports.store.has(image.sha256)


def _absent(attempt: Attempt, lock: Lock) -> set[str]:
    """Store the package files that this machine has; those of the lock that are in neither place."""
    ports = attempt.ports
    paths = dict(ports.builder.package(lock))

    def held(sha256: str) -> bool:
        attempt.stop.check()
        if (path := paths.get(sha256)) is None:
            return ports.store.has(sha256)
        ports.store.put_package(path, sha256, attempt.stop.check)
        return True

    wanted = {package.sha256 for package in (*lock.packages, *lock.tools)}
    with ThreadPoolExecutor(_TOGETHER, "package") as threads:  # each takes some requests, and waits for them
        return {sha256 for sha256, there in zip(wanted, threads.map(held, wanted), strict=True) if not there}
