"""Maintenance: what lost runs left behind is settled and given back, and a lost catalog is made anew from the store."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from deployments.command_line.home import opened
from deployments.command_line.output import PLAIN, Output, table, tell

if TYPE_CHECKING:
    from blocks.deed import Done


def housekeeping(
    *,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    rebuild_catalog: Annotated[bool, Parameter(negative=())] = False,
    output: Output = PLAIN,
) -> None:
    """Settle tickets that were lost, start those that wait, and give back what nobody needs.

    `reforge up` does it every minute by itself.

    Args:
        dry_run: Only tell what would be done, and why.
        rebuild_catalog: Instead, fill an empty catalog with every image, record and lineage that the store has.
    """
    done = _rebuilt(dry=dry_run) if rebuild_catalog else _tidied(dry=dry_run)
    rows = [(row.what, row.why) for row in done]
    output.show([each.document() for each in done], table("would be done" if dry_run else "done", "why", rows=rows))


def _tidied(*, dry: bool) -> tuple[Done, ...]:
    from deployments import embedded  # noqa: PLC0415 - heavy

    with opened() as ports, embedded.server(ports.home, tell), contextlib.redirect_stdout(sys.stderr):
        from flows.housekeeping import housekeeping as tidy  # noqa: PLC0415 - after Prefect's server is named

        return tidy(dry_run=dry, thorough=True)


def _rebuilt(*, dry: bool) -> tuple[Done, ...]:
    from blocks.rebuilding import rebuild  # noqa: PLC0415 - heavy

    with opened() as ports:
        return rebuild(ports, tell, dry=dry)
