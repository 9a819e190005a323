"""The watcher: beside every attempt it renews the lease and hears of a cancel, wherever that was asked for.

The catalog is the cancel channel. Prefect's own Cancelling is read as well, best effort, and written to the catalog.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import PrefectException

from blocks.catalog import Lease
from blocks.errors import CatalogUnavailable, Stopped, Superseded
from blocks.model import Ticket
from blocks.ports import Ports
from blocks.stop import StopToken

_TICKET_SECONDS = 1.0
_RUN_SECONDS = 0.8  # a cancel in Prefect is to be heard within a second
_RENEW_SECONDS = 10.0
_OUTAGE_SECONDS = 600.0
_PATIENCE = 2.0


class Watcher:
    """Looks after one attempt until told to end."""

    def __init__(self, ports: Ports, lease: Lease, stop: StopToken, run: str | None) -> None:
        self._ports = ports
        self._lease = lease
        self._stop = stop
        self._run = run
        self._ended = threading.Event()
        self._renewed = time.monotonic()

    def watch(self) -> None:
        """Look about once a second until the attempt ends or has to stop.

        A database that doesn't answer is asked again for minutes: whether the lease was lost meanwhile it will tell.
        """
        while not self._ended.wait(_TICKET_SECONDS) and not self._stop.is_set():
            self._look()

    def ask(self) -> None:
        """Ask Prefect likewise; its client may wait for minutes, so this never keeps `watch` from the lease."""
        if self._run is None:
            return
        with get_client(sync_client=True) as client:
            while not self._ended.wait(_RUN_SECONDS) and not self._stop.is_set():
                self._ask(client, UUID(self._run))

    def end(self) -> None:
        """Stop watching."""
        self._ended.set()

    def _look(self) -> None:
        now = time.monotonic()
        try:
            ticket = self._ports.catalog.tickets.get(self._lease.ticket)
            if ticket.state != "complete" and now - self._renewed >= _RENEW_SECONDS:
                self._ports.catalog.attempts.renew(self._lease)
                self._renewed = now
        except Stopped as stopped:
            self._stop.set(stopped.what, type(stopped))
        except CatalogUnavailable as error:
            if now - self._renewed > _OUTAGE_SECONDS:
                self._stop.set(f"the lease is lost, as the catalog doesn't answer: {error.what}", Superseded)
        else:
            self._heed(ticket)

    def _heed(self, ticket: Ticket) -> None:
        if ticket.attempt != self._lease.number:
            self._stop.set(f"attempt {ticket.attempt} has taken over", Superseded)
        elif ticket.state == "requested":
            self._stop.set(f"attempt {ticket.attempt} was handed back, or taken for lost", Superseded)
        elif ticket.state == "cancelled":
            self._stop.set(f"ticket {ticket.id} was cancelled: {ticket.message}")

    def _ask(self, client: SyncPrefectClient, run: UUID) -> None:
        with contextlib.suppress(httpx.HTTPError, PrefectException, CatalogUnavailable):
            state = client.read_flow_run(run).state
            if state is not None and (state.is_cancelling() or state.is_cancelled()) and not self._ended.is_set():
                self._ports.catalog.tickets.cancel(self._lease.ticket, "cancelled in Prefect")
                self._stop.set("cancelled in Prefect")


def cancelling(run: str | None) -> bool:
    """Whether Prefect says that the run is being cancelled; no when it can't be asked."""
    if run is None:
        return False
    with contextlib.suppress(httpx.HTTPError, PrefectException), get_client(sync_client=True) as client:
        state = client.read_flow_run(UUID(run)).state
        return state is not None and (state.is_cancelling() or state.is_cancelled())
    return False


@contextlib.contextmanager
def watched(ports: Ports, lease: Lease, stop: StopToken, run: str | None) -> Iterator[None]:
    """Have the attempt watched for the length of the context."""
    watcher = Watcher(ports, lease, stop, run)
    name = f"{lease.ticket}-{lease.number}"
    watching = threading.Thread(target=watcher.watch, name=f"watch {name}", daemon=True)
    asking = threading.Thread(target=watcher.ask, name=f"ask {name}", daemon=True)
    watching.start()
    asking.start()
    try:
        yield
    finally:
        watcher.end()
        watching.join()
        asking.join(_PATIENCE)
