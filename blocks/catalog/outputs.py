"""The outputs of stages: the first one recorded owns its digest for ever."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field
from sqlalchemy import Select, select

from blocks.catalog.clock import Now
from blocks.catalog.database import Database, insert_missing
from blocks.catalog.tables import BUILDS, OUTPUTS
from blocks.model import StageName, Words, grammar


class StageOutput(Words):
    """What a stage made for a digest: sha256 and size in bytes, seconds of wall time, and whose ticket made it."""

    digest: grammar.SHA256
    stage: StageName
    sha256: grammar.SHA256
    size: grammar.Size
    seconds: float = Field(ge=0)
    ticket: int
    recorded: datetime


class Outputs:
    """What is known about the bytes behind stage digests."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, digest: str, stage: StageName, sha256: str, size: int, seconds: float, ticket: int) -> StageOutput:
        """Record an output unless the digest has one; returns the owner, whose sha256 the caller compares."""
        values = {"digest": digest, "stage": stage, "sha256": sha256, "size": size}
        values |= {"seconds": seconds, "ticket": ticket}
        with self._database.writing() as connection:
            connection.execute(insert_missing(connection, BUILDS).values(ticket=ticket, digest=digest))
            connection.execute(insert_missing(connection, OUTPUTS).values(**values, recorded=Now()))
            owner = connection.execute(_of(digest)).mappings().one()
        return StageOutput.model_validate(dict(owner))

    def built(self, ticket: int) -> frozenset[str]:
        """The digests of the stages that the ticket's attempts have built, whoever built them first."""
        query = select(BUILDS.c.digest).where(BUILDS.c.ticket == ticket)
        with self._database.reading() as connection:
            return frozenset(connection.scalars(query))

    def get(self, digest: str) -> StageOutput | None:
        """The output that owns the digest, None if it was never made."""
        with self._database.reading() as connection:
            owner = connection.execute(_of(digest)).mappings().first()
        return None if owner is None else StageOutput.model_validate(dict(owner))

    def seconds(self, stage: StageName, limit: int = 20) -> list[float]:
        """How long the stage took the last times, newest first."""
        query = select(OUTPUTS.c.seconds).where(OUTPUTS.c.stage == stage)
        with self._database.reading() as connection:
            return list(connection.scalars(query.order_by(OUTPUTS.c.recorded.desc()).limit(limit)))


def _of(digest: str) -> Select[Any]:
    return select(OUTPUTS).where(OUTPUTS.c.digest == digest)
