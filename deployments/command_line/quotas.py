"""Quotas: how much a user may have made and keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter
from cyclopts.validators import Number as Limits

from blocks.model.quota import QuotaKind
from deployments.command_line.home import opened
from deployments.command_line.output import PLAIN, Output, fields, table

if TYPE_CHECKING:
    from blocks.model.quota import Quota

quota = App(name="quota", help="How much users may have made and keep; without a quota there is no limit.")


@quota.command
def show(user: str, /, *, output: Output = PLAIN) -> None:
    """Show a user's quotas: `[{"kind", "limit", "frequency", "used", "reserved", "renews"}]`.

    Args:
        user: Whose they are.
    """
    with opened() as ports:
        found = ports.catalog.quotas.list(user)
    rows = [_text(each).values() for each in found]
    output.show([each.document() for each in found], table(*found[0].document(), rows=rows))


@quota.command(name="set")
def set_(
    user: str,
    kind: QuotaKind,
    limit: Annotated[int, Parameter(validator=Limits(gte=-1, lt=2**53))],
    /,
    *,
    monthly: Annotated[bool, Parameter(negative=())] = False,
    output: Output = PLAIN,
) -> None:
    """Set a user's quota, in place of the one it had.

    Args:
        user: Whose it is.
        kind: appliance counts those it owns, generation the images made for it, diskusage the bytes of their files.
        limit: At most so many; -1 is no limit.
        monthly: Count generations anew each month, on the day of the month on which the user was added.
    """
    with opened() as ports:
        now = ports.catalog.quotas.set(user, kind, None if limit < 0 else limit, "monthly" if monthly else "none")
    output.show(now.document(), fields(**_text(now)))


def _text(each: Quota) -> dict[str, Any]:
    return each.document() | {"limit": "unlimited" if each.limit is None else each.limit}
