"""The record: one generation as a portable document, in an envelope with the ids of ticket, appliance and user."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from blocks.model import grammar
from blocks.model.lock import Evidence, Lock
from blocks.model.policy import Policy
from blocks.model.recipe import Recipe, StageName
from blocks.model.target import Format
from blocks.model.words import Words

Outcome = Literal["rebuilt", "unchanged", "reused", "simulated"]


class ImageFile(Words):
    """The stored file; `size` in bytes, `compression` names what a reader must undo."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+~-]*$", max_length=255)
    format: Format
    compression: Literal["none", "zstd"]
    size: grammar.Size
    sha256: grammar.SHA256


class StageResult(Words):
    """What a stage did: the digest that names its output, the output's sha256 and size, its seconds of wall time."""

    name: StageName
    digest: grammar.SHA256
    sha256: grammar.SHA256
    size: grammar.Size
    seconds: float = Field(ge=0)
    reused: bool


class Generation(Words):
    """Recipe, lock, stages and result of one generation; immutable once its ticket is terminal."""

    recipe: Recipe
    lock: Lock
    evidence: Evidence
    policy: Policy
    parent: grammar.Number | None = None
    stages: tuple[StageResult, ...] = ()
    file: ImageFile | None = None
    outcome: Outcome | None = None
    reason: str = ""
    created: grammar.Moment

    def image_digest(self) -> str | None:
        """The digest of the last stage, which names the image."""
        return self.stages[-1].digest if self.stages else None


class Record(Words):
    """A generation in its envelope. As confidential as the image itself."""

    kind: Literal["reforge-record"] = "reforge-record"
    version: Literal[1] = 1
    ticket: grammar.Number
    attempt: int = Field(default=1, ge=0, lt=2**53)
    appliance: grammar.Number
    user: grammar.UserName
    generation: Generation
