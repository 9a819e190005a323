"""Finished stages into the store, so that no other machine need make them again."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from blocks.builder import Built, Job, Order
from blocks.errors import ReforgeError, Unavailable
from tasks.attempt import Attempt


def share(attempt: Attempt, built: Built, order: Order, job: Job) -> Built:
    """The stage, shared if this installation shares and nobody has; `stored` if its very bytes are in the store now.

    A fault that may pass is told and costs nobody the build. Raises Stopped and StoreRefused.
    """
    ports, stage = attempt.ports, built.checkpoint.stage
    if not ports.sharing.on:
        return built
    key = f"{attempt.ticket}/{attempt.lease.number}/{stage}.stage"
    try:
        if ports.sharing.find(built.checkpoint.digest) is not None:
            return built
        with ports.builder.parcelled(built, order, job) as parcel:
            job.report(f"Sharing the stage {stage}, {parcel.stat().st_size / 1e6:.1f} MB")
            blob = ports.sharing.add(parcel, built, key, attempt.lease, job.stop.check)
            return replace(built, stored=blob.sha256) if parcel == built.checkpoint.path else built
    except ReforgeError as error:
        if not error.transient:
            raise
        job.report(f"The stage {stage} is not shared: {error.what}")
        _give_back(attempt, key)
    return built


def _give_back(attempt: Attempt, key: str) -> None:
    """End the upload; what can't be ended now is left to housekeeping."""
    with contextlib.suppress(Unavailable):
        attempt.ports.store.abort(key)
        attempt.ports.catalog.intents.close(key)
