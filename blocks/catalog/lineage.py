"""The lineage: an image, what it was regenerated from, and all that was regenerated from those."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from blocks.catalog.states import SHOWN
from blocks.catalog.tables import TICKETS


def head(connection: Connection, number: int, user: str | None = None) -> int | None:
    """The newest complete ticket of the ticket's lineage that isn't deleted; None if there is none.

    A lineage is of one appliance, and of the ticket's user and the given one.
    """
    own = select(TICKETS.c.user).where(TICKETS.c.id == number).scalar_subquery()
    ancestors = select(TICKETS.c.id, TICKETS.c.parent, TICKETS.c.appliance).where(TICKETS.c.id == number)
    above = TICKETS.alias()
    line = ancestors.cte(recursive=True)
    ours = above.c.user.in_((own, user)) & (above.c.appliance == line.c.appliance)
    line = line.union(select(above.c.id, above.c.parent, above.c.appliance).where(above.c.id == line.c.parent, ours))
    root = select(func.min(line.c.id)).scalar_subquery()
    family = select(TICKETS.c.id, TICKETS.c.appliance).where(TICKETS.c.id == root).cte(recursive=True)
    below = TICKETS.alias()
    ours = below.c.user.in_((own, user)) & (below.c.appliance == family.c.appliance)
    family = family.union(select(below.c.id, below.c.appliance).where(below.c.parent == family.c.id, ours))
    complete = TICKETS.c.id.in_(select(family.c.id)) & (TICKETS.c.state == "complete") & SHOWN
    newest: int | None = connection.scalar(select(func.max(TICKETS.c.id)).where(complete))
    return newest
