"""Tenants: roles, administrators who act for others, and organisations that don't see each other."""

from __future__ import annotations

import pytest

from blocks.catalog import DEFAULT, Catalog, Entitlement
from blocks.errors import (
    ForeignAppliance,
    InactiveUser,
    InvalidInput,
    MissingEntitlement,
    NotFound,
    ReforgeError,
    Refused,
    UnknownUser,
)
from blocks.model import Appliance


@pytest.fixture
def tenants(catalog: Catalog) -> Catalog:
    """Two organisations: alice, bob and chief in one, eve and boss in another; root is everywhere."""
    catalog.organizations.add("acme")
    catalog.users.add("chief", roles=["administrator"])
    catalog.users.add("eve", roles=["developer"], organization="acme")
    catalog.users.add("boss", roles=["administrator"], organization="acme")
    catalog.users.add("root", roles=["platform_administrator"])
    return catalog


@pytest.fixture
def appliance(tenants: Catalog) -> int:
    """An appliance of alice's."""
    return tenants.appliances.add("alice", Appliance(name="server"))


def test_there_is_one_organisation_from_the_beginning(catalog: Catalog) -> None:
    """Every user belongs to it unless told otherwise."""
    assert [each.name for each in catalog.organizations.list()] == [DEFAULT]
    assert catalog.users.get("alice").organization == DEFAULT


def test_organisations_are_listed_by_name(catalog: Catalog) -> None:
    """The list is sorted, and has what was made."""
    made = catalog.organizations.add("acme")
    assert catalog.organizations.list()[0] == made
    assert [each.name for each in catalog.organizations.list()] == ["acme", DEFAULT]


def test_an_organisation_that_cannot_be_is_refused(catalog: Catalog) -> None:
    """A taken name, and one outside its grammar."""
    with pytest.raises(Refused, match="exists already"):
        catalog.organizations.add(DEFAULT)
    with pytest.raises(InvalidInput):
        catalog.organizations.add("a b")


def test_an_account_has_what_was_granted_and_what_its_roles_allow(catalog: Catalog) -> None:
    """The two are united, and each can be told from the other."""
    made = catalog.users.add("carol", ["image_publish"], roles=["builder", "builder"])
    assert made.entitlements == {"image_publish", "image_generate"}
    assert sorted(made.granted) == ["image_publish"]
    assert list(made.roles) == ["builder"]
    assert made == catalog.users.get("carol")
    assert catalog.users.authorise("carol", "image_generate") == made


def test_what_an_account_may_do_can_be_changed(tenants: Catalog) -> None:
    """What is given is replaced at once, the rest stays."""
    changed = tenants.users.change("eve", roles=[], entitlements=["image_publish"])
    assert sorted(changed.entitlements) == ["image_publish"]
    assert list(changed.roles) == []
    assert (changed.organization, changed.active) == ("acme", True)
    with pytest.raises(MissingEntitlement):
        tenants.users.authorise("eve", "image_generate")
    moved = tenants.users.change("eve", organization=DEFAULT, active=False)
    assert (moved.organization, moved.active) == (DEFAULT, False)
    assert sorted(moved.entitlements) == ["image_publish"]
    assert tenants.users.change("eve") == moved == tenants.users.get("eve")


def test_users_are_listed_by_organisation(tenants: Catalog) -> None:
    """Those of one, sorted by name."""
    assert [account.name for account in tenants.users.list("acme")] == ["boss", "eve"]


@pytest.mark.parametrize(
    ("values", "refusal"),
    [({"roles": ["king"]}, InvalidInput), ({"organization": "nowhere"}, NotFound)],
)
def test_a_role_or_organisation_that_is_none_is_refused(
    catalog: Catalog, values: dict[str, list[str]], refusal: type[ReforgeError]
) -> None:
    """Neither a new account nor a change takes it."""
    before = catalog.users.list()
    with pytest.raises(refusal):
        catalog.users.add("carol", **values)  # type: ignore[arg-type]
    with pytest.raises(refusal):
        catalog.users.change("alice", **values)  # type: ignore[arg-type]
    assert catalog.users.list() == before


@pytest.mark.parametrize("name", ["alice", "chief", "root"])
@pytest.mark.parametrize("entitlement", ["image_generate", "appliance_create"])
def test_the_owner_and_its_administrators_may(
    tenants: Catalog, appliance: int, name: str, entitlement: Entitlement
) -> None:
    """An appliance's owner, an administrator of its organisation, and one of all."""
    assert tenants.users.authorise(name, entitlement, appliance).name == name


def test_a_colleague_may_not(tenants: Catalog, appliance: int) -> None:
    """Somebody of the same organisation who is no administrator is told whose it isn't."""
    with pytest.raises(ForeignAppliance):
        tenants.users.authorise("bob", "image_generate", appliance)


@pytest.mark.parametrize("name", ["eve", "boss"])
def test_what_another_organisation_has_does_not_exist(tenants: Catalog, appliance: int, name: str) -> None:
    """Not even its administrator can tell it from an appliance that isn't there."""
    with pytest.raises(NotFound) as hidden:
        tenants.users.authorise(name, "image_generate", appliance)
    with pytest.raises(NotFound) as missing:
        tenants.users.authorise(name, "image_generate", 999)
    assert str(hidden.value) == str(missing.value).replace("999", str(appliance))


def test_an_appliance_goes_with_its_owner(tenants: Catalog, appliance: int) -> None:
    """When its owner moves, the other organisation's administrator may and the former one may not."""
    tenants.users.change("alice", organization="acme")
    assert tenants.users.authorise("boss", "image_generate", appliance).name == "boss"
    with pytest.raises(NotFound):
        tenants.users.authorise("chief", "image_generate", appliance)


def test_supervisor_access_alone_makes_an_administrator(tenants: Catalog, appliance: int) -> None:
    """Granted without a role it reaches as far, and needs the entitlement for what is done as well."""
    tenants.users.change("bob", entitlements=["supervisor_access", "image_generate"])
    assert tenants.users.authorise("bob", "image_generate", appliance).name == "bob"
    with pytest.raises(MissingEntitlement):
        tenants.users.authorise("bob", "appliance_create", appliance)


def test_an_administrator_acts_for_the_users_it_sees(tenants: Catalog) -> None:
    """In its organisation, or in all."""
    assert tenants.users.supervise("chief", "alice") == tenants.users.get("alice")
    assert tenants.users.supervise("root", "eve").name == "eve"


@pytest.mark.parametrize(
    ("name", "other", "refusal"),
    [
        ("boss", "alice", UnknownUser),
        ("chief", "nobody", UnknownUser),
        ("nobody", "alice", UnknownUser),
        ("bob", "alice", MissingEntitlement),
        ("chief", "root", MissingEntitlement),
        ("retired", "alice", InactiveUser),
    ],
)
def test_nobody_else_acts_for_a_user(tenants: Catalog, name: str, other: str, refusal: type[ReforgeError]) -> None:
    """A user of another organisation is as unknown as one that doesn't exist; nobody rises by acting for another."""
    tenants.users.add("retired", roles=["administrator"], active=False)
    with pytest.raises(refusal):
        tenants.users.supervise(name, other)
