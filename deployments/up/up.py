"""Prefect's server and UI, kept running until interrupted, so that runs can be looked at and started from commands."""

from __future__ import annotations

import contextlib
import signal

from blocks.ports import Ports
from deployments import embedded
from deployments.command_line.output import tell


def up(ports: Ports) -> None:
    """Serve until SIGINT or SIGTERM; commands of the same home join the server."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), embedded.server(ports.home, tell) as address:
        tell(f"Prefect's UI: {address.removesuffix('/api')} (Ctrl-C ends it)")
        signal.pause()
