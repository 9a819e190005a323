"""How far an image is, and how it is cancelled."""

from __future__ import annotations

import threading
from pathlib import Path

from blocks import liveness
from blocks.catalog import Lease
from blocks.model import Ticket
from blocks.ports import Ports
from tests.calling import Call
from tests.deployments.command_line.conftest import eventually

_KEYS = ["ticket", "state", "percent", "stage", "message", "error", "attempt", "receipt", "events"]


def test_a_status_tells_all_that_happened(reforge: Call, ports: Ports, live: Ticket) -> None:
    """With the keys that programs rely on."""
    lease = ports.catalog.attempts.begin(live.id, "elsewhere", in_process=True)
    ports.catalog.attempts.advance(lease, "building", 30, "rootfs", "Stage rootfs")
    document = reforge("status", "alice", live.appliance, live.id, "--json").document
    assert list(document) == _KEYS
    assert [event["state"] for event in document["events"]] == ["requested", "planning", "building"]
    assert [list(event) for event in document["events"]] == [["time", "state", "reason"]] * 3
    assert (document["state"], document["percent"], document["stage"]) == ("building", 30, "rootfs")
    assert (document["attempt"], document["receipt"], document["error"]) == (1, None, "")


def test_a_status_ends_what_nobody_works_on_any_more(reforge: Call, ports: Ports, home: Path, live: Ticket) -> None:
    """The lock file of a killed process is there and held by nobody: the ticket ends in error."""
    ports.catalog.attempts.begin(live.id, ports.home_id, in_process=True)
    (home / "attempts").mkdir()
    (home / "attempts" / f"{live.id}-1.lock").touch()
    document = reforge("status", "alice", live.appliance, live.id, "--json").document
    assert document["state"] == "error"
    assert "Run it again" in document["error"]
    assert "lost" in reforge("status", "alice", live.appliance, live.id).out


def test_a_list_of_images_ends_it_likewise(reforge: Call, ports: Ports, home: Path, live: Ticket) -> None:
    """No ticket waits for ever, however it is looked at."""
    ports.catalog.attempts.begin(live.id, ports.home_id, in_process=True)
    (home / "attempts").mkdir()
    (home / "attempts" / f"{live.id}-1.lock").touch()
    assert [row["state"] for row in reforge("images", "--json").document] == ["error"]


def test_a_requested_ticket_is_cancelled_at_once(reforge: Call, ports: Ports, live: Ticket) -> None:
    """Nothing was held, so nothing is waited for; cancelling twice is fine."""
    answer = reforge("cancel", "alice", live.appliance, live.id, "--json")
    assert (answer.code, list(answer.document)) == (0, ["ticket", "state", "message", "receipt"])
    assert (answer.document["state"], answer.document["receipt"]) == ("cancelled", None)
    assert ports.catalog.tickets.get(live.id).state == "cancelled"
    assert reforge("cancel", "alice", live.appliance, live.id).code == 0


def test_a_complete_image_cannot_be_cancelled(reforge: Call, appliance: int, image: int) -> None:
    """Exit code 1, and the state that it ended in."""
    answer = reforge("cancel", "alice", appliance, image, "--json")
    assert (answer.code, answer.out) == (1, "")
    assert "complete" in answer.err


def test_a_cancel_waits_for_the_receipt(reforge: Call, ports: Ports, live: Ticket) -> None:
    """Whoever works on the ticket lets go, and what was released is shown."""
    lease = ports.catalog.attempts.begin(live.id, ports.home_id, in_process=True)
    held = threading.Event()
    worker = threading.Thread(target=_work, args=(ports, lease, held))
    worker.start()
    assert held.wait(10)
    document = reforge("cancel", "alice", live.appliance, live.id, "--json").document
    worker.join()
    assert document["receipt"]["released"] == ["work folder 1-1"]


def test_a_run_that_prefect_does_not_answer_for_is_cancelled_all_the_same(
    reforge: Call, ports: Ports, live: Ticket
) -> None:
    """The catalog decides; no server is started to be told."""
    ports.catalog.tickets.set_flow_run(live.id, "00000000-0000-0000-0000-000000000000")
    answer = reforge("cancel", "alice", live.appliance, live.id, "--json")
    assert (answer.code, answer.document["state"]) == (0, "cancelled")
    assert "Prefect could not be told" in answer.err


def _work(ports: Ports, lease: Lease, held: threading.Event) -> None:
    """Hold the attempt until the ticket is cancelled, then let go with a receipt."""
    with liveness.holding(ports.home, lease):
        held.set()
        eventually(lambda: ports.catalog.tickets.get(lease.ticket).state == "cancelled")
        ports.catalog.receipts.add(lease.ticket, ("work folder 1-1",))
