"""Starting: a ticket is made and answered at once; a thread hands it to Prefect, now or when that is back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from blocks.errors import ReforgeError, Unavailable
from blocks.model import Ticket
from blocks.model.request import Request
from blocks.ports import Ports
from deployments.up import served

_LOG = logging.getLogger(__name__)
_PAUSE = 5.0
_FORGOTTEN = 180.0
_END = 10.0


class Starter:
    """Hands over what was asked for here, and what nobody handed over for minutes, until told to end.

    What keeps it from it, it logs once.
    """

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._asked: set[int] = set()
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._trouble = ""

    def ask(self, request: Request) -> Ticket:
        """The ticket of the request, which will be worked on; needs no Prefect. Raises what `admit` raises."""
        from flows.start import ask  # noqa: PLC0415 - heavy: the thread has it imported

        ticket = ask(self._ports, request)
        if not ticket.terminal and ticket.flow_run is None:
            self._asked.add(ticket.id)
            self._wake.set()
        return ticket

    @contextmanager
    def running(self) -> Iterator[None]:
        """Have it done for the length of the context."""
        thread = threading.Thread(target=self._run, name="start tickets", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            self._wake.set()
            thread.join(_END)

    def _run(self) -> None:
        while not self._ended.is_set():
            self._wake.clear()
            try:
                self._hand_over()
            except ReforgeError as error:
                self._complain(error)
            self._wake.wait(_PAUSE)

    def _hand_over(self) -> None:
        from tasks.dispatch import dispatch  # noqa: PLC0415 - heavy, and reads go on meanwhile

        numbers = self._waiting()
        if not numbers:
            return
        with served(self._ports.home):
            for number in numbers:
                try:
                    dispatch(self._ports, number, {})
                except Unavailable:
                    raise
                except ReforgeError as error:  # not deployed yet, or not as it should be: others may be taken
                    self._complain(error)

    def _waiting(self) -> list[int]:
        asked = self._asked.copy()
        waiting = asked.intersection(self._ports.catalog.orders.undispatched(0)) if asked else set()
        self._asked -= asked - waiting
        return sorted(waiting.union(self._ports.catalog.orders.undispatched(_FORGOTTEN)))

    def _complain(self, error: ReforgeError) -> None:
        if str(error) != self._trouble:
            self._trouble = str(error)
            _LOG.warning("Tickets can't be handed over just now: %s", error)
