"""Cancel: the ticket in the catalog, then its run in Prefect, best effort."""

from __future__ import annotations

from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectException
from prefect.states import Cancelling

from blocks import cancellation
from blocks.ports import Ports

_PATIENCE = 5.0


def cancel(ports: Ports, number: int, reason: str) -> bool:
    """Cancel the ticket unless it has ended; True only for the call that did it; raises NotFound."""
    return cancellation.cancel(ports, number, reason, tell)


def tell(run: str, reason: str) -> bool:
    """Set the run to Cancelling at Prefect's API, as far as it answers within seconds; tells whether it did."""
    try:
        with get_client(httpx_settings={"timeout": _PATIENCE}, sync_client=True) as client:
            client.set_flow_run_state(UUID(run), Cancelling(message=reason))
    except (httpx.HTTPError, PrefectException):
        return False
    return True
