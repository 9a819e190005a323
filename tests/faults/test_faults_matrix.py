"""A fault at every stage of one generation; `make faults` hits every target at every stage, one at a time."""

from __future__ import annotations

import time

import pytest

from tests.faults.cases import AWHILE, Fault, Reference, run
from tests.faults.installation import Installation
from tests.faults.leaks import left
from tests.waiting import wait_until

pytestmark = [pytest.mark.fault, pytest.mark.flow, pytest.mark.build]

_FAULTS: tuple[Fault, ...] = (
    ("database", "resolve"),
    ("worker", "rootfs"),
    ("flow process", "disk"),
    ("Prefect server", "pack"),
    ("store", "upload"),
    ("worker and flow", "verify"),
    ("database", "settle"),
)


def test_an_image_comes_about_whatever_fails(site: Installation, known: Reference) -> None:
    """It has the bytes of the undisturbed one, in as many attempts as were lost; nothing was built twice or is left."""
    outcome = run(site, known, *_FAULTS)
    assert (outcome.state, outcome.wrong, outcome.leaks) == ("complete", (), ())


def test_a_run_that_begins_while_the_database_is_away(site: Installation, known: Reference) -> None:
    """It waits for it, and goes on as if nothing had been: there is no attempt yet that could be lost."""
    with site.idle():
        number = site.generate(known.appliance)
        run_id = site.ticket(number).flow_run
        site.database.stop()
    try:
        wait_until(lambda: site.run_state(run_id) == "RUNNING", "the run begins", 120)
        time.sleep(AWHILE)
    finally:
        site.database.start()
    ended = site.await_end(number)
    assert (ended.state, ended.attempt) == ("complete", 1), ended.error
    assert left(site) == ()
