"""Short lists: searched, ordered and paged like the long ones, though no database does it."""

from __future__ import annotations

import pytest

from tests.deployments.gateway.conftest import Client, error, root


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name=='QCOW2'", ["QCOW2"]),
        ("name=='*QCOW2'", ["QCOW2", "OpenStack QCOW2", "CloudStack QCOW2"]),
        ("name=='*Stack*W2';format.name!=openstackqcow2", ["CloudStack QCOW2"]),
        ("name!='*O*';active==true", ["RAW", "KVM"]),
        ("credAccountType==openstack,name==RAW", ["RAW", "OpenStack QCOW2"]),
        ("category.name==nothing", []),
        ("active==false", []),
        ("name=lt=L", ["CloudStack QCOW2", "KVM"]),
    ],
)
def test_a_query(query: str, found: list[str], client: Client) -> None:
    """What is told is what matches, by text, truth, and nested elements."""
    answer = root(client.get(f"users/alice/targetformats?query={query}"))
    names = [each.findtext("name") for each in answer.findall("targetFormats/targetFormat")]
    assert sorted(map(str, names)) == sorted(found)
    assert answer.findtext("total") == str(len(found))


def test_a_number(client: Client) -> None:
    """Numbers are compared as such."""
    every = root(client.get("users/alice/targetformats")).findall("targetFormats/targetFormat/dbId")
    numbers = sorted(int(str(each.text)) for each in every)
    found = root(client.get(f"users/alice/targetformats?query=dbId=gt={numbers[0]}"))
    assert found.findtext("total") == str(len(numbers) - 1)


def test_the_order_and_the_page(client: Client) -> None:
    """Sorted by an element, either way, and cut after that; the total is of all that match."""
    path = "users/alice/targetformats?orderBy=name"
    names = [each.text for each in root(client.get(path)).findall("targetFormats/targetFormat/name")]
    assert names == sorted(map(str, names))
    answer = root(client.get(f"{path}&descending=true&count=2&offset=1"))
    assert [each.text for each in answer.findall("targetFormats/targetFormat/name")] == names[::-1][1:3]
    assert answer.findtext("total") == str(len(names))


def test_other_short_lists(client: Client) -> None:
    """Formats, platforms and distributions likewise."""
    for path, name in (("formats", "kvm"), ("targetplatforms", "OpenStack"), ("distros", "Debian")):
        found = root(client.get(f"users/alice/{path}?query=name=='{name}'"))
        every = root(client.get(f"users/alice/{path}"))
        assert 0 < int(found.findtext("total") or 0) <= int(every.findtext("total") or 0)
        assert {each.text for each in found.iter("name") if each.text == name} == {name}


@pytest.mark.parametrize(
    "query",
    ["query=((", "query=nothing==1", "query=format==1", "query=dbId==some", "query=active==*", "orderBy=nothing"],
)
def test_what_makes_no_sense(query: str, client: Client) -> None:
    """It is refused, and never taken for no query at all."""
    assert error(client.get(f"users/alice/targetformats?{query}"), 400)
