"""Tickets that wait for their run: what becomes of them when the run never works on them, or is tried again."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from blocks.admission import admit, load
from blocks.errors import Refused
from blocks.model import Appliance, OSProfile, Ticket
from blocks.model.request import FirstGeneration, Regeneration
from blocks.ports import Ports
from blocks.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.flow


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[Ports]:
    """A home that nobody else works in."""
    with Ports.open(Settings(home=tmp_path, catalog_url=None, store_url=None), prepare=True) as opened:
        opened.catalog.users.add("alice", roles=["developer"])
        yield opened


@pytest.fixture
def request_(ports: Ports) -> FirstGeneration:
    """A first image of an appliance."""
    made = Appliance(name="server", os_profile=OSProfile(suite="bookworm", packages=()))
    return FirstGeneration(user="alice", appliance=ports.catalog.appliances.add("alice", made))


@pytest.fixture
def deployed(api: str) -> str:
    """The deployment is there, though nobody serves it."""
    from deployments.definitions import definitions  # noqa: PLC0415 (Prefect is imported after its server is named)

    definition = next(each for each in definitions() if each.full_name == "generate-image/on-demand")
    definition.apply()
    assert api
    return definition.full_name


def _handed(ports: Ports, request: FirstGeneration) -> Ticket:
    from tasks.dispatch import dispatch  # noqa: PLC0415

    ticket = dispatch(ports, admit(ports, request)[0].id, {})
    assert dispatch(ports, ticket.id, {}).flow_run == ticket.flow_run
    return ticket


def _set(ticket: Ticket, state: Any) -> None:
    from prefect.client.orchestration import get_client  # noqa: PLC0415

    with get_client(sync_client=True) as client:
        client.set_flow_run_state(UUID(ticket.flow_run), state, force=True)


def _settle(ports: Ports) -> None:
    from tasks.housekeep import start_waiting  # noqa: PLC0415

    start_waiting.fn(ports)


def _run(ticket: Ticket) -> Any:
    from prefect.client.orchestration import get_client  # noqa: PLC0415

    with get_client(sync_client=True) as client:
        return client.read_flow_run(UUID(ticket.flow_run))


def test_a_ticket_ends_with_its_run(deployed: str, ports: Ports, request_: FirstGeneration) -> None:
    """A run that failed or was cancelled before it worked on the ticket leaves the reason; others wait."""
    from prefect.states import Cancelled, Failed, Pending  # noqa: PLC0415

    states: tuple[Any, ...] = (
        Failed(message="Prefect has no Reforge Store block named 'main'"),
        Cancelled(),
        Pending(),
    )
    tickets = [_handed(ports, request_) for _ in states]
    waiting = _handed(ports, request_)
    for ticket, state in zip(tickets, states, strict=True):
        _set(ticket, state)
    _settle(ports)
    ended = [ports.catalog.tickets.get(ticket.id) for ticket in (*tickets, waiting)]
    assert [each.state for each in ended] == ["error", "cancelled", "requested", "requested"]
    assert "block named 'main'" in ended[0].error
    assert _run(tickets[-1]).state.is_pending()
    assert deployed


def test_a_run_that_died_before_it_began_starts_again(
    deployed: str, ports: Ports, request_: FirstGeneration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once when it crashed, else when it takes too long to begin; six times, then the ticket says why."""
    from prefect.states import Crashed, Pending, Running  # noqa: PLC0415

    from tasks import revive  # noqa: PLC0415

    ticket = _handed(ports, request_)
    monkeypatch.setattr(revive, "_START", timedelta(0))
    states: tuple[Any, ...] = (Crashed(message="killed"), Pending(), Running())
    for state in states * 2:
        _set(ticket, state)
        assert "again" in revive.revive(ports, dry=True)[0].what
        assert _run(ticket).state.type == state.type
        _settle(ports)
        assert _run(ticket).state.name == "AwaitingRetry"
        assert revive.revive(ports) == ()
    _set(ticket, Crashed(message="out of memory"))
    _settle(ports)
    ended = ports.catalog.tickets.get(ticket.id)
    assert (ended.state, "out of memory" in ended.error) == ("error", True)
    assert deployed


def test_a_stop_hands_back_what_was_taken_up_and_has_not_begun(
    deployed: str, ports: Ports, request_: FirstGeneration
) -> None:
    """Also a run that was taken up once more after its attempt was lost; not one whose ticket another works on."""
    from prefect.states import Pending, Running  # noqa: PLC0415

    from deployments.keeping import underway  # noqa: PLC0415

    new, again, elsewhere = (_handed(ports, request_) for _ in range(3))
    for ticket in (again, elsewhere):
        _set(ticket, Running())
        ports.catalog.attempts.begin(ticket.id, "another home", ticket.flow_run, in_process=False, run_count=1)
    ports.catalog.attempts.settle(again.id, lambda _lease: False)
    for ticket in (new, again):
        _set(ticket, Pending())
    with ExitStack() as ending:
        for ticket in (new, again, elsewhere):
            ending.enter_context(_process_of(ticket))
        runs = underway(ports, os.getpid())
        runs.give_back()
    runs.start_again()
    assert [_run(ticket).state.name for ticket in (new, again, elsewhere)] == ["AwaitingRetry"] * 2 + ["Running"]
    assert deployed


def test_a_stop_ends_the_runs_of_tickets_that_were_just_cancelled_here(
    deployed: str, ports: Ports, request_: FirstGeneration
) -> None:
    """Their processes are gone, and who was about to tell Prefect so has ended; not what another machine ran."""
    from prefect.states import Cancelling, Running  # noqa: PLC0415

    from deployments.keeping import underway  # noqa: PLC0415

    here, there = (_handed(ports, request_) for _ in range(2))
    for ticket, home in ((here, ports.home_id), (there, "another home")):
        _set(ticket, Running())
        ports.catalog.attempts.begin(ticket.id, home, ticket.flow_run, in_process=False, run_count=1)
        ports.catalog.tickets.cancel(ticket.id, "the test cancels it")
        _set(ticket, Cancelling())
    underway(ports, os.getpid()).start_again()
    assert [_run(ticket).state.type.value for ticket in (here, there)] == ["CANCELLED", "CANCELLING"]
    assert deployed


@contextmanager
def _process_of(ticket: Ticket) -> Iterator[None]:
    """A process that is the run's by its environment, and does nothing."""
    environment = {**os.environ, "PREFECT__FLOW_RUN_ID": str(ticket.flow_run)}
    argv = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(argv, env=environment, stdin=subprocess.PIPE):  # it ends with its standard input
        yield


def test_a_lost_attempts_run_starts_again_unless_it_has_begun_already(
    deployed: str, ports: Ports, request_: FirstGeneration
) -> None:
    """Told by how often the run had begun; a cancelled one cancels its ticket, and is over in Prefect too."""
    from prefect.states import Cancelling, Running  # noqa: PLC0415

    ticket = _handed(ports, request_)
    for restart, missed in ((1, 1), (2, 0)):
        _set(ticket, Running())
        count = _run(ticket).run_count - missed
        ports.catalog.attempts.begin(ticket.id, ports.home_id, ticket.flow_run, in_process=False, run_count=count)
        lost = ports.catalog.attempts.settle(ticket.id, lambda _lease: False)
        assert (lost.state, f"restart {restart} of 2" in lost.message) == ("requested", True)
        _settle(ports)
        assert _run(ticket).state.name == ("Running" if missed else "AwaitingRetry")
    _set(ticket, Running())
    _set(ticket, Cancelling())
    _settle(ports)
    assert (ports.catalog.tickets.get(ticket.id).state, _run(ticket).state.type.value) == ("cancelled", "CANCELLED")
    assert deployed


def test_a_ticket_whose_run_another_prefect_has_is_left_alone(
    api: str, ports: Ports, request_: FirstGeneration
) -> None:
    """Whoever can't see the run can't judge it."""
    ticket, _token = admit(ports, request_)
    ports.catalog.tickets.set_flow_run(ticket.id, str(uuid4()))
    _settle(ports)
    assert ports.catalog.tickets.get(ticket.id).state == "requested"
    assert api


def test_a_run_that_is_tried_again_goes_on_or_begins_anew(
    ports: Ports, request_: FirstGeneration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its ticket as long as that lives and is about the same image and recipe; else with another one."""
    from tasks.create import create  # noqa: PLC0415

    run = str(uuid4())
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", run)
    image = create.fn(ports, request_, load(ports, request_))
    ports.catalog.tickets.cancel(image.id, "the test asked for it")
    request = Regeneration(user="alice", appliance=request_.appliance, image=image.id)
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", str(uuid4()))
    start = load(ports, request)
    ticket = create.fn(ports, request, start)
    assert create.fn(ports, request, start).id == ticket.id
    ports.catalog.tickets.cancel(image.id, "the test asked for it")
    newer = load(ports, request.model_copy(update={"policy": "exact"}))
    again = create.fn(ports, request, newer)
    assert (again.policy, ports.catalog.tickets.get(ticket.id).state) == ("exact", "cancelled")
    assert create.fn(ports, request, newer).id == again.id


def test_a_handed_ticket_that_ended_before_it_began_is_made_anew_by_a_retry(
    ports: Ports, request_: FirstGeneration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that ended in error; a cancelled one stays cancelled."""
    from blocks.errors import Refused  # noqa: PLC0415
    from tasks.create import create  # noqa: PLC0415

    run = str(uuid4())
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", run)
    for end in (ports.catalog.orders.end, ports.catalog.tickets.cancel):
        ticket, token = admit(ports, request_)
        ports.catalog.tickets.set_flow_run(ticket.id, run)
        end(ticket.id, "the test asked for it")
        handed = request_.model_copy(update={"ticket": ticket.id, "token": token})
        if end == ports.catalog.tickets.cancel:
            with pytest.raises(Refused):
                create.fn(ports, handed, load(ports, handed))
        else:
            assert create.fn(ports, handed, load(ports, handed)).id > ticket.id


def test_a_refused_duplicate_leaves_the_attempt_that_lives(ports: Ports, request_: FirstGeneration) -> None:
    """Only a ticket on which nobody works yet ends with the refusal of its run."""
    from blocks.errors import InactiveUser  # noqa: PLC0415
    from tasks.attempt import answerable  # noqa: PLC0415

    for begun, state in ((True, "planning"), (False, "error")):
        ticket, token = admit(ports, request_)
        if begun:
            ports.catalog.attempts.begin(ticket.id, ports.home_id, in_process=True)
        handed = request_.model_copy(update={"ticket": ticket.id, "token": token})
        with pytest.raises(InactiveUser), answerable(ports, handed):
            raise InactiveUser("The user alice is not active")
        assert ports.catalog.tickets.get(ticket.id).state == state


def test_what_people_changed_on_a_deployment_is_kept(deployed: str) -> None:
    """Default parameters, tags, a limit and a pause; a deployment of a work pool is not taken from its workers."""
    import asyncio  # noqa: PLC0415

    from prefect.client.orchestration import get_client  # noqa: PLC0415
    from prefect.client.schemas.actions import DeploymentUpdate, WorkPoolCreate  # noqa: PLC0415

    from blocks.errors import Refused  # noqa: PLC0415
    from deployments.definitions import definitions, registered  # noqa: PLC0415

    definition = next(each for each in definitions() if each.full_name == deployed)
    changes = DeploymentUpdate(parameters={"builder": "main"}, tags=["mine"], concurrency_limit=2, paused=True)
    with get_client(sync_client=True) as client:
        number = client.read_deployment_by_name(deployed).id
        client.update_deployment(number, changes)
        asyncio.run(registered(definition)).apply()
        found = client.read_deployment_by_name(deployed)
        assert (found.parameters, found.tags, found.paused) == ({"builder": "main"}, ["mine", "reforge"], True)
        assert found.global_concurrency_limit is not None
        assert found.global_concurrency_limit.limit == 2
        client.create_work_pool(WorkPoolCreate(name="pool", type="process"))
        definition.apply(work_pool_name="pool")
        with pytest.raises(Refused, match="pool"):
            asyncio.run(registered(definition))
        client.delete_deployment(number)


def test_what_prefect_will_never_take_is_not_waited_for(
    deployed: str, home: Path, request_: FirstGeneration, monkeypatch: pytest.MonkeyPatch, ports: Ports
) -> None:
    """A deployment that asks for more than we know refuses the run: the ticket is cancelled with the reason."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415
    from prefect.client.schemas.actions import DeploymentUpdate  # noqa: PLC0415

    from deployments.definitions import definitions  # noqa: PLC0415
    from flows.start import hand_over  # noqa: PLC0415

    assert home != ports.home
    monkeypatch.setenv("REFORGE_HOME", str(ports.home))
    with get_client(sync_client=True) as client:
        found = client.read_deployment_by_name(deployed)
        schema = {**(found.parameter_openapi_schema or {}), "required": ["unheard-of"]}
        client.update_deployment(found.id, DeploymentUpdate(parameter_openapi_schema=schema))
    with pytest.raises(Refused, match="unheard-of"):
        hand_over(request_)
    (ticket,) = ports.catalog.tickets.list()
    assert (ticket.state, "unheard-of" in ticket.message) == ("cancelled", True)
    next(each for each in definitions() if each.full_name == deployed).apply()
