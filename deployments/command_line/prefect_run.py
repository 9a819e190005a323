"""A flow run in Prefect, told that its ticket was cancelled: best effort, for the catalog decides."""

from __future__ import annotations

from pathlib import Path

_PATIENCE = 5.0


def cancel(home: Path, run: str) -> bool:
    """Set the run to Cancelling at the API that is named or that serves this home; tells whether it was reached."""
    from deployments.embedded import entry, named  # noqa: PLC0415 - heavy

    if named.named_address():
        return _cancel_named(run)
    serving = entry.read(home)
    return serving is not None and serving.process() is not None and _cancel_embedded(serving.address, run)


def _cancel_embedded(address: str, run: str) -> bool:
    import httpx  # noqa: PLC0415 - heavy

    state = {"type": "CANCELLING", "message": "cancelled at the command line"}
    try:
        with httpx.Client(timeout=_PATIENCE, trust_env=False) as client:
            answer = client.post(f"{address}/flow_runs/{run}/set_state", json={"state": state})
    except httpx.HTTPError:
        return False
    return answer.is_success


def _cancel_named(run: str) -> bool:
    """With Prefect's own client, which knows certificates, keys and passwords."""
    from uuid import UUID  # noqa: PLC0415 - only here

    import httpx  # noqa: PLC0415 - heavy
    from prefect.client.orchestration import get_client  # noqa: PLC0415 - heavy
    from prefect.exceptions import PrefectException  # noqa: PLC0415 - heavy
    from prefect.states import Cancelling  # noqa: PLC0415 - heavy

    try:
        with get_client(httpx_settings={"timeout": _PATIENCE}, sync_client=True) as client:
            client.set_flow_run_state(UUID(run), Cancelling(message="cancelled at the command line"))
    except (httpx.HTTPError, PrefectException):
        return False
    return True
