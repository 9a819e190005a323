"""Organisations and quotas, set and shown, and what a used-up quota denies."""

from __future__ import annotations

import pytest

from blocks.ports import Ports
from tests.calling import Call


def test_organisations_are_added_and_listed(reforge: Call, ports: Ports) -> None:
    """By name, with one that is there from the beginning."""
    added = reforge("organization", "add", "acme", "--json").document
    assert list(added) == ["name", "created"]
    assert [row["name"] for row in reforge("organization", "list", "--json").document] == ["acme", "default"]
    assert [each.name for each in ports.catalog.organizations.list()] == ["acme", "default"]
    assert reforge("organization", "add", "acme").code == 2


def test_a_quota_is_shown_as_it_stands(reforge: Call, image: int) -> None:
    """One row for each kind; -1 lifts it."""
    assert image
    keys = ["kind", "limit", "frequency", "used", "reserved", "renews"]
    made = reforge("quota", "set", "alice", "generation", "5", "--monthly", "--json").document
    assert list(made) == keys
    assert (made["limit"], made["frequency"], made["used"]) == (5, "monthly", 0)
    assert made["renews"] is not None
    shown = reforge("quota", "show", "alice", "--json").document
    assert [row["kind"] for row in shown] == ["appliance", "generation", "diskusage"]
    assert [row["used"] for row in shown] == [1, 0, 0]
    assert made in shown
    assert reforge("quota", "set", "alice", "generation", "-1", "--json").document["limit"] is None
    assert "unlimited" in reforge("quota", "show", "alice").out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("set", "nobody", "generation", "1"), 3),
        (("show", "nobody"), 3),
        (("set", "alice", "scan", "1"), 2),
        (("set", "alice", "generation", "-2"), 2),
        (("set", "alice", "diskusage", "1", "--monthly"), 2),
    ],
)
def test_a_quota_that_cannot_be_is_refused(reforge: Call, ports: Ports, arguments: tuple[str, ...], code: int) -> None:
    """For nobody, of another kind, below nothing, or bytes by the month."""
    assert reforge("quota", *arguments).code == code
    assert {each.limit for each in ports.catalog.quotas.list("alice")} == {None}


@pytest.mark.parametrize("command", ["regenerate", "plan", "generate"])
def test_a_used_up_quota_denies(reforge: Call, ports: Ports, appliance: int, image: int, command: str) -> None:
    """Exit code 3, the quota with its numbers and what to do, no ticket."""
    reforge("quota", "set", "alice", "generation", "0")
    answer = reforge(command, "alice", appliance, *([] if command == "generate" else [image]), "--json")
    assert (answer.code, answer.out) == (3, "")
    assert "generation of alice is used up: 0 of 0" in answer.err
    assert "reforge quota set" in answer.err
    assert [ticket.id for ticket in ports.catalog.tickets.list()] == [image]


def test_one_appliance_too_many_is_denied(reforge: Call, ports: Ports, appliance: int) -> None:
    """Exit code 3 for a new one; one that is there can still be replaced."""
    reforge("appliance", "export", appliance, "--output", "server.yaml")
    reforge("quota", "set", "alice", "appliance", "1")
    assert reforge("appliance", "import", "server.yaml", "--user", "alice").code == 0
    ports.catalog.users.add("erin", roles=["developer"])
    reforge("quota", "set", "erin", "appliance", "0")
    assert reforge("appliance", "import", "server.yaml", "--user", "erin").code == 3
    assert ports.catalog.appliances.list("erin") == []
