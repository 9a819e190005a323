"""The orders: what a ticket asks of the run that works on it, and the tickets that no run works on at present."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import Field
from sqlalchemy import select, update

from blocks.catalog.clock import Now
from blocks.catalog.database import Database
from blocks.catalog.states import TICKET_COLUMNS, move, row
from blocks.catalog.tables import TICKETS
from blocks.model import Policy, Recipe, Ticket, Words, canonical


class Order(Words):
    """What a run is handed with its ticket; `image` is the parent, None for a first generation.

    `asked` are the parameters of a first generation, `blocks` the names of the blocks that it was asked with.
    """

    user: str
    appliance: int
    image: int | None
    policy: Policy
    rebuild: bool
    plan: str | None
    asked: Mapping[str, str | bool | int | None]
    blocks: Mapping[str, str | None]
    token: str = Field(repr=False)


class Orders:
    """The tickets as seen by whoever hands them to runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, number: int) -> Order:
        """The ticket's order; raises NotFound."""
        names = ("user", "appliance", "parent", "policy", "rebuild", "plan", "token", "blocks")
        columns = [TICKETS.c[name] for name in names]
        with self._database.reading() as connection:
            row(connection, number)
            found = connection.execute(select(*columns, TICKETS.c.recipe).where(TICKETS.c.id == number)).one()
        recipe = Recipe.parse_json(found.recipe, "stored recipe")
        return Order(
            user=found.user,
            appliance=found.appliance,
            image=found.parent,
            policy=found.policy,
            rebuild=found.rebuild,
            plan=found.plan,
            asked=_asked(recipe) if found.parent is None else {},
            blocks=json.loads(found.blocks or "{}"),
            token=found.token,
        )

    def ask_with(self, number: int, blocks: Mapping[str, str | None]) -> None:
        """Note the names of the blocks that a ticket is asked with, once; raises NotFound."""
        first = (TICKETS.c.id == number) & TICKETS.c.blocks.is_(None)
        with self._database.writing() as connection:
            row(connection, number)
            connection.execute(update(TICKETS).where(first).values(blocks=canonical(dict(blocks)).decode()))

    def undispatched(self, seconds: float) -> list[int]:
        """The tickets that were requested so long ago or longer, and that no run was found for, oldest first."""
        old = TICKETS.c.created <= Now() - seconds
        query = select(TICKETS.c.id).where(_REQUESTED, TICKETS.c.flow_run.is_(None), old).order_by(TICKETS.c.id)
        with self._database.reading() as connection:
            return [int(number) for number in connection.scalars(query)]

    def waiting(self) -> list[Ticket]:
        """The tickets whose run has not begun, or has to start again (`attempt` > 0), oldest first."""
        query = select(*TICKET_COLUMNS).where(_REQUESTED, TICKETS.c.flow_run.is_not(None)).order_by(TICKETS.c.id)
        with self._database.reading() as connection:
            return [Ticket.model_validate(dict(each)) for each in connection.execute(query).mappings()]

    def end(self, number: int, error: str) -> bool:
        """End a ticket in error that waits for its run; True only for the call that did it; raises NotFound."""
        with self._database.writing() as connection:
            row(connection, number)
            return move(connection, number, "error", error, _REQUESTED, error=error)


def _asked(recipe: Recipe) -> dict[str, str | bool | int | None]:
    """What a recipe comes to, as the parameters of the flow that makes an image of it for the first time."""
    names = ("format", "compress", "target", "simulated", "check_dependencies")
    sizes = ("disk_size", "memory_size", "swap_size")
    return {name: getattr(recipe, name) for name in names} | recipe.install_profile.model_dump(include=set(sizes))


_REQUESTED = TICKETS.c.state == "requested"
