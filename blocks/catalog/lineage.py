"""The lineage: an image, what it was regenerated from, and all that was regenerated from those."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from blocks.catalog.tables import TICKETS


def head(connection: Connection, number: int) -> int | None:
    """The newest complete ticket of the ticket's lineage, of the same user and appliance; None if none is complete."""
    ancestors = select(TICKETS.c.id, TICKETS.c.parent).where(TICKETS.c.id == number).cte(recursive=True)
    above = TICKETS.alias()
    ancestors = ancestors.union(select(above.c.id, above.c.parent).where(above.c.id == ancestors.c.parent))
    root = select(func.min(ancestors.c.id)).scalar_subquery()
    family = select(TICKETS.c.id, TICKETS.c.user, TICKETS.c.appliance).where(TICKETS.c.id == root).cte(recursive=True)
    below = TICKETS.alias()
    child = (below.c.parent == family.c.id) & (below.c.user == family.c.user)
    same = below.c.appliance == family.c.appliance
    family = family.union(select(below.c.id, below.c.user, below.c.appliance).where(child, same))
    complete = TICKETS.c.id.in_(select(family.c.id)) & (TICKETS.c.state == "complete")
    newest: int | None = connection.scalar(select(func.max(TICKETS.c.id)).where(complete))
    return newest
