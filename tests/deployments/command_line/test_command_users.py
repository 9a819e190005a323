"""Users, and passwords that come by standard input alone."""

from __future__ import annotations

import io

import pytest
from pydantic import SecretStr

from blocks.ports import Ports
from tests.calling import Call

_KEYS = ["name", "has_password", "active", "entitlements", "created", "organization", "roles", "granted"]
_WORDS = "correct horse battery"


def test_a_new_user_may_generate_and_own_appliances(reforge: Call, ports: Ports) -> None:
    """Without a password and with the usual entitlements, unless told otherwise."""
    document = reforge("user", "add", "erin", "--json").document
    assert list(document) == _KEYS
    assert (document["has_password"], document["active"]) == (False, True)
    assert document["entitlements"] == document["granted"] == ["appliance_create", "image_generate"]
    assert (document["organization"], document["roles"]) == ("default", [])
    limited = reforge("user", "add", "frank", "--entitlement", "image_publish", "--json").document
    assert limited["entitlements"] == ["image_publish"]
    assert ports.catalog.users.get("frank").entitlements == {"image_publish"}


def test_a_role_stands_in_place_of_the_usual_entitlements(reforge: Call) -> None:
    """What it allows is shown, what was granted beside it as well."""
    document = reforge("user", "add", "erin", "--role", "builder", "--json").document
    assert (document["entitlements"], document["granted"], document["roles"]) == (["image_generate"], [], ["builder"])
    both = reforge("user", "add", "frank", "--role", "builder", "--entitlement", "image_publish", "--json").document
    assert (both["entitlements"], both["granted"]) == (["image_generate", "image_publish"], ["image_publish"])


def test_an_account_is_changed_as_told(reforge: Call, ports: Ports) -> None:
    """What isn't given stays, and everything can be taken away."""
    reforge("organization", "add", "acme")
    moved = reforge("user", "change", "alice", "--organization", "acme", "--role", "administrator", "--json").document
    assert (moved["organization"], moved["roles"], moved["active"]) == ("acme", ["administrator"], True)
    assert moved["granted"] == ["appliance_create", "image_generate"]
    bare = reforge("user", "change", "alice", "--empty-role", "--empty-entitlement", "--no-active", "--json").document
    assert (bare["organization"], bare["roles"], bare["entitlements"], bare["active"]) == ("acme", [], [], False)
    assert [row["name"] for row in reforge("user", "list", "acme", "--json").document] == ["alice"]
    assert not ports.catalog.users.get("alice").active


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
    assert reforge("user", "add", "erin", "--role", "king").code == 2
    assert reforge("user", "add", "erin", "--organization", "nowhere").code == 4
    assert reforge("user", "change", "nobody", "--active").code == 3
    assert reforge("user", "password", "nobody", "--password-stdin").code == 3
