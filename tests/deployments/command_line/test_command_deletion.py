"""Images and appliances are deleted at the command line; it says what became of them."""

from __future__ import annotations

import hashlib

from blocks.errors import NotFound
from blocks.model import Ticket
from blocks.ports import Ports
from tests.calling import Call
from tests.deployments.command_line.conftest import BYTES


def test_a_deleted_image_is_not_found_any_more(reforge: Call, ports: Ports, appliance: int, image: int) -> None:
    """Whatever is asked of it, it gives exit code 4; nothing lists it."""
    answer = reforge("delete", "alice", appliance, image, "--json")
    assert (answer.code, answer.document) == (0, {"ticket": image, "state": "complete", "deleted": True})
    for command in ("status", "packages", "verify", "cancel", "delete", "plan", "regenerate"):
        assert reforge(command, "alice", appliance, image).code == 4, command
    assert reforge("images", "--json").document == []
    assert ports.catalog.tickets.get(image).state == "complete"


def test_one_that_is_being_made_is_cancelled_first(reforge: Call, ports: Ports, live: Ticket) -> None:
    """It ends as for any cancel, with the reason."""
    answer = reforge("delete", "alice", live.appliance, live.id)
    assert (answer.code, "cancelled first" in answer.out) == (0, True)
    ended = ports.catalog.tickets.get(live.id)
    assert (ended.state, ended.message) == ("cancelled", "deleted at the command line")


def test_a_run_that_cannot_be_told_is_no_hindrance(reforge: Call, ports: Ports, live: Ticket) -> None:
    """Prefect is down: the image is gone, and standard error says that its run sees it by itself."""
    ports.catalog.tickets.set_flow_run(live.id, "7b2f1c52-3f53-4a6e-9f5c-0a3c1d1f8a11")
    answer = reforge("delete", "alice", live.appliance, live.id, "--json")
    assert (answer.code, answer.document["state"]) == (0, "cancelled")
    assert "Prefect could not be told" in answer.err


def test_only_the_one_who_is_named_has_it(reforge: Call, ports: Ports, appliance: int, image: int) -> None:
    """Another user, appliance or number: not found, and nothing is deleted."""
    for named in (("bob", appliance, image), ("alice", appliance + 1, image), ("alice", appliance, image + 1)):
        assert reforge("delete", *named).code == 4
    assert [ticket.id for ticket in ports.catalog.tickets.list()] == [image]


def test_an_appliance_is_deleted_with_its_images(
    reforge: Call, ports: Ports, appliance: int, image: int, newer: int
) -> None:
    """Its row with the images that went; a second time it isn't found."""
    answer = reforge("appliance", "delete", appliance, "--json")
    assert (answer.code, answer.document["id"], answer.document["images"]) == (0, appliance, [image, newer])
    assert (ports.catalog.tickets.list(), reforge("appliance", "list", "--json").document) == ([], [])
    assert reforge("appliance", "delete", appliance).code == 4


def test_an_appliance_whose_image_is_being_made_wants_force(reforge: Call, ports: Ports, live: Ticket) -> None:
    """Exit code 2 without it, and everything as it was."""
    refused = reforge("appliance", "delete", live.appliance)
    assert (refused.code, "force" in refused.err) == (2, True)
    assert ports.catalog.tickets.get(live.id).state == "requested"
    assert reforge("appliance", "delete", live.appliance, "--force").code == 0
    assert ports.catalog.tickets.get(live.id).state == "cancelled"


def test_files_are_told_apart_by_who_needs_them(reforge: Call, ports: Ports, appliance: int, image: int) -> None:
    """The record is gone with the command, the file with the next housekeeping."""
    sha256 = hashlib.sha256(BYTES).hexdigest()
    ports.catalog.blobs.take(image, {sha256: len(BYTES)})
    reforge("delete", "alice", appliance, image)
    assert ports.catalog.blobs.doomed() == (sha256,)
    try:
        ports.store.record(image)
    except NotFound:
        return
    raise AssertionError("The store has its record")
