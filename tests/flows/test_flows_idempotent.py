"""One key, one ticket, one run: however often, from however many programs, and by whichever way it is asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from blocks.admission import admit
from blocks.catalog.tables import TICKETS
from blocks.errors import KeyReused
from blocks.model import Ticket
from blocks.model.request import Regeneration
from blocks.model.summary import Summary
from blocks.ports import Ports
from tests.flows.conftest import USER
from tests.flows.serving import serving
from tests.waiting import wait_until

pytestmark = [pytest.mark.flow, pytest.mark.build]
_REFORGE = str(Path(sys.executable).parent / "reforge")
_LIMIT = 300
# Five processes of ten threads that all ask for the same.
_FIFTY = """
import json, multiprocessing
from concurrent.futures import ThreadPoolExecutor
from flows import start

def ask(_number):
    ticket = start.regenerate({user!r}, {appliance}, {image}, key={key!r})
    return ticket.id, ticket.flow_run

def ask_ten(_number):
    with ThreadPoolExecutor(10) as threads:
        return list(threads.map(ask, range(10)))

with multiprocessing.get_context("fork").Pool(5) as processes:
    print(json.dumps(processes.map(ask_ten, range(5), 1)))
"""
Image = tuple[str, int, int]


@pytest.fixture(scope="module")
def image(api: str, first: Summary, ports: Ports) -> Iterator[Image]:
    """An image of a user's appliance, in a home whose deployments are served."""
    assert api
    with serving() as lines:
        wait_until(lambda: any("Serving" in line for line in lines), "the deployments are served")
        yield USER, ports.catalog.tickets.get(first.ticket).appliance, first.ticket


def _runs(ticket: Ticket) -> list[tuple[str, str]]:
    """Prefect's runs that bear the ticket's tag, with how they ended."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415 (Prefect is imported after its server is named)
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags  # noqa: PLC0415

    tagged = FlowRunFilter(tags=FlowRunFilterTags(all_=[f"ticket:{ticket.id}"]))
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(flow_run_filter=tagged)
    return [(str(run.id), run.state_name or "") for run in found]


def _ended(ports: Ports, before: int) -> Ticket:
    """The one ticket that was made since, once it has ended well at its first attempt."""
    (made,) = (ticket for ticket in _asked_for(ports) if ticket.id > before)
    wait_until(lambda: ports.catalog.tickets.get(made.id).terminal, "the ticket has ended", _LIMIT)
    ticket = ports.catalog.tickets.get(made.id)
    assert (ticket.state, ticket.attempt) == ("complete", 1), ticket
    return ticket


def _newest(ports: Ports) -> int:
    return max((ticket.id for ticket in _asked_for(ports)), default=0)


def _asked_for(ports: Ports) -> list[Ticket]:
    """All tickets but those of runs that were planned earlier, which make their own; a key tells what a run made."""
    with ports.catalog.database.reading() as connection:
        planned = set(connection.scalars(select(TICKETS.c.id).where(TICKETS.c.key.startswith("run/"))))
    return [ticket for ticket in ports.catalog.tickets.list() if ticket.id not in planned]


@contextmanager
def _running(argv: Sequence[object]) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    with subprocess.Popen([*map(str, argv)], stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _answers(started: Sequence[subprocess.Popen[str]]) -> list[Any]:
    """The document that each prints, which must end well."""
    told = [process.communicate(timeout=_LIMIT) for process in started]
    assert [process.returncode for process in started] == [0] * len(started), told
    return [json.loads(out) for out, _ in told]


def test_fifty_starts_at_once_make_one_ticket_and_one_run(image: Image, ports: Ports) -> None:
    """All get the same ticket, with its run; whoever asks later too, and another request by that key is refused."""
    from flows import start  # noqa: PLC0415

    before = _newest(ports)
    user, appliance, number = image
    program = _FIFTY.format(user=user, appliance=appliance, image=number, key="fifty")
    with _running((sys.executable, "-c", program)) as process:
        (answers,) = _answers([process])
    ticket = _ended(ports, before)
    wait_until(lambda: _runs(ticket) == [(ticket.flow_run, "Completed")], "its only run has ended", _LIMIT)
    assert [answer for given in answers for answer in given] == [[ticket.id, ticket.flow_run]] * 50
    assert start.regenerate(*image, key="fifty") == ticket
    with pytest.raises(KeyReused):
        start.regenerate(*image, key="fifty", rebuild=True)
    assert _newest(ports) == ticket.id


def _commands(image: Image, key: str, *options: Sequence[str]) -> list[Any]:
    """What commands print that are started at the same moment, each with its own options."""
    common = (_REFORGE, "regenerate", *image, "--key", key, "--json")
    with ExitStack() as stack:
        return _answers([stack.enter_context(_running((*common, *each))) for each in options])


def test_eight_commands_at_once_tell_the_same(image: Image, ports: Ports) -> None:
    """One of them makes the image, the others wait for it; all print its summary, and so does whoever asks later."""
    before = _newest(ports)
    told = _commands(image, "eight", *[()] * 8)
    ticket = _ended(ports, before)
    assert _runs(ticket) == [(ticket.flow_run, "Completed")]
    assert (told[0]["ticket"], told[0]["flow_run"]) == (ticket.id, ticket.flow_run)
    assert told == [told[0]] * 8
    assert _commands(image, "eight", ("--detach",)) == told[:1]
    assert _ended(ports, before) == ticket


def test_a_command_and_a_deployment_share_a_ticket_and_its_run(image: Image, ports: Ports) -> None:
    """Whichever comes first works on it, the other waits or says that it goes on."""
    before = _newest(ports)
    told, handed = _commands(image, "both", (), ("--detach",))
    ticket = _ended(ports, before)
    assert {told["ticket"], handed["ticket"]} == {ticket.id}
    assert (told["state"], told["flow_run"]) == ("complete", ticket.flow_run)


def test_a_key_of_another_request_is_refused_by_every_way_in(image: Image, ports: Ports) -> None:
    """The flow raises, the commands exit with 2 and name the key, and no ticket is made."""
    from flows.regenerate import regenerate_image  # noqa: PLC0415

    user, appliance, number = image
    ticket, _ = admit(ports, Regeneration(user=user, appliance=appliance, image=number, key="taken"))
    with pytest.raises(KeyReused, match="taken"):
        regenerate_image(*image, policy="exact", key="taken")
    for way in ((), ("--detach",)):
        argv = [_REFORGE, "regenerate", *map(str, image), "--key", "taken", "--policy", "exact", *way]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert (done.returncode, "taken" in done.stderr) == (2, True), done.stderr
    assert _newest(ports) == ticket.id
    ports.catalog.tickets.cancel(ticket.id, "only asked for by the test")
