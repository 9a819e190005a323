"""Runs go on: after a kill at the same machine or another one, after an ordinary stop, after all of it was killed."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pytest

from blocks.model import Appliance, InstallProfile, OSProfile, Script, Ticket
from blocks.model.summary import Summary
from blocks.ports import Ports
from blocks.settings import Settings
from deployments.embedded import entry
from tests.faults.observation import Observation
from tests.flows.conftest import USER, small
from tests.flows.worker import BIN, Worker, working
from tests.waiting import wait_until

pytestmark = [pytest.mark.flow, pytest.mark.build]
_DEPLOYMENT = "generate-image/on-demand"


class Machines:
    """Workers, each with a home of its own, on the room's catalog and store; each begins with what is built already."""

    def __init__(self, ports: Ports, api: str, folder: Path, leaving: ExitStack) -> None:
        self.observation = Observation(folder / "observed")
        self.workers: list[Worker] = []
        self._ports, self._api, self._folder, self._leaving = ports, api, folder, leaving

    def start(self) -> Worker:
        """One worker more."""
        settings = {
            "REFORGE_CATALOG_URL": f"sqlite:///{self._ports.home / 'catalog.sqlite'}",
            "REFORGE_STORE_URL": (self._ports.home / "store").as_uri(),
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            **self.observation.environment(),
        }
        folder = self._folder / f"machine-{len(self.workers) + 1}"
        worker = self._leaving.enter_context(working(folder, self._api, settings))
        worker.await_readiness()
        _seed(self._ports.home, worker.home)
        self.workers.append(worker)
        return worker

    def be_two(self) -> None:
        """Start what is missing of two."""
        while len(self.workers) < 2:
            self.start()

    def of(self, pid: int) -> tuple[Worker, Worker]:
        """The worker that this process belongs to, and another one."""
        mine, other = sorted(self.workers, key=lambda worker: pid not in {each.pid for each in worker.tree()})
        return mine, other


def _seed(home: Path, other: Path) -> None:
    """Give a home the finished stages and package files of another one, the holes of disks kept."""
    argv = ["cp", "--archive", "--sparse=always", f"{home / 'cache'}/.", str(other / "cache")]
    subprocess.run(argv, check=True)


@pytest.fixture(scope="module")
def machines(api: str, first: Summary, ports: Ports, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """One worker of a pool that the deployment runs on; a test may start another one."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415 (Prefect is imported after its server is named)
    from prefect.client.schemas.actions import WorkPoolCreate  # noqa: PLC0415

    from deployments.definitions import definitions  # noqa: PLC0415

    assert first.state == "complete"
    with get_client(sync_client=True) as client, ExitStack() as leaving:
        client.create_work_pool(WorkPoolCreate(name="reforge", type="process"), overwrite=True)
        definition = next(each for each in definitions() if each.full_name == _DEPLOYMENT)
        definition.apply(work_pool_name="reforge")
        made = Machines(ports, api, tmp_path_factory.mktemp("machines"), leaving)
        made.start()
        yield made
        client.delete_deployment(client.read_deployment_by_name(_DEPLOYMENT).id)


def _appliance(ports: Ports, name: str, disk_size: int, *scripts: Script) -> int:
    """An appliance whose tree is built already, unless it has scripts."""
    profile = InstallProfile(disk_size=disk_size, hostname="small", build_scripts=scripts)
    appliance = Appliance(name=name, os_profile=OSProfile(suite="bookworm"), install_profile=profile)
    return ports.catalog.appliances.add(USER, appliance)


def _run(run: str | None) -> Any:
    from prefect.client.orchestration import get_client  # noqa: PLC0415

    assert run is not None
    with get_client(sync_client=True) as client:
        return client.read_flow_run(UUID(run))


def _states(run: str | None) -> list[str]:
    from prefect.client.orchestration import get_client  # noqa: PLC0415

    assert run is not None
    with get_client(sync_client=True) as client:
        return [state.name or "" for state in client.read_flow_run_states(UUID(run))]


def test_a_killed_run_goes_on_with_its_finished_stages(machines: Machines, ports: Ports) -> None:
    """After kill -9 in the stage disk: the same ticket and run, the second attempt, and the tree is not built again."""
    from flows import start  # noqa: PLC0415

    stop = machines.observation.arm("disk", "working")
    appliance = _appliance(ports, "killed", 1024, Script(name="own", content="#!/bin/sh\ntouch /etc/own\n"))
    ticket = start.generate(USER, appliance)
    os.kill(stop.await_process(120).pid, signal.SIGKILL)
    done = start.wait(ticket, seconds=120)
    ended = ports.catalog.tickets.get(ticket.id)
    assert (ended.attempt, ended.flow_run) == (2, ticket.flow_run)
    assert [stage.reused for stage in done.stages] == [True, False, False]
    wait_until(lambda: _states(ticket.flow_run)[-1] == "Completed", "the run is completed")
    assert _run(ticket.flow_run).run_count == 2
    begun = [
        entry for entry in machines.observation.journal(ticket.id) if (entry.stage, entry.point) == ("disk", "begin")
    ]
    assert [each.attempt for each in begun] == [1, 2]


def _lost_thrice(machines: Machines, ports: Ports) -> Ticket:
    """A ticket whose run is killed each time that it has begun."""
    from flows import start  # noqa: PLC0415

    ticket = start.generate(USER, _appliance(ports, "unlucky", 1024))
    stop = machines.observation.arm("resolve", ticket=ticket.id)
    for number in (1, 2, 3):
        there = stop.await_process(120)
        assert there.attempt == number
        stop = machines.observation.arm("resolve", ticket=ticket.id)
        os.kill(there.pid, signal.SIGKILL)
    wait_until(lambda: ports.catalog.tickets.get(ticket.id).terminal, "the ticket ends")
    stop.disarm()
    return ports.catalog.tickets.get(ticket.id)


def test_a_key_gives_one_ticket_and_one_run_wherever_it_is_asked(machines: Machines, ports: Ports) -> None:
    """The flow called with a key that a deployment works on waits for that run's image, and later gives it at once."""
    from flows import start  # noqa: PLC0415
    from flows.generate import generate_image  # noqa: PLC0415

    appliance = _appliance(ports, "keyed", 1024)
    ticket = start.generate(USER, appliance, key="restart/1")
    done = generate_image(USER, appliance, key="restart/1")
    assert isinstance(done, Summary)
    assert (done.ticket, done.flow_run, done.state) == (ticket.id, ticket.flow_run, "complete")
    assert generate_image(USER, appliance, key="restart/1") == done
    assert ports.catalog.tickets.get(ticket.id).attempt == 1
    assert {each.ticket for each in machines.observation.journal(ticket.id)} == {ticket.id}


@contextmanager
def _suspended(worker: Worker) -> Iterator[None]:
    """The whole machine stands still, as a laptop whose lid is closed."""
    tree = worker.tree()
    for process in tree:
        process.suspend()
    try:
        yield
    finally:
        for process in tree:
            with suppress(psutil.NoSuchProcess):
                process.resume()


def test_a_machine_that_was_taken_for_dead_changes_nothing_when_it_comes_back(machines: Machines, ports: Ports) -> None:
    """Its lease is over, another machine makes the image; its own process ends and tells Prefect nothing.

    While the lease runs out another run is lost for the third time: its ticket ends in error with the reason.
    """
    from flows import start  # noqa: PLC0415

    machines.be_two()
    stop = machines.observation.arm("disk", "working")
    ticket = start.generate(USER, _appliance(ports, "suspended", 1536))
    there = stop.await_process(120)
    mine, _other = machines.of(there.pid)
    process = psutil.Process(there.pid)
    with _suspended(mine):
        unlucky = _lost_thrice(machines, ports)
        assert (unlucky.state, unlucky.attempt, "after 2 restarts" in unlucky.error) == ("error", 3, True)
        done = start.wait(ticket, seconds=180)
        wait_until(lambda: _states(ticket.flow_run)[-1] == "Completed", "the run is completed")
        states, record = _states(ticket.flow_run), ports.store.record(ticket.id)
    wait_until(lambda: not process.is_running(), "the process ends")
    wait_until(lambda: "aborted by orchestrator" in mine.said(), "its worker has seen that")
    wait_until(lambda: not any((mine.home / "work").iterdir()), "it leaves nothing behind")
    assert record.attempt == 2
    assert ports.store.record(ticket.id) == ports.catalog.tickets.record(ticket.id) == record
    assert _states(ticket.flow_run) == states
    assert done.file is not None
    ports.store.verify(done.file.sha256, done.file.size, lambda: None)
    assert not any("crashed" in line and str(ticket.flow_run) in line for line in mine.said().splitlines())


def test_a_workers_ordinary_stop_gives_its_work_to_another(machines: Machines, ports: Ports) -> None:
    """It starts again elsewhere and counts as no loss; the stopped machine leaves nothing behind."""
    from flows import start  # noqa: PLC0415

    machines.be_two()
    slow = Script(name="slow", content="#!/bin/sh\nsleep 300\n")
    ticket = start.generate(USER, _appliance(ports, "slow", 1024, slow))
    wait_until(lambda: ports.catalog.tickets.get(ticket.id).stage == "rootfs", "the stage rootfs runs", 120)
    began = machines.observation.journal(ticket.id)[-1]
    mine, other = machines.of(began.pid)
    below = mine.tree()
    assert mine.stop() == 0
    wait_until(lambda: ports.catalog.tickets.get(ticket.id).attempt == 2, "it has begun again", 60)
    lease = ports.catalog.attempts.current(ticket.id)
    assert lease is not None
    assert lease.home == (other.home / "identity").read_text("utf-8")
    lost = ports.catalog.attempts.lost((mine.home / "identity").read_text("utf-8"))
    assert ticket.id not in {each.ticket for each in lost}
    assert any("handed back" in event.reason for event in ports.catalog.events.list(ticket.id))
    assert not any(process.is_running() for process in below)
    left = [*mine.home.glob("work/*"), *mine.home.glob("attempts/*"), *mine.home.glob("reservations/*.reservation")]
    assert left == []
    assert ports.catalog.tickets.cancel(ticket.id, "the test has seen enough")
    wait_until(lambda: ports.catalog.receipts.get(ticket.id) is not None, "what it held is released")


@contextmanager
def _up(environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`reforge up`, once it serves; it is ended by its process id."""
    with log.open("wb") as output:
        argv = [str(BIN / "reforge"), "up", "--no-gateway"]
        process = subprocess.Popen(argv, env=environment, stdout=output, stderr=output, start_new_session=True)
    try:
        wait_until(lambda: "Serving" in log.read_text("utf-8") or process.poll() is not None, "it serves", 120)
        assert process.poll() is None, log.read_text("utf-8")
        yield process
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0, log.read_text("utf-8")
    finally:
        process.kill()
        process.wait()


def test_all_of_it_killed_and_started_again(first: Summary, ports: Ports, tmp_path: Path) -> None:
    """`reforge up`, its server and the run: with the next `up` the run goes on, and is completed as the same run."""
    home, observation = tmp_path / "home", Observation(tmp_path / "observed")
    foreign = ("PREFECT_", "REFORGE_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    environment = inherited | {"REFORGE_HOME": str(home)} | dict(observation.environment())
    settings = Settings(home=home, catalog_url=None, store_url=None)
    assert first.state == "complete"
    with Ports.open(settings, prepare=True) as opened:
        opened.catalog.users.add(USER, ("image_generate", "appliance_create"))
        appliance = opened.catalog.appliances.add(USER, small())
        _seed(ports.home, home)
        stop = observation.arm("upload")
        with _up(environment, tmp_path / "first.log") as up:
            argv = [str(BIN / "reforge"), "generate", USER, str(appliance), "--detach"]
            subprocess.run(argv, env=environment, check=True, capture_output=True)
            pid = stop.await_process(120).pid
            server = entry.read(home)
            assert server is not None
            for each in (up.pid, server.pid, pid):
                os.kill(each, signal.SIGKILL)
            assert up.wait() == -signal.SIGKILL
        with _up(environment, tmp_path / "second.log"):
            wait_until(lambda: opened.catalog.tickets.get(1).terminal, "the ticket ends", 120)
            ended = opened.catalog.tickets.get(1)
            assert (ended.state, ended.attempt) == ("complete", 2), ended.error
            assert [
                each.attempt for each in observation.journal(1) if (each.stage, each.point) == ("pack", "begin")
            ] == [1, 2]
        assert entry.read(home) is None
