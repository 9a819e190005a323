"""A fixed part of the matrix of faults; `make faults` runs all of it."""

from __future__ import annotations

import pytest

from tests.faults.cases import Reference, run
from tests.faults.installation import Installation

pytestmark = [pytest.mark.fault, pytest.mark.flow, pytest.mark.build]

_CASES = (
    ("flow process", "disk"),
    ("worker", "rootfs"),
    ("worker and flow", "upload"),
    ("Prefect server", "pack"),
    ("database", "settle"),
    ("store", "upload"),
)


@pytest.mark.parametrize(("target", "stage"), _CASES, ids=[" at ".join(case) for case in _CASES])
def test_a_fault_costs_no_image_and_leaves_nothing(
    site: Installation, known: Reference, target: str, stage: str
) -> None:
    """The ticket is complete with the bytes of the undisturbed image, no finished stage was built again."""
    outcome = run(site, known, target, stage)
    assert (outcome.state, outcome.wrong, outcome.leaks) == ("complete", (), ())
