"""A flow run in Prefect, told that its ticket was cancelled: best effort, for the catalog decides."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deployments.command_line.output import tell

if TYPE_CHECKING:
    from blocks.cancellation import Tell

_PATIENCE = 5.0


def told(home: Path) -> Tell:
    """What tells a run, with a word to the terminal if it couldn't be told."""

    def tell_run(run: str, reason: str) -> None:
        if not cancel(home, run, reason):
            tell("Prefect could not be told; the run sees the cancel in the catalog within seconds")

    return tell_run


def cancel(home: Path, run: str, reason: str) -> bool:
    """Set the run to Cancelling at the API that is named or that serves this home; tells whether it was reached."""
    from deployments.embedded import entry, named  # noqa: PLC0415 - heavy

    if named.named_address():
        from tasks.cancel import tell as tell_named  # noqa: PLC0415 - imports Prefect, whose client knows certificates

        return tell_named(run, reason)
    serving = entry.read(home)
    return serving is not None and serving.process() is not None and _cancel_embedded(serving.address, run, reason)


def _cancel_embedded(address: str, run: str, reason: str) -> bool:
    import httpx  # noqa: PLC0415 - heavy

    state = {"type": "CANCELLING", "message": reason}
    try:
        with httpx.Client(timeout=_PATIENCE, trust_env=False) as client:
            answer = client.post(f"{address}/flow_runs/{run}/set_state", json={"state": state})
    except httpx.HTTPError:
        return False
    return answer.is_success
