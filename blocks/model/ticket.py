"""The image ticket: the row a user sees of a generation. Its id is UForge's `itid`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from blocks.model import grammar
from blocks.model.policy import Policy
from blocks.model.words import Words

State = Literal["requested", "planning", "building", "storing", "verifying", "complete", "error", "cancelled"]
TERMINAL: frozenset[State] = frozenset({"complete", "error", "cancelled"})
ORDER: tuple[State, ...] = ("requested", "planning", "building", "storing", "verifying", "complete")


class Ticket(Words):
    """A generation as its user sees it; `parent` is the image it regenerates, `percent` the greatest seen."""

    id: int
    user: grammar.UserName
    appliance: int
    parent: int | None
    policy: Policy
    rebuild: bool
    state: State
    percent: int = Field(ge=0, le=100)
    stage: str
    message: str
    error: str
    attempt: int
    flow_run: str | None
    created: grammar.Moment
    finished: grammar.Moment | None

    @property
    def terminal(self) -> bool:
        """Whether the state is final."""
        return self.state in TERMINAL


class Event(Words):
    """One appended transition, with its time and reason."""

    time: grammar.Moment
    state: State
    reason: str


class Receipt(Words):
    """What a cancel or a failure released, one line each."""

    time: grammar.Moment
    released: tuple[str, ...]
