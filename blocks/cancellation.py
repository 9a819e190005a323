"""Cancelling: the catalog first, which decides, then whoever runs the ticket in Prefect, as far as it is reached."""

from __future__ import annotations

from collections.abc import Callable

from blocks.ports import Ports

Tell = Callable[[str, str], object]
"""Tells a run in Prefect that its ticket was cancelled, and why; best effort, so it raises nothing."""


def silent(_run: str, _reason: str) -> None:
    """Tell nobody: a run that works sees the cancel in the catalog within seconds."""


def cancel(ports: Ports, number: int, reason: str, tell: Tell = silent) -> bool:
    """Cancel the ticket unless it has ended; True only for the call that did it; raises NotFound."""
    if not ports.catalog.tickets.cancel(number, reason):
        return False
    if (run := ports.catalog.tickets.get(number).flow_run) is not None:
        tell(run, reason)
    return True
