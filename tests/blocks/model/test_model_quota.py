"""Quotas: what may be limited, and where the months of a user begin."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from blocks.errors import InvalidInput
from blocks.model.quota import Limit, period
from blocks.model.role import ENTITLEMENTS, ROLES, united


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("created", "now", "begins", "ends"),
    [
        ("2025-03-10T15:00", "2026-05-20", "2026-05-10", "2026-06-10"),
        ("2025-03-10T15:00", "2026-05-10", "2026-05-10", "2026-06-10"),
        ("2025-03-10T15:00", "2026-05-09T23:59:59", "2026-04-10", "2026-05-10"),
        ("2025-03-10T15:00", "2026-01-03", "2025-12-10", "2026-01-10"),
        ("2025-03-10T15:00", "2025-12-30", "2025-12-10", "2026-01-10"),
        ("2025-01-31", "2026-02-28", "2026-02-28", "2026-03-31"),
        ("2025-01-31", "2026-02-27", "2026-01-31", "2026-02-28"),
        ("2025-01-31", "2028-02-29T12:00", "2028-02-29", "2028-03-31"),
        ("2025-03-10T15:00", "2025-03-10T15:00:01", "2025-03-10", "2025-04-10"),
    ],
)
def test_a_month_begins_on_the_day_of_the_user(created: str, now: str, begins: str, ends: str) -> None:
    """On the day of the month on which it was created, or on the last one of a shorter month."""
    assert period(_day(created), _day(now)) == (_day(begins), _day(ends))


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "scan", "limit": 1},
        {"kind": "generation", "limit": -1},
        {"kind": "generation", "limit": 1, "frequency": "daily"},
        {"kind": "diskusage", "limit": 1, "frequency": "monthly"},
    ],
)
def test_a_limit_outside_its_grammar_is_refused(wrong: dict[str, object]) -> None:
    """Only what can be counted is limited, and only generations by the month."""
    with pytest.raises(InvalidInput):
        Limit.parse(wrong)


def test_only_administrators_act_for_others() -> None:
    """No other role entitles to it, and theirs entitle to everything."""
    supervisors = {name for name, role in ROLES.items() if "supervisor_access" in role.entitlements}
    assert supervisors == {"administrator", "platform_administrator"}
    assert all(ROLES[name].entitlements == set(ENTITLEMENTS) for name in supervisors)
    assert united(()) == frozenset()
    assert united(("builder", "developer")) == set(ENTITLEMENTS) - {"supervisor_access", "org_formats_administrate"}
