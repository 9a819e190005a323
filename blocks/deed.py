"""Deeds of housekeeping: found first, with the reason, and carried out after that, or in a dry run only told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from blocks.model import Words


class Done(Words):
    """One thing that housekeeping did, and why; `done` is false if a dry run only says that it would."""

    what: str
    why: str
    done: bool = True


@dataclass(frozen=True)
class Deed:
    """What is to be done and why; `act` does it, and tells whether it was this call that did."""

    what: str
    why: str
    act: Callable[[], bool]


def carried_out(deeds: Iterable[Deed], *, dry: bool) -> tuple[Done, ...]:
    """Do the deeds, and tell those that were done here; in a dry run tell all of them and do none."""
    return tuple(Done(what=deed.what, why=deed.why, done=not dry) for deed in deeds if dry or deed.act())
