"""Maintenance: what lost runs left behind is settled and given back."""

from __future__ import annotations

import contextlib
import sys

from deployments.command_line.home import opened
from deployments.command_line.output import PLAIN, Output, table, tell


def housekeeping(*, output: Output = PLAIN) -> None:
    """Settle tickets that were lost, hand over those that wait, and give back what dead attempts left.

    `reforge up` does it every minute by itself.
    """
    from deployments import embedded  # noqa: PLC0415 - heavy

    with opened() as ports, embedded.server(ports.home, tell), contextlib.redirect_stdout(sys.stderr):
        from flows.housekeeping import housekeeping as tidy  # noqa: PLC0415 - after Prefect's server is named

        done = tidy()
    output.show([each.document() for each in done], table("what", "why", rows=[(row.what, row.why) for row in done]))
