"""Reads: every resource answers in XML and JSON what clients need of it, and 304 to who has it already."""

from __future__ import annotations

import hashlib
from xml.etree.ElementTree import Element

import pytest

from blocks.ports import Ports
from tests.deployments.gateway.conftest import BYTES, NAMESPACE, Client, Made, document, error, root

_APPLIANCE = "users/alice/appliances/{appliance}"
_IMAGE = _APPLIANCE + "/images/{image}"
_READS = (
    ("status", "serviceStatus"),
    (_APPLIANCE + "/images", "images"),
    (_IMAGE, "image"),
    (_IMAGE + "/status", "status"),
    (_APPLIANCE + "/images/statuses", "statuses"),
    (_IMAGE + "/pkgs", "imagePkgs"),
    (_APPLIANCE + "/images/platformtools/1", "softwareBundles"),
    (_APPLIANCE + "/pimages", "publishImages"),
    (_APPLIANCE + "/pimages/statuses", "statuses"),
    ("users/alice/images", "images"),
    ("users/alice/images/status", "statuses"),
    ("users/alice/pimages", "publishImages"),
    ("users/alice/pimages/status", "statuses"),
    ("users/alice", "user"),
    ("users/alice/quotas", "quotas"),
    ("users/alice/usage", "statTickets"),
    ("users/alice/roles", "roles"),
    ("users/alice/orgs", "orgs"),
    ("users/alice/targetformats", "targetFormats"),
    ("users/alice/targetplatforms", "targetPlatforms"),
    ("users/alice/targetplatforms/1/targetformats", "targetFormats"),
    ("users/alice/formats", "imageFormats"),
    ("users/alice/distros", "distributions"),
    ("users/alice/accounts", "credAccounts"),
    ("users/alice/apikeys", "apiKeyPairs"),
    ("users/alice/appliances", "appliances"),
    (_APPLIANCE, "appliance"),
    (_APPLIANCE + "/installProfile", "installProfile"),
    (_APPLIANCE + "/installProfile/{appliance}", "installProfile"),
    (_APPLIANCE + "/osprofile/{appliance}", "linuxProfile distribProfile"),
    (_APPLIANCE + "/osprofile/{appliance}/pkgs", "packages"),
    ("orgs/1/targetformats/1", "targetFormat"),
    ("orgs/default/targetformats/1", "targetFormat"),
)


def _path(template: str, made: Made) -> str:
    return template.format(appliance=made.appliance, image=made.image)


def _same(element: Element, value: object) -> None:
    """The element says what the JSON says."""
    if isinstance(value, dict):
        names = {child.tag for child in element}
        assert names == {name for name, inner in value.items() if inner != [] and not name.startswith("@")}
        for name in names:
            found, inner = element.findall(name), value[name]
            for child, item in zip(found, inner if isinstance(inner, list) else [inner], strict=True):
                _same(child, item)
    else:
        assert (element.text or "") == (str(value).lower() if isinstance(value, bool) else str(value))


@pytest.mark.parametrize(("template", "names"), _READS, ids=[row[0] for row in _READS])
def test_a_read(template: str, names: str, client: Client, made: Made) -> None:
    """The same in both forms, with a tag by which it isn't sent twice; HEAD tells the same without the body."""
    path = _path(template, made)
    answer = client.get(path)
    found = root(answer)
    name = found.tag.removeprefix(NAMESPACE)
    assert name in names.split()
    in_json = client.get(path, accept="application/json")
    _same(found, document(in_json)[name])
    if name == "serviceStatus":
        return
    again = client.get(path, if_none_match=answer.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    head = client.ask("HEAD", path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == answer.headers["etag"]
    assert head.headers["content-length"] == answer.headers["content-length"]


@pytest.mark.parametrize(
    ("path", "wrapper"),
    [
        ("users/bob/images", "images"),
        ("users/bob/images/status", "statuses"),
        ("users/bob/pimages", "publishImages"),
        ("users/bob/accounts", "credAccounts"),
        ("users/bob/appliances", "appliances"),
        ("users/bob/apikeys", "apiKeyPairs"),
        ("users/bob/usage", "statTickets"),
    ],
)
def test_an_empty_list_has_its_wrapper(path: str, wrapper: str, client: Client) -> None:
    """Readers look into it unasked."""
    assert [(child.tag, child.text) for child in root(client.get(path, "bob"))] == [("total", "0"), (wrapper, None)]


def test_a_complete_image(client: Client, made: Made) -> None:
    """Everything that the published clients take from an image is there."""
    found = root(client.get(made.uri))
    sha256 = hashlib.sha256(BYTES).hexdigest()
    expected = {
        "dbId": str(made.image),
        "size": str(len(BYTES)),
        "fileSize": str(len(BYTES)),
        "sha256sum": sha256,
        "uploaded": "true",
        "compress": "true",
        "name": "server",
        "version": "12",
        "revision": "1",
        "simulated": "false",
        "parentUri": f"users/alice/appliances/{made.appliance}",
        "statusUri": f"{made.uri}/status",
        "pkgsUri": f"{made.uri}/pkgs",
        "uri": made.uri,
        "targetFormat/name": "QCOW2",
        "targetFormat/format/name": "qcow2",
        "installProfile/memorySize": "1024",
        "installProfile/partitionTable/disks/disk/size": "2048",
        "status/complete": "true",
        "status/error": "false",
        "status/cancelled": "false",
        "status/percentage": "100",
        "status/parentUri": made.uri,
    }
    assert {name: found.findtext(name) for name in expected} == expected
    assert str(found.findtext("status/message")).startswith("Done, created on ")
    key = found.findtext("downloadKey")
    assert found.findtext("downloadUri") == f"{made.uri}/downloads/server.qcow2?downloadId={key}"


def test_a_waiting_image(client: Client, live: int, made: Made) -> None:
    """What isn't known yet is 0 or left out, the download address is known already, and the status is the same."""
    uri = f"users/alice/appliances/{made.appliance}/images/{live}"
    found, status = root(client.get(uri)), root(client.get(f"{uri}/status"))
    assert [found.findtext(name) for name in ("size", "fileSize", "uploaded", "sha256sum")] == ["0", "0", "false", None]
    assert f"{uri}/downloads/server-12-{live}.qcow2?downloadId=" in str(found.findtext("downloadUri"))
    flags = [status.findtext(name) for name in ("complete", "error", "cancelled", "percentage", "message")]
    assert flags == ["false", "false", "false", "0", "Waiting to be started"]
    assert [(child.tag, child.text) for child in status] == [
        (child.tag, child.text) for child in found.find("status") or ()
    ]


def test_an_ended_image(client: Client, live: int, made: Made, ports: Ports) -> None:
    """A cancelled one is never complete; one in error is, and tells what went wrong; neither offers a download."""
    uri = f"users/alice/appliances/{made.appliance}/images/{live}"
    ports.catalog.orders.end(live, "no such package")
    found = root(client.get(uri))
    flags = [found.findtext(f"status/{name}") for name in ("complete", "error", "cancelled", "errorMessage")]
    assert flags == ["true", "true", "false", "no such package"]
    assert found.find("downloadUri") is None


def test_the_tag_follows_the_status(client: Client, live: int, made: Made, ports: Ports) -> None:
    """What changes within a second is no 304, neither of the status nor of the image around it."""
    uri = f"users/alice/appliances/{made.appliance}/images/{live}"
    before = {path: client.get(path).headers for path in (uri, f"{uri}/status", "users/alice/images")}
    ports.catalog.tickets.cancel(live, "enough")
    for path, headers in before.items():
        conditions = {"if_none_match": headers["etag"], "if_modified_since": headers.get("last-modified", "")}
        assert client.get(path, **conditions).status_code == 200


def test_the_digest_is_the_tag(client: Client, made: Made) -> None:
    """32 hex digits, which stay the same while nothing changes."""
    answer = client.get(made.uri)
    assert answer.headers["etag"] == f'"{root(answer).findtext("digest")}"'
    assert client.get(made.uri).headers["etag"] == answer.headers["etag"]
    assert len(answer.headers["etag"]) == 34


def test_packages(client: Client, made: Made) -> None:
    """What the profile names is of level 0, what was pulled in of level 1; a version is told in its parts."""
    found = root(client.get(f"{made.uri}/pkgs")).findall("imagePkgs/imagePkg")
    assert [(each.findtext("pkg/name"), each.findtext("level")) for each in found] == [("dash", "0"), ("libc6", "1")]
    version = [found[0].findtext(f"pkg/{name}") for name in ("epoch", "version", "release", "fullName", "arch")]
    assert version == ["1", "1", "2", "dash_1-2_amd64.deb", "amd64"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("query=dbId=={image}", 1),
        ("query=targetFormat.name==%27QCOW2%27", 1),
        ("query=targetFormat.name==%27OpenStack+QCOW2%27", 0),
        ("query=name==%27*erv*%27;version==%2712%27", 1),
        ("count=0", 0),
        ("offset=1&descending=True&orderBy=name", 0),
        ("query=&count=&orderBy=", 1),
    ],
)
def test_a_search(query: str, found: int, client: Client, made: Made) -> None:
    """FIQL, order and page; `total` counts what matches before the page."""
    path = f"users/alice/appliances/{made.appliance}/images?{_path(query, made)}"
    answer = root(client.get(path))
    assert len(answer.findall("images/image")) == found
    assert answer.findtext("total") == ("0" if "OpenStack" in query else "1")


@pytest.mark.parametrize("query", ["query=secret==1", "query=((", "count=-1", "count=many", "descending=perhaps"])
def test_a_search_that_makes_no_sense(query: str, client: Client, made: Made) -> None:
    """It is refused with what is wrong."""
    assert error(client.get(f"users/alice/appliances/{made.appliance}/images?{query}"), 400)


def test_images_by_their_addresses(client: Client, live: int, made: Made) -> None:
    """`img` restricts the list, also of statuses, however often it is given."""
    other = made.uri.replace(f"images/{made.image}", f"images/{live}")
    for path, item in (("images", "images/image"), ("images/status", "statuses/status")):
        some = root(client.get(f"users/alice/{path}?img={made.uri}")).findall(item)
        both = root(client.get(f"users/alice/{path}?img={made.uri}&img={other.replace('/', '%2F')}")).findall(item)
        none = root(client.get(f"users/alice/{path}?img=nonsense")).findall(item)
        assert (len(some), len(both), len(none)) == (1, 2, 0)


def test_the_user(client: Client) -> None:
    """Its name and addresses, its roles with what they entitle to, its quotas, and no password anywhere."""
    found = root(client.get("users/alice"))
    assert (found.findtext("loginName"), found.findtext("uri")) == ("alice", "users/alice")
    assert b"argon2" not in client.get("users/alice").content
    role = root(client.get("users/alice/roles")).find("roles/role")
    assert role is not None
    assert "image_generate" in [each.text for each in role.findall("entitlements/entitlement/name")]
    quotas = root(client.get("users/alice/quotas")).findall("quotas/quota")
    assert {(each.findtext("type"), each.findtext("limit")) for each in quotas} == {
        ("appliance", "-1"),
        ("generation", "-1"),
        ("diskusage", "-1"),
    }


def test_the_service_needs_no_name(client: Client) -> None:
    """Not even a wrong one is refused: clients ask for the version before anything else."""
    for user, password in ((None, ""), ("alice", "wrong"), ("nobody", "wrong")):
        found = root(client.ask("GET", "status", user, password=password))
        assert (found.findtext("alive"), found.findtext("version")) == ("true", "3.8.13")
    assert client.get("status", None, accept="text/plain").text == "alive\n"


def test_doubled_slashes(client: Client, made: Made) -> None:
    """A root that was configured with a slash at its end makes no difference."""
    assert root(client.get(f"/api//{made.uri}")).findtext("uri") == made.uri
