"""The summary: what a finished generation tells whoever asked for it."""

from __future__ import annotations

from typing import Literal

from blocks.model import grammar
from blocks.model.changes import changes
from blocks.model.policy import Policy
from blocks.model.recipe import StageName
from blocks.model.record import Outcome, Record
from blocks.model.target import Format
from blocks.model.ticket import State, Ticket
from blocks.model.words import Words


class StoredFile(Words):
    """The image file and where it is; `size` in bytes."""

    name: str
    format: Format
    compression: Literal["none", "zstd"]
    size: grammar.Size
    sha256: grammar.SHA256
    uri: str


class StageTime(Words):
    """A stage's wall time in seconds, and whether its output was there already."""

    name: StageName
    seconds: float
    reused: bool


class Summary(Words):
    """The one document that `regenerate --json` prints; `packages` counts the differences against the parent."""

    ticket: int
    parent: int | None
    state: State
    verdict: Outcome | None
    reason: str
    policy: Policy
    digest: grammar.SHA256 | None
    file: StoredFile | None
    packages: dict[str, int]
    stages: tuple[StageTime, ...]
    flow_run: str | None


def summarise(ticket: Ticket, record: Record | None, parent: Record | None, uri: str) -> Summary:
    """The summary of a ticket that ended; without a record (error, cancelled) it has no file."""
    generation = record.generation if record else None
    before = parent.generation.lock.packages if parent else ()
    packages = changes(before, generation.lock.packages).counts() if generation else {}
    file = generation.file if generation else None
    return Summary(
        ticket=ticket.id,
        parent=ticket.parent,
        state=ticket.state,
        verdict=generation.outcome if generation else None,
        reason=generation.reason if generation else (ticket.error or ticket.message),
        policy=ticket.policy,
        digest=generation.image_digest() if generation else None,
        file=StoredFile(**file.model_dump(), uri=uri) if file else None,
        packages=packages,
        stages=tuple(
            StageTime(name=stage.name, seconds=stage.seconds, reused=stage.reused)
            for stage in (generation.stages if generation else ())
        ),
        flow_run=ticket.flow_run,
    )
