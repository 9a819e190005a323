"""Starting: what was asked for is handed to Prefect, also if that is away at first; nobody else's is touched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Event, Thread

import pytest

from blocks.errors import InvalidInput, NotFound, PrefectUnavailable
from blocks.model.request import Regeneration
from blocks.ports import Ports
from deployments.gateway.starting import Starter
from tests.deployments.gateway.conftest import Made
from tests.waiting import wait_until


class _Prefect:
    """Stands in for Prefect's API, which is another program: it notes what it is handed, or says why not."""

    def __init__(self, ports: Ports) -> None:
        self.ports = ports
        self.trouble: Exception | None = None
        self.refused = 0
        self.taken: list[int] = []
        self.tried = Event()

    def dispatch(self, ports: Ports, number: int, blocks: object) -> None:
        """Take a ticket, unless there is trouble."""
        del blocks
        self.tried.set()
        if self.trouble is not None:
            raise self.trouble
        if number == self.refused:
            raise InvalidInput("Its recipe can't be read")
        if ports.catalog.tickets.get(number).terminal:  # those are left alone, as `dispatch` says
            return
        self.taken.append(number)
        ports.catalog.tickets.set_flow_run(number, f"run-{number}")


@pytest.fixture
def prefect(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> _Prefect:
    """A Prefect that answers."""
    made = _Prefect(ports)
    monkeypatch.setattr("deployments.gateway.starting.served", lambda _: nullcontext("the address"))
    monkeypatch.setattr("tasks.dispatch.dispatch", made.dispatch)
    monkeypatch.setattr("deployments.gateway.starting._PAUSE", 0.05)
    return made


@pytest.fixture
def starter(ports: Ports, prefect: _Prefect) -> Iterator[Starter]:
    """A starter that runs."""
    assert prefect
    made = Starter(ports)
    with made.running():
        yield made


@pytest.mark.parametrize("trouble", [PrefectUnavailable("It is down"), NotFound("Nothing is deployed")])
def test_later(trouble: Exception, starter: Starter, prefect: _Prefect, made: Made) -> None:
    """A ticket waits as requested, and is handed over once that works."""
    prefect.trouble = trouble
    ticket = starter.ask(Regeneration(user="alice", appliance=made.appliance, image=made.image))
    wait_until(prefect.tried.is_set, "the starter tries")
    assert (ticket.state, prefect.taken) == ("requested", [])
    prefect.trouble = None
    wait_until(lambda: prefect.taken == [ticket.id], "the ticket is handed over")


def test_one_that_cant_be_handed_over(starter: Starter, prefect: _Prefect, made: Made) -> None:
    """Whatever is wrong with a ticket, those after it are handed over."""
    prefect.refused = 2
    again = Regeneration(user="alice", appliance=made.appliance, image=made.image)
    first, second = starter.ask(again), starter.ask(again)
    wait_until(lambda: second.id in prefect.taken, "the second one is handed over")
    assert (first.id, prefect.taken) == (prefect.refused, [second.id])


def test_only_its_own(starter: Starter, prefect: _Prefect, made: Made, live: int) -> None:
    """A ticket that somebody else just made is left to whoever made it, and a cancelled one is not started."""
    prefect.trouble = PrefectUnavailable("It is down")
    again = Regeneration(user="alice", appliance=made.appliance, image=made.image)
    cancelled, ticket = starter.ask(again), starter.ask(again)
    prefect.ports.catalog.tickets.cancel(cancelled.id, "enough")
    prefect.trouble = None
    wait_until(lambda: prefect.taken == [ticket.id], "the ticket is handed over")
    assert prefect.ports.catalog.tickets.get(live).flow_run is None


class _Page(BaseHTTPRequestHandler):
    """Answers everything with a page, as a proxy does whose server is away."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>Back soon</html>")

    def log_message(self, *_: object) -> None:
        """Say nothing of it."""


def test_a_page_in_the_place_of_prefect() -> None:
    """It counts as Prefect being away, so that it is asked again."""
    from prefect.settings import PREFECT_API_URL, temporary_settings  # noqa: PLC0415 - heavy

    from tasks.dispatch import asking  # noqa: PLC0415

    with HTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/api"
            with temporary_settings({PREFECT_API_URL: url}), pytest.raises(PrefectUnavailable), asking() as client:
                client.read_deployment_by_name("generate-image/on-demand")
        finally:
            server.shutdown()
            thread.join()
