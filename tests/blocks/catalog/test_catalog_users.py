"""Users: accounts, passwords, and who may do what."""

from __future__ import annotations

import time

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from blocks.catalog import ENTITLEMENTS, Catalog, Entitlement
from blocks.errors import (
    Denied,
    ForeignAppliance,
    InactiveUser,
    InvalidInput,
    MissingEntitlement,
    NotFound,
    Refused,
    UnknownUser,
)
from blocks.model import Appliance

SECRET = SecretStr("correct horse")


def test_an_account_comes_back_as_it_was_made(catalog: Catalog) -> None:
    """A new account has its name, entitlements and time, and nothing else."""
    made = catalog.users.add("carol", ["image_publish", "api_key_access"])
    assert made == catalog.users.get("carol")
    assert made.entitlements == {"image_publish", "api_key_access"}
    assert made.active
    assert not made.has_password


def test_users_are_listed_by_name(catalog: Catalog) -> None:
    """The list is sorted, whatever the order of making."""
    catalog.users.add("aaron")
    assert [account.name for account in catalog.users.list()] == ["aaron", "alice", "bob"]


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "x" * 101])
def test_a_bad_name_is_refused(catalog: Catalog, name: str) -> None:
    """A name outside its grammar makes no account."""
    with pytest.raises(InvalidInput):
        catalog.users.add(name)


def test_a_taken_name_is_refused(catalog: Catalog) -> None:
    """A second account of one name is refused, and the first one stays."""
    before = catalog.users.get("alice")
    with pytest.raises(Refused, match="exists already"):
        catalog.users.add("alice", [])
    assert catalog.users.get("alice") == before


def test_an_unknown_entitlement_is_refused_with_those_that_exist(catalog: Catalog) -> None:
    """The refusal lists what is allowed."""
    with pytest.raises(InvalidInput, match="fly") as refusal:
        catalog.users.add("carol", ["fly"])
    assert all(name in refusal.value.hint for name in ENTITLEMENTS)


def test_entitlements_can_be_replaced(catalog: Catalog) -> None:
    """Setting entitlements replaces the earlier ones."""
    catalog.users.set_entitlements("alice", ["image_publish"])
    assert catalog.users.get("alice").entitlements == {"image_publish"}


def test_only_the_right_password_verifies(catalog: Catalog) -> None:
    """The password that was set verifies, another doesn't, and neither does an earlier one."""
    catalog.users.add("carol", password=SecretStr("first"))
    assert catalog.users.verify("carol", SecretStr("first"))
    catalog.users.set_password("carol", SECRET)
    assert catalog.users.get("carol").has_password
    assert catalog.users.verify("carol", SECRET)
    assert not catalog.users.verify("carol", SecretStr("first"))


def test_an_unknown_user_costs_as_much_as_a_wrong_password(catalog: Catalog) -> None:
    """Nobody learns from the time taken whether a user exists: a hash is computed in either case."""
    catalog.users.set_password("alice", SECRET)
    spent = {name: _seconds(catalog, name) for name in ("alice", "nobody", "bob")}
    assert min(spent["nobody"], spent["bob"]) > spent["alice"] / 4


def _seconds(catalog: Catalog, name: str) -> float:
    before = time.process_time()
    assert not catalog.users.verify(name, SecretStr("wrong"))
    return time.process_time() - before


def test_a_password_is_stored_as_an_argon2id_hash(catalog: Catalog) -> None:
    """The database never sees the password."""
    catalog.users.set_password("alice", SECRET)
    with catalog.database.reading() as connection:
        stored = connection.scalar(text("SELECT password_hash FROM users WHERE name = 'alice'"))
    assert stored.startswith("$argon2id$")
    assert SECRET.get_secret_value() not in stored


def test_an_account_does_not_show_its_hash(catalog: Catalog) -> None:
    """What leaves the catalog says only whether there is a password."""
    catalog.users.set_password("alice", SECRET)
    assert "argon2" not in repr(catalog.users.get("alice"))


def test_an_empty_password_is_refused(catalog: Catalog) -> None:
    """An empty password is none."""
    with pytest.raises(InvalidInput):
        catalog.users.set_password("alice", SecretStr(""))


def test_changing_an_unknown_user_is_refused(catalog: Catalog) -> None:
    """Every change names the user it didn't find."""
    for change in (
        lambda: catalog.users.set_password("nobody", SECRET),
        lambda: catalog.users.set_active("nobody", active=False),
        lambda: catalog.users.set_entitlements("nobody", []),
        lambda: catalog.users.get("nobody"),
    ):
        with pytest.raises(UnknownUser, match="nobody"):
            change()


def test_an_entitled_active_owner_is_authorised(catalog: Catalog) -> None:
    """Who has everything that is needed gets the account back."""
    appliance = catalog.appliances.add("alice", Appliance(name="server"))
    assert catalog.users.authorise("alice", "image_generate", appliance) == catalog.users.get("alice")
    assert catalog.users.authorise("alice", "appliance_create", None).name == "alice"


@pytest.mark.parametrize(
    ("name", "entitlement", "refusal"),
    [
        ("nobody", "image_generate", UnknownUser),
        ("carol", "image_generate", InactiveUser),
        ("alice", "image_publish", MissingEntitlement),
        ("bob", "image_generate", ForeignAppliance),
    ],
)
def test_a_denial_says_what_is_missing(
    catalog: Catalog, name: str, entitlement: Entitlement, refusal: type[Denied]
) -> None:
    """Each reason to deny is an error of its own, with a hint."""
    catalog.users.add("carol", ["image_generate"], active=False)
    appliance = catalog.appliances.add("alice", Appliance(name="server"))
    with pytest.raises(refusal, match=name) as denial:
        catalog.users.authorise(name, entitlement, appliance)
    assert denial.value.hint


def test_an_unknown_appliance_is_not_found(catalog: Catalog) -> None:
    """An appliance that doesn't exist is something else than a foreign one."""
    with pytest.raises(NotFound, match="99"):
        catalog.users.authorise("alice", "image_generate", 99)


def test_an_account_can_be_closed_and_opened(catalog: Catalog) -> None:
    """Deactivating takes effect at once, and can be taken back."""
    catalog.users.set_active("alice", active=False)
    with pytest.raises(InactiveUser):
        catalog.users.authorise("alice", "image_generate")
    catalog.users.set_active("alice", active=True)
    assert catalog.users.authorise("alice", "image_generate").active
