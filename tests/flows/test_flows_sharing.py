"""One input builds once: who comes second waits and takes what the first has made, in one home and in several."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from blocks import admission, liveness
from blocks.admission import admit
from blocks.builder import Job, Order, identities
from blocks.catalog import Lease
from blocks.errors import Stopped, StoreUnavailable
from blocks.model import Appliance, InstallProfile, OSProfile, StageResult, Ticket
from blocks.model.request import FirstGeneration
from blocks.model.summary import Summary
from blocks.ports import Ports
from blocks.stop import StopToken
from blocks.store.directory import DirectoryStore
from tests.blocks.builder.small_archive import tool
from tests.flows.conftest import USER
from tests.waiting import wait_until

pytestmark = [pytest.mark.flow, pytest.mark.build]

_GENERATE = """
from flows.generate import generate_image
print(generate_image({user!r}, {appliance}).model_dump_json())
"""
_CLAIM = """
import sys, time
from blocks import liveness
from blocks.ports import Ports

with Ports.open() as ports:
    lease = ports.catalog.attempts.begin(int(sys.argv[1]), ports.home_id, in_process=True)
    with liveness.holding(ports.home, lease):
        assert ports.catalog.claims.take(sys.argv[2], lease) is None
        print("claimed", flush=True)
        while True:
            time.sleep(5)
            ports.catalog.attempts.renew(lease)
"""


def _appliance(ports: Ports, hostname: str = "small", disk_size: int = 1024) -> int:
    """A new appliance; with the host name of the first image's its root file system is there already."""
    profile = InstallProfile(disk_size=disk_size, hostname=hostname)
    made = Appliance(name="shared", os_profile=OSProfile(suite="bookworm"), install_profile=profile)
    return ports.catalog.appliances.add(USER, made)


@contextmanager
def _generating(appliance: int, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A process that makes an image of the appliance and prints its summary."""
    program = _GENERATE.format(user=USER, appliance=appliance)
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _summary(process: subprocess.Popen[str]) -> Summary:
    told = process.communicate(timeout=300)[0]
    assert process.returncode == 0
    return Summary.model_validate_json(told.strip().splitlines()[-1])


@pytest.fixture
def homes(ports: Ports, first: Summary, tmp_path: Path) -> Iterator[list[dict[str, str]]]:
    """Two machines of one installation: homes of their own, without a checkpoint; they share what they make."""
    assert first
    shared = {
        "REFORGE_CATALOG_URL": f"sqlite:///{ports.home}/catalog.sqlite",
        "REFORGE_STORE_URL": (ports.home / "store").as_uri(),
        "REFORGE_SHARE_STAGES": "true",
    }
    found = [tmp_path / name for name in ("one", "two")]
    for home in found:
        (home / "cache").mkdir(parents=True)
        for name in ("pool", "index", "tools"):
            tool("cp", "--archive", "--link", str(ports.home / "cache" / name), str(home / "cache"))
    yield [{**shared, "REFORGE_HOME": str(home)} for home in found]
    for home in found:
        assert list((home / "work").iterdir()) == []
        assert list((home / "reservations").glob("*.reservation")) == []
    assert ports.catalog.intents.pending() == []
    assert ports.store.unfinished() == ()
    assert ports.catalog.claims.list() == {}


def test_two_machines_build_one_input_once(ports: Ports, homes: list[dict[str, str]]) -> None:
    """Asked at the same time for equal digests, each stage is made by exactly one; the images are the same."""
    appliance = _appliance(ports, "twins")
    with ExitStack() as stack:
        processes = [stack.enter_context(_generating(appliance, **home)) for home in homes]
        done = [_summary(process) for process in processes]
    for stages in zip(*(summary.stages for summary in done), strict=True):
        assert sorted(stage.reused for stage in stages) == [False, True], stages
    files = [summary.file for summary in done]
    assert files[0] is not None
    assert files[1] is not None
    assert files[0].sha256 == files[1].sha256
    for stage in _made(ports, done[0]):
        assert (shared := ports.catalog.checkpoints.get(stage.digest)) is not None
        assert ports.store.has(shared.sha256)
        if stage.name == "pack":
            assert shared.sha256 == files[0].sha256  # the image and its stage are one blob


def test_when_the_builder_dies_the_waiter_takes_over(first: Summary, ports: Ports) -> None:
    """Who waits for another's stage tells so, and builds itself as soon as that one's process is killed."""
    from tasks.attempt import Attempt  # noqa: PLC0415 (Prefect is imported after its server is named)
    from tasks.build import _obtained  # noqa: PLC0415 (one stage without its flow)

    request = FirstGeneration(user=USER, appliance=_appliance(ports, disk_size=1080))
    holder, waiter = (admit(ports, request)[0] for _ in range(2))
    record = ports.catalog.tickets.record(first.ticket)
    assert record is not None
    order = Order(ports.catalog.tickets.recipe(waiter.id), record.generation.lock, f"{waiter.id}-1")
    lease = ports.catalog.attempts.begin(waiter.id, ports.home_id, in_process=True)
    told: list[str] = []
    with (
        _claiming(holder, identities(order.recipe, order.lock)["disk"]) as builder,
        liveness.holding(ports.home, lease),
    ):
        reading = threading.Thread(target=_kill_once_waited_for, args=(ports, holder, waiter, builder))
        reading.start()
        attempt = Attempt(ports, lease, StopToken())
        built = _obtained(attempt, "disk", order, Job(report=told.append), admission.load(ports, request))
        reading.join()
    assert not built.result.reused
    assert ports.catalog.tickets.get(holder.id).state == "error"
    assert f"Waiting for ticket {holder.id}, which makes the same disk" in told
    _end(ports, [waiter], [lease])


@contextmanager
def _claiming(ticket: Ticket, digest: str) -> Iterator[subprocess.Popen[str]]:
    """A process that works on the ticket, and has claimed the digest; it keeps its lease until it is killed."""
    argv = [sys.executable, "-c", _CLAIM, str(ticket.id), digest]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "claimed\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def _kill_once_waited_for(ports: Ports, holder: Ticket, waiter: Ticket, builder: subprocess.Popen[str]) -> None:
    told = f"Waiting for ticket {holder.id}, which makes the same disk"
    wait_until(lambda: ports.catalog.tickets.get(waiter.id).message == told, told, 60)
    builder.kill()


def _made(ports: Ports, summary: Summary) -> tuple[StageResult, ...]:
    """The stages as the record tells them, with their digests."""
    record = ports.catalog.tickets.record(summary.ticket)
    assert record is not None
    return record.generation.stages


def test_who_waits_hears_a_cancel_within_a_second(first: Summary, ports: Ports) -> None:
    """The claim stays with whoever has it; the waiter leaves nothing."""
    from tasks.attempt import Attempt  # noqa: PLC0415
    from tasks.claim import claimed  # noqa: PLC0415

    assert first
    request = FirstGeneration(user=USER, appliance=_appliance(ports))
    tickets = [admit(ports, request)[0] for _ in range(2)]
    leases = [ports.catalog.attempts.begin(ticket.id, ports.home_id, in_process=True) for ticket in tickets]
    stop, digest = StopToken(), "d" * 64
    assert ports.catalog.claims.take(digest, leases[0]) is None
    ended: list[tuple[str, float]] = []

    def wait() -> None:
        try:
            with claimed(Attempt(ports, leases[1], stop), "rootfs", digest, 10, Job(stop)):
                ended.append(("claimed", time.monotonic()))
        except Stopped:
            ended.append(("stopped", time.monotonic()))

    with liveness.holding(ports.home, leases[0]):
        waiting = threading.Thread(target=wait)
        waiting.start()
        wait_until(lambda: "Waiting for ticket" in ports.catalog.tickets.get(tickets[1].id).message, "it waits", 10)
        began = time.monotonic()
        stop.set("cancelled")
        waiting.join(10)
    assert ended[0][0] == "stopped"
    assert ended[0][1] - began < 1
    assert ports.catalog.claims.list()[digest] == tickets[0].id
    _end(ports, tickets, leases)


def test_a_rebuild_neither_waits_nor_claims(first: Summary, ports: Ports) -> None:
    """It makes a stage although another ticket is about to make the same."""
    from tasks.attempt import Attempt  # noqa: PLC0415
    from tasks.build import _obtained  # noqa: PLC0415 (one stage without its flow)

    request = FirstGeneration(user=USER, appliance=ports.catalog.tickets.get(first.ticket).appliance)
    tickets = [admit(ports, request)[0] for _ in range(2)]
    leases = [ports.catalog.attempts.begin(ticket.id, ports.home_id, in_process=True) for ticket in tickets]
    record = ports.catalog.tickets.record(first.ticket)
    assert record is not None
    generation = record.generation
    order = Order(generation.recipe, generation.lock, f"{tickets[1].id}-1", rebuild=True)
    with liveness.holding(ports.home, leases[0]):
        for stage in generation.stages:
            assert ports.catalog.claims.take(stage.digest, leases[0]) is None
        attempt = Attempt(ports, leases[1], StopToken())
        built = _obtained(attempt, "disk", order, Job(), admission.load(ports, request))
    assert not built.result.reused
    assert set(ports.catalog.claims.list().values()) == {tickets[0].id}
    _end(ports, tickets, leases)


def _end(ports: Ports, tickets: list[Ticket], leases: list[Lease]) -> None:
    for ticket, lease in zip(tickets, leases, strict=True):
        ports.catalog.tickets.cancel(ticket.id, "only asked for by the test")
        ports.catalog.attempts.release(lease)
    assert ports.catalog.claims.list() == {}


def test_what_can_t_be_shared_now_costs_nobody_the_build(
    first: Summary, ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that fails while a finished stage is shared leaves nothing open, and the stage counts as made."""
    from tasks.attempt import Attempt  # noqa: PLC0415
    from tasks.build import _obtained  # noqa: PLC0415 (one stage without its flow)

    def failing(*_arguments: object, **_named: object) -> None:
        raise StoreUnavailable("The test's store is away")

    record = ports.catalog.tickets.record(first.ticket)
    assert record is not None
    monkeypatch.setattr(DirectoryStore, "upload", failing)
    monkeypatch.setenv("REFORGE_SHARE_STAGES", "true")
    with Ports.open() as sharing:
        request = FirstGeneration(user=USER, appliance=_appliance(sharing, disk_size=1100))
        ticket, _ = admit(sharing, request)
        lease = sharing.catalog.attempts.begin(ticket.id, sharing.home_id, in_process=True)
        recipe, told = sharing.catalog.tickets.recipe(ticket.id), list[str]()
        order = Order(recipe, record.generation.lock, f"{ticket.id}-1")
        with liveness.holding(sharing.home, lease):
            start = admission.load(sharing, request)
            built = _obtained(Attempt(sharing, lease, StopToken()), "disk", order, Job(report=told.append), start)
        assert not built.result.reused
        assert sharing.catalog.outputs.get(built.result.digest) is not None
        assert sharing.catalog.checkpoints.get(built.result.digest) is None
        assert sharing.catalog.intents.pending() == []
        assert "The stage disk is not shared: The test's store is away" in told
        _end(sharing, [ticket], [lease])
