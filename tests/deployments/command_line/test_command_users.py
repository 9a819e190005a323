"""Users, and passwords that come by standard input alone."""

from __future__ import annotations

import io

import pytest
from pydantic import SecretStr

from blocks.ports import Ports
from tests.deployments.command_line.conftest import Call

_KEYS = ["name", "has_password", "active", "entitlements", "created"]
_WORDS = "correct horse battery"


def test_a_new_user_may_generate_and_own_appliances(reforge: Call, ports: Ports) -> None:
    """Without a password and with the usual entitlements, unless told otherwise."""
    document = reforge("user", "add", "erin", "--json").document
    assert list(document) == _KEYS
    assert (document["has_password"], document["active"]) == (False, True)
    assert document["entitlements"] == ["appliance_create", "image_generate"]
    limited = reforge("user", "add", "frank", "--entitlement", "image_publish", "--json").document
    assert limited["entitlements"] == ["image_publish"]
    assert ports.catalog.users.get("frank").entitlements == {"image_publish"}


def test_users_are_listed_by_name(reforge: Call, ports: Ports) -> None:
    """Each with the keys of a new user."""
    rows = reforge("user", "list", "--json").document
    assert [row["name"] for row in rows] == [account.name for account in ports.catalog.users.list()]
    assert {tuple(row) for row in rows} == {tuple(_KEYS)}


def test_a_password_is_never_shown(program: Call, ports: Ports) -> None:
    """It is taken from the first line, works, and neither it nor its hash reaches any output or the home's files."""
    added = program("user", "add", "erin", "--password-stdin", "--json", given=f"{_WORDS}\nsecond line\n")
    assert ports.catalog.users.verify("erin", SecretStr(_WORDS))
    changed = program("user", "password", "erin", "--password-stdin", "--json", given=f"{_WORDS} 2\r\n")
    assert ports.catalog.users.verify("erin", SecretStr(f"{_WORDS} 2"))
    shown = "".join(answer.out + answer.err for answer in (added, changed, program("user", "list", "--json")))
    assert _WORDS not in shown
    assert "argon2" not in shown
    assert changed.document["has_password"] is True


@pytest.mark.parametrize("given", ["", "\n", "\udcff\n"])
def test_a_password_that_is_none_is_refused(
    reforge: Call, ports: Ports, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """Exit code 2, and the user has none."""
    monkeypatch.setattr("sys.stdin", io.StringIO(given))
    assert reforge("user", "password", "alice", "--password-stdin").code == 2
    assert not ports.catalog.users.get("alice").has_password


def test_users_that_cannot_be_are_refused(reforge: Call, ports: Ports) -> None:
    """A name that is taken or outside its grammar, an entitlement that isn't one, a password for nobody."""
    assert ports.catalog.users.get("alice")
    assert reforge("user", "add", "alice").code == 2
    assert reforge("user", "add", "a b").code == 2
    assert reforge("user", "add", "erin", "--entitlement", "everything").code == 2
    assert reforge("user", "password", "nobody", "--password-stdin").code == 3
