"""Stage resolve: from a recipe to a lock. The one stage that is no function of a digest: the archive moves.

If the packages are those of the parent's lock, its tools are kept as well: tools that moved alone are no reason for
another image.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from blocks.builder.archive import Archive, index, ordered
from blocks.builder.job import Job
from blocks.model import Evidence, InstallProfile, Lock, OSProfile, Recipe

_WITHOUT_PACKAGE = "C.UTF-8"


@dataclass(frozen=True)
class Resolution:
    """A lock with its index object (the packages' archive stanzas) and the evidence of the archive's state."""

    lock: Lock
    index: bytes
    evidence: Evidence


def resolve(recipe: Recipe, parent: Lock | None, archive: Archive, job: Job) -> Resolution:
    """The lock of the recipe in the archive's present state; one that checks its dependencies believes no cache.

    Raises UnsupportedSuite, PackagesMissing, MirrorUnreachable or MirrorRefused.
    """
    found, evidence = archive.packages(asked(recipe), job, anew=recipe.check_dependencies)
    stanzas = index(found)
    tools = parent.tools if parent else ()
    lock = Lock(packages=ordered(found), index=hashlib.sha256(stanzas).hexdigest(), tools=tools)
    if parent is None or lock.content() != parent.content():
        lock = lock.model_copy(update={"tools": archive.tools(job, anew=recipe.check_dependencies)})
    return Resolution(lock, stanzas, evidence)


def asked(recipe: Recipe) -> OSProfile:
    """The OS profile with the packages that the install profile needs besides those it names."""
    packages = dict.fromkeys((*recipe.os_profile.packages, *_implied(recipe.install_profile)))
    return recipe.os_profile.model_copy(update={"packages": tuple(packages)})


def _implied(profile: InstallProfile) -> Iterator[str]:
    if profile.locale not in (None, _WITHOUT_PACKAGE):
        yield "locales"
    if profile.keyboard is not None:
        yield from ("console-setup", "keyboard-configuration")
