"""Stage resolve: from a recipe to a lock. The one stage that is no function of a digest: the archive moves.

If the packages are those of the parent's lock, its tools are kept as well: tools that moved alone are no reason for
another image.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from blocks.builder.archive import Archive, index, ordered
from blocks.builder.job import Job
from blocks.model import Evidence, Lock, Recipe


@dataclass(frozen=True)
class Resolution:
    """A lock with its index object (the packages' archive stanzas) and the evidence of the archive's state."""

    lock: Lock
    index: bytes
    evidence: Evidence


def resolve(recipe: Recipe, parent: Lock | None, archive: Archive, job: Job) -> Resolution:
    """The lock of the recipe in the archive's present state.

    Raises UnsupportedSuite, PackagesMissing or MirrorUnreachable.
    """
    found, evidence = archive.packages(recipe.os_profile, job)
    stanzas = index(found)
    tools = parent.tools if parent else ()
    lock = Lock(packages=ordered(found), index=hashlib.sha256(stanzas).hexdigest(), tools=tools)
    if parent is None or lock.content() != parent.content():
        lock = lock.model_copy(update={"tools": archive.tools(job)})
    return Resolution(lock, stanzas, evidence)
