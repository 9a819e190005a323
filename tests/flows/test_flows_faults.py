"""A run that is cancelled, refused, failed or killed: the ticket is right, nothing is left, the next run works."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from blocks import liveness
from blocks.admission import admit
from blocks.errors import (
    Denied,
    DiskTooSmall,
    ForeignAppliance,
    InactiveUser,
    MissingEntitlement,
    NoOSProfile,
    NotFound,
    PackagesMissing,
    ParentRunning,
    PlanMoved,
    StageFailed,
    UnknownUser,
    Unreproducible,
)
from blocks.model import Appliance, InstallProfile, OSProfile, Script, Ticket
from blocks.model.request import Regeneration
from blocks.model.summary import Summary
from blocks.ports import Ports
from tests.flows.conftest import USER, small
from tests.flows.runner import regenerating
from tests.waiting import wait_until

pytestmark = [pytest.mark.flow, pytest.mark.build]


def _newest(ports: Ports) -> Ticket:
    return ports.catalog.tickets.list()[-1]


def _building(ports: Ports, before: int, process: subprocess.Popen[str]) -> tuple[Ticket, list[psutil.Process]]:
    """The new ticket, once its packages are being installed inside the sandbox, and the build's processes."""
    flow = psutil.Process(process.pid)

    def tree() -> list[psutil.Process]:
        return flow.children(recursive=True)

    def begun() -> bool:
        ticket = _newest(ports)
        return ticket.id > before and ticket.stage == "rootfs" and "mmdebstrap" in {row.name() for row in tree()}

    wait_until(begun, "the stage rootfs runs", 120)
    return _newest(ports), tree()


def _nothing_left(home: Path, ports: Ports, tree: list[psutil.Process]) -> None:
    wait_until(lambda: not any(process.is_running() for process in tree), "no process of the build lives")
    assert list((home / "work").iterdir()) == []
    assert ports.store.unfinished() == ()
    assert ports.catalog.intents.pending() == []
    assert list((home / "cache" / "checkpoints").glob("partial-*")) == []
    assert list((home / "reservations").glob("*.reservation")) == []


def test_a_cancel_in_the_catalog_ends_the_run_with_a_receipt(first: Summary, home: Path, ports: Ports) -> None:
    """The ticket is cancelled at once, the run ends as Cancelled, and what was released is written down."""
    appliance = ports.catalog.tickets.get(first.ticket).appliance
    before = _newest(ports).id
    with regenerating(USER, appliance, first.ticket) as process:
        ticket, tree = _building(ports, before, process)
        assert ports.catalog.tickets.cancel(ticket.id, "the test asked for it")
        assert process.communicate(timeout=60)[0].strip() == "CANCELLED"
    assert ports.catalog.tickets.get(ticket.id).state == "cancelled"
    receipt = ports.catalog.receipts.get(ticket.id)
    assert receipt is not None
    assert any("work folder" in row for row in receipt.released)
    assert any("reservation" in row for row in receipt.released)
    _nothing_left(home, ports, tree)


def test_a_cancel_in_prefect_reaches_a_run_in_a_plain_process(
    first: Summary, api: str, home: Path, ports: Ports
) -> None:
    """What the button in the UI does ends the build and cancels the ticket."""
    appliance = ports.catalog.tickets.get(first.ticket).appliance
    before = _newest(ports).id
    with regenerating(USER, appliance, first.ticket) as process:
        ticket, tree = _building(ports, before, process)
        wanted = {"state": {"type": "CANCELLING", "name": "Cancelling"}, "force": False}
        httpx.post(f"{api}/flow_runs/{ticket.flow_run}/set_state", json=wanted).raise_for_status()
        assert process.communicate(timeout=60)[0].strip() == "CANCELLED"
    assert ports.catalog.tickets.get(ticket.id).state == "cancelled"
    _nothing_left(home, ports, tree)


def test_a_killed_process_leaves_a_ticket_that_says_what_to_do(first: Summary, home: Path, ports: Ports) -> None:
    """After kill -9 whoever reads the ticket ends it in error with the hint, and the next run sweeps what was left."""
    from flows.regenerate import regenerate_image  # noqa: PLC0415 (Prefect is imported after its server is named)

    appliance = ports.catalog.tickets.get(first.ticket).appliance
    before = _newest(ports).id
    with regenerating(USER, appliance, first.ticket) as process:
        ticket, tree = _building(ports, before, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    settled = ports.catalog.attempts.settle(ticket.id, liveness.judge(home, ports.home_id))
    assert settled.state == "error"
    assert "Run it again" in settled.error
    again = regenerate_image(USER, appliance, ticket.id)
    assert isinstance(again, Summary)
    assert again.state == "complete"
    _nothing_left(home, ports, tree)


def test_force_cancels_a_running_parent_and_without_it_that_is_refused(first: Summary, ports: Ports) -> None:
    """A parent that is still being made is refused, with force it is cancelled and superseded."""
    appliance = ports.catalog.tickets.get(first.ticket).appliance
    before = _newest(ports).id
    with regenerating(USER, appliance, first.ticket) as process:
        running, _ = _building(ports, before, process)
        with pytest.raises(ParentRunning, match=str(running.id)):
            admit(ports, Regeneration(user=USER, appliance=appliance, image=running.id))
        forced, _ = admit(ports, Regeneration(user=USER, appliance=appliance, image=running.id, force=True))
        assert process.communicate(timeout=60)[0].strip() == "CANCELLED"
    assert ports.catalog.tickets.get(running.id).state == "cancelled"
    assert str(forced.id) in ports.catalog.tickets.get(running.id).message
    ports.catalog.tickets.cancel(forced.id, "only asked for by the test")


def test_a_rebuild_arrives_at_the_same_bytes(first: Summary, ports: Ports) -> None:
    """Although nothing changed it is built, and the stored file is the same."""
    from flows.regenerate import regenerate_image  # noqa: PLC0415

    appliance = ports.catalog.tickets.get(first.ticket).appliance
    again = regenerate_image(USER, appliance, first.ticket, rebuild=True)
    assert isinstance(again, Summary)
    assert (again.verdict, again.digest) == ("rebuilt", first.digest)
    assert not any(stage.reused for stage in again.stages)
    assert again.file is not None
    assert first.file is not None
    assert again.file.sha256 == first.file.sha256


def test_a_plan_for_another_state_of_the_archive_is_refused(first: Summary, ports: Ports) -> None:
    """The run that was asked for with a plan's state ends in error when the archive is in another one."""
    from flows.regenerate import regenerate_image  # noqa: PLC0415

    appliance = ports.catalog.tickets.get(first.ticket).appliance
    with pytest.raises(PlanMoved, match="0000000000000000"):
        regenerate_image(USER, appliance, first.ticket, plan_state="0" * 16)
    assert "The archive has moved" in _newest(ports).error


def test_the_same_key_gives_the_same_ticket(first: Summary, ports: Ports) -> None:
    """Asking twice with one key makes one ticket."""
    appliance = ports.catalog.tickets.get(first.ticket).appliance
    request = Regeneration(user=USER, appliance=appliance, image=first.ticket, key="nightly/1")
    assert admit(ports, request)[0].id == admit(ports, request)[0].id
    ports.catalog.tickets.cancel(_newest(ports).id, "only asked for by the test")


@pytest.mark.parametrize(
    ("user", "error"),
    [("nobody", UnknownUser), ("sleeper", InactiveUser), ("guest", MissingEntitlement), ("mallory", ForeignAppliance)],
)
def test_a_denial_makes_no_ticket(first: Summary, ports: Ports, user: str, error: type[Denied]) -> None:
    """Whoever may not ask gets an error of its own, and the catalog has no ticket more than before."""
    from flows.regenerate import regenerate_image  # noqa: PLC0415

    known = {account.name for account in ports.catalog.users.list()}
    if "sleeper" not in known:
        ports.catalog.users.add("sleeper", ("image_generate",), active=False)
        ports.catalog.users.add("guest", ())
    before = _newest(ports).id
    with pytest.raises(error):
        regenerate_image(user, ports.catalog.tickets.get(first.ticket).appliance, first.ticket)
    assert _newest(ports).id == before


def test_a_denial_when_run_ends_the_ticket_in_error(first: Summary, ports: Ports) -> None:
    """A user who was deactivated between asking and running gets no image, and the ticket says why."""
    from flows.regenerate import regenerate_image  # noqa: PLC0415

    ports.catalog.users.add("leaver", ("image_generate", "appliance_create"))
    appliance = ports.catalog.appliances.add("leaver", small(name="leaver"))
    record = ports.catalog.tickets.record(first.ticket)
    assert record is not None
    adopted = ports.catalog.tickets.adopt(
        record.model_copy(update={"user": "leaver", "appliance": appliance}), has_file=True
    )
    ticket, token = admit(ports, Regeneration(user="leaver", appliance=appliance, image=adopted.id))
    ports.catalog.users.set_active("leaver", active=False)
    with pytest.raises(InactiveUser):
        regenerate_image("leaver", appliance, adopted.id, ticket=ticket.id, token=token)
    ended = ports.catalog.tickets.get(ticket.id)
    assert (ended.state, "leaver" in ended.error) == ("error", True)


def test_an_unknown_image_and_an_appliance_without_os_profile_make_no_ticket(first: Summary, ports: Ports) -> None:
    """Both answer with an error of their own before anything is made."""
    from flows.generate import generate_image  # noqa: PLC0415
    from flows.regenerate import regenerate_image  # noqa: PLC0415

    bare = ports.catalog.appliances.add(USER, Appliance(name="bare"))
    before = _newest(ports).id
    with pytest.raises(NotFound, match="999999"):
        regenerate_image(USER, ports.catalog.tickets.get(first.ticket).appliance, 999999)
    with pytest.raises(NoOSProfile, match="OS profile"):
        generate_image(USER, bare)
    assert _newest(ports).id == before


_FAILING = Script(name="failing", content="#!/bin/sh\necho the reason of the failure\nexit 3\n")
_RANDOM = Script(name="random", content="#!/bin/sh\nhead -c 8 /dev/urandom > /etc/random\n")


@pytest.mark.parametrize(
    ("appliance", "error", "told"),
    [
        (small(_FAILING, name="failing"), StageFailed, "the reason of the failure"),
        (
            Appliance(name="typo", os_profile=OSProfile(suite="bookworm", packages=("no-such-package",))),
            PackagesMissing,
            "no-such-package",
        ),
        (
            Appliance(
                name="tight",
                os_profile=OSProfile(suite="bookworm"),
                install_profile=InstallProfile(disk_size=128, hostname="small"),
            ),
            DiskTooSmall,
            "128 MiB",
        ),
    ],
    ids=["failing script", "unknown package", "small disk"],
)
def test_what_cannot_be_built_ends_the_ticket_in_error(
    first: Summary, home: Path, ports: Ports, appliance: Appliance, error: type[Exception], told: str
) -> None:
    """The ticket and the exception say what and where, nothing is left, and earlier images are untouched."""
    from flows.generate import generate_image  # noqa: PLC0415

    with pytest.raises(error, match=told):
        generate_image(USER, ports.catalog.appliances.add(USER, appliance))
    assert (_newest(ports).state, told in _newest(ports).error) == ("error", True)
    _nothing_left(home, ports, [])
    assert first.file is not None
    ports.store.verify(first.file.sha256, first.file.size, lambda: None)


def test_a_recipe_that_depends_on_chance_is_reported_as_unreproducible(first: Summary, ports: Ports) -> None:
    """A rebuild that differs names the file that differs, and never replaces the first image."""
    from flows.generate import generate_image  # noqa: PLC0415
    from flows.regenerate import regenerate_image  # noqa: PLC0415

    appliance = ports.catalog.appliances.add(USER, small(_RANDOM, name="random"))
    made = generate_image(USER, appliance)
    assert isinstance(made, Summary)
    assert made.file is not None
    with pytest.raises(Unreproducible, match="etc/random"):
        regenerate_image(USER, appliance, made.ticket, rebuild=True)
    ports.store.verify(made.file.sha256, made.file.size, lambda: None)
    assert first.state == "complete"


def test_the_flows_process_stays_small(first: Summary, ports: Ports) -> None:
    """A run needs less than 300 MB in its own process, however large the disk is."""
    appliance = ports.catalog.appliances.add(
        USER,
        Appliance(
            name="large",
            os_profile=OSProfile(suite="bookworm"),
            install_profile=InstallProfile(disk_size=20480, hostname="large"),
        ),
    )
    program = (
        "from pathlib import Path\nfrom flows.generate import generate_image\n"
        f"generate_image({USER!r}, {appliance})\n"
        "rows = Path('/proc/self/status').read_text().splitlines()\n"
        "print(next(row.split()[1] for row in rows if row.startswith('VmHWM:')))\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[-1]) < 300 * 1024
    assert first.state == "complete"


def test_a_run_that_is_tried_again_after_its_end_gets_a_new_ticket(first: Summary, ports: Ports) -> None:
    """A run finds its own ticket again while that is open, and makes another with the same parent once it has ended."""
    from prefect import flow  # noqa: PLC0415 (Prefect is imported after its server is named)

    from tasks.create import create  # noqa: PLC0415
    from tasks.load import load  # noqa: PLC0415

    request = Regeneration(user=USER, appliance=ports.catalog.tickets.get(first.ticket).appliance, image=first.ticket)

    @flow(persist_result=False)
    def again() -> list[Ticket]:
        start = load(ports, request)
        made = [create(ports, request, start), create(ports, request, start)]
        ports.catalog.tickets.cancel(made[0].id, "ended by the test")
        return [*made, create(ports, request, start)]

    one, same, other = again()
    assert one.id == same.id != other.id
    assert one.parent == other.parent == first.ticket
    ports.catalog.tickets.cancel(other.id, "only asked for by the test")


def test_a_lasting_fault_is_not_tried_again(first: Summary, api: str, ports: Ports) -> None:
    """A wrong package name ends the ticket at once."""
    from flows.generate import generate_image  # noqa: PLC0415 (Prefect is imported after its server is named)

    misspelt = Appliance(name="misspelt", os_profile=OSProfile(suite="bookworm", packages=("no-such-package",)))
    with pytest.raises(PackagesMissing):
        generate_image(USER, ports.catalog.appliances.add(USER, misspelt))
    assert _newest(ports).state == "error"
    wanted = {
        "task_runs": {"name": {"any_": ["plan"]}},
        "flow_runs": {"id": {"any_": [_newest(ports).flow_run]}},
    }
    assert httpx.post(f"{api}/task_runs/filter", json=wanted).json()[0]["run_count"] == 1
    assert first.state == "complete"
