"""What the command line refuses, with which exit code, and that a denial leaves nothing behind."""

from __future__ import annotations

import pytest

from blocks.model import Appliance, Ticket
from blocks.ports import Ports
from tests.calling import Call

_COMMANDS = ("regenerate", "plan")


@pytest.mark.parametrize("command", _COMMANDS)
@pytest.mark.parametrize("user", ["nobody", "carol", "dave", "bob"])
def test_who_may_not_is_denied_without_a_ticket(
    reforge: Call, ports: Ports, appliance: int, image: int, command: str, user: str
) -> None:
    """Unknown, inactive, not entitled, and somebody else's appliance: exit code 3, a reason, no ticket."""
    answer = reforge(command, user, appliance, image, "--json")
    assert (answer.code, answer.out) == (3, "")
    assert user in answer.err
    assert [ticket.id for ticket in ports.catalog.tickets.list()] == [image]


@pytest.mark.parametrize("command", _COMMANDS)
@pytest.mark.parametrize("organization", ["default", "acme"])
def test_an_administrator_acts_in_its_own_organisation_alone(
    reforge: Call, ports: Ports, live: Ticket, command: str, organization: str
) -> None:
    """There it comes as far as the owner would; in another one the appliance doesn't exist, and nothing is made."""
    reforge("organization", "add", "acme")
    reforge("user", "add", "chief", "--role", "administrator", "--organization", organization)
    answer = reforge(command, "chief", live.appliance, 99, "--json")
    assert (answer.code, answer.out) == (4, "")
    told = "no ticket 99" if organization == "default" else f"no appliance {live.appliance}"
    assert told in answer.err
    assert len(ports.catalog.tickets.list()) == 1


@pytest.mark.parametrize("user", ["nobody", "carol", "dave", "bob"])
def test_a_first_generation_is_denied_likewise(reforge: Call, ports: Ports, appliance: int, user: str) -> None:
    """`generate` asks the same questions."""
    assert reforge("generate", user, appliance).code == 3
    assert ports.catalog.tickets.list() == []


@pytest.mark.parametrize("command", [*_COMMANDS, "status", "cancel", "packages", "verify"])
def test_an_unknown_image_is_not_found(reforge: Call, appliance: int, command: str) -> None:
    """Exit code 4, nothing on standard output."""
    answer = reforge(command, "alice", appliance, 99, "--json")
    assert (answer.code, answer.out) == (4, "")
    assert "99" in answer.err


@pytest.mark.parametrize("command", ["status", "cancel", "packages", "verify"])
def test_an_image_is_found_only_under_its_own_user_and_appliance(
    reforge: Call, ports: Ports, appliance: int, image: int, command: str
) -> None:
    """The three arguments must name one thing; an unknown user is told as such."""
    other = ports.catalog.appliances.add("alice", Appliance(name="other"))
    assert reforge(command, "bob", appliance, image).code == 4
    assert reforge(command, "alice", other, image).code == 4
    assert reforge(command, "nobody", appliance, image).code == 3


def test_a_running_parent_is_refused_without_force(reforge: Call, ports: Ports, live: Ticket) -> None:
    """Exit code 2, and the parent goes on."""
    answer = reforge("regenerate", "alice", live.appliance, live.id, "--json")
    assert (answer.code, answer.out) == (2, "")
    assert "force" in answer.err
    assert [(ticket.id, ticket.state) for ticket in ports.catalog.tickets.list()] == [(live.id, "requested")]


def test_without_an_os_profile_nothing_is_generated(reforge: Call, ports: Ports) -> None:
    """Exit code 1 and the way to give it one, no ticket."""
    bare = ports.catalog.appliances.add("alice", Appliance(name="bare"))
    answer = reforge("generate", "alice", bare, "--json")
    assert (answer.code, answer.out) == (1, "")
    assert "os_profile" in answer.err
    assert ports.catalog.tickets.list() == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("generate", "alice", "1", "--format", "vmdk"),
        ("regenerate", "alice", "1", "1", "--policy", "newest"),
        ("regenerate", "alice", "1", "1", "--plan", "yesterday"),
        ("regenerate", "alice", "1", "1", "--key", "a key"),
        ("regenerate", "alice", "1", "first"),
        ("status", "alice", "1", "0"),
        ("status", "alice", "1", "99999999999999999999"),
        ("status", "alice", "1"),
        ("images", "--bad"),
        ("nonsense",),
        ("user", "password", "alice"),
        ("appliance", "import", "missing.yaml", "--user", "alice"),
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_a_usage_error(reforge: Call, arguments: tuple[str, ...]) -> None:
    """Exit code 2, told on standard error, before any home is made."""
    answer = reforge(*arguments, "--json")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err


def test_an_error_is_told_without_a_traceback(program: Call, appliance: int) -> None:
    """What went wrong, then what to do next; nothing of our insides."""
    answer = program("status", "alice", appliance, 99)
    assert answer.code == 4
    assert answer.err.splitlines() == ["There is no ticket 99", "`reforge images` lists those that exist"]


def test_a_home_that_cannot_be_used_is_told(program: Call) -> None:
    """Exit code 1 and the variable that names another."""
    answer = program("images", REFORGE_HOME="/dev/null/home")
    assert answer.code == 1
    assert "REFORGE_HOME" in answer.err
    assert "Traceback" not in answer.err


def test_a_setting_that_makes_no_sense_is_told(program: Call) -> None:
    """Exit code 2 and the name of the variable."""
    answer = program("images", REFORGE_CACHE_GIGABYTES="much")
    assert answer.code == 2
    assert "REFORGE_CACHE_GIGABYTES" in answer.err
