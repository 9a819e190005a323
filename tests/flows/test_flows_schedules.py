"""Schedules: only a rhythm that the server can plan is taken."""

from __future__ import annotations

import pytest

from blocks.errors import InvalidInput

pytestmark = pytest.mark.flow


@pytest.mark.parametrize("cron", ["0 3 31 2 *", "* * * * * *", "@daily", "0 25 * * *", ""])
def test_a_rhythm_that_can_not_be_planned_is_refused(cron: str) -> None:
    """A day that never comes would keep the server from planning every other schedule; a sixth field means seconds."""
    from deployments.schedules import _rhythm  # noqa: PLC0415 (what `add` validates first)

    with pytest.raises(InvalidInput, match="no schedule"):
        _rhythm(cron, "UTC")


@pytest.mark.parametrize("cron", ["0 3 29 2 *", "*/15 8-17 * * mon-fri"])
def test_a_rare_or_a_busy_rhythm_is_taken(cron: str) -> None:
    """In any time zone of the tz database."""
    from deployments.schedules import _rhythm  # noqa: PLC0415

    assert _rhythm(cron, "Asia/Tokyo").cron == cron
