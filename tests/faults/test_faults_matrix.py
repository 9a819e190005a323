"""A fault at every stage of one generation; `make faults` hits every target at every stage, one at a time."""

from __future__ import annotations

import pytest

from tests.faults.cases import Fault, Reference, run
from tests.faults.installation import Installation

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
