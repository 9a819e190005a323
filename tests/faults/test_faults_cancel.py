"""Cancelling, wherever it is asked for and whatever goes on: at once in the catalog, and soon nothing is left."""

from __future__ import annotations

import pytest

from blocks.builder import STAGES
from blocks.model import Script
from tests.faults.cases import Reference, arm
from tests.faults.installation import Installation
from tests.faults.leaks import leaks
from tests.faults.observation import go_on
from tests.flows.conftest import USER
from tests.waiting import wait_until

pytestmark = [pytest.mark.fault, pytest.mark.flow, pytest.mark.build]
_PATIENCE = 60.0  # how long it takes is in the table of `make faults`
_READY = "the script is deaf"
_DEAF = Script(
    name="deaf", content=f"#!/bin/sh\ntrap '' TERM INT HUP\necho 'reforge: {_READY}'\nwhile :; do sleep 1; done\n"
)


def _cancel(site: Installation, number: int) -> None:
    done = site.command("cancel", USER, site.ticket(number).appliance, number)
    assert done.returncode == 0, done.stderr
    assert site.ticket(number).state == "cancelled"


def _gone(site: Installation, *numbers: int) -> None:
    """Nothing is left of cancelled tickets but a receipt each, and their runs have ended."""
    assert leaks(site, _PATIENCE, builds=True) == ()
    assert leaks(site, _PATIENCE) == ()
    for number in numbers:
        receipt = site.ports.catalog.receipts.get(number)
        assert receipt is not None
        assert not site.ports.catalog.tickets.cancel(number, "once more")
        assert site.ports.catalog.receipts.get(number) == receipt
        states = [event.state for event in site.ports.catalog.events.list(number)]
        assert (states.count("cancelled"), states[-1]) == (1, "cancelled")


def test_a_cancel_at_the_command_line_in_the_middle_of_an_upload(site: Installation, known: Reference) -> None:
    """The ticket is cancelled when the command is back, and the parts that were stored are gone."""
    stop = arm(site, "upload", known.size)
    number = site.generate(known.appliance)
    stopped = stop.await_process()
    assert site.ports.store.unfinished()
    _cancel(site, number)
    go_on(stopped.pid)
    _gone(site, number)


def test_a_cancel_in_prefect_while_packages_are_installed(site: Installation, known: Reference) -> None:
    """What the button in Prefect's UI does is heard by the run, and ends what it has started."""
    site.wipe()
    stop = arm(site, "rootfs", known.size)
    number = site.generate(known.appliance)
    stopped = stop.await_process()
    site.cancel_run(site.ticket(number).flow_run)
    go_on(stopped.pid)
    wait_until(lambda: site.ticket(number).state == "cancelled", "the ticket is cancelled", _PATIENCE)
    _gone(site, number)


def test_what_another_flow_cancelled_is_made_from_its_finished_stages(site: Installation, known: Reference) -> None:
    """What was finished before the cancel isn't built again by whoever regenerates it."""
    appliance = site.appliance("cancelled")
    stop = arm(site, "disk", known.size)
    number = site.generate(appliance)
    stopped = stop.await_process()
    assert site.client.ask("cancel", ticket=number)
    assert site.ticket(number).state == "cancelled"
    go_on(stopped.pid)
    _gone(site, number)
    again = site.await_end(site.regenerate(appliance, number))
    assert again.state == "complete", again.error
    record = site.ports.catalog.tickets.record(again.id)
    assert record is not None
    assert [stage.reused for stage in record.generation.stages] == [stage == "rootfs" for stage in STAGES]


def test_a_queued_run_that_is_cancelled_in_prefect(site: Installation, known: Reference) -> None:
    """Nobody works on it and nobody ever will: its ticket is cancelled soon."""
    with site.idle():
        number = site.generate(known.appliance)
        site.cancel_run(site.ticket(number).flow_run)
        wait_until(lambda: site.ticket(number).state == "cancelled", "the ticket is cancelled", _PATIENCE)
    assert leaks(site, _PATIENCE) == ()
    assert site.ticket(number).attempt == 0


def test_a_script_that_ignores_every_signal_is_ended(site: Installation) -> None:
    """The build's processes are gone soon, although a script of the recipe is deaf."""
    number = site.generate(site.appliance("deaf", _DEAF))
    wait_until(lambda: site.ticket(number).message == _READY, "the script runs", 120)
    _cancel(site, number)
    _gone(site, number)
