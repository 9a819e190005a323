"""Every resource of the contract over real HTTP: who may ask, the documents in XML and JSON, conditions and lists."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

import pytest

from tests.contract.installation import USER, Installation, document, text
from tests.contract.sdk import Sdk
from tests.contract.sequences import FREE, NAMESPACE

pytestmark = pytest.mark.build
# Paths with the root of their document, and the entitlement that they need if it is one of the user alone.
_IMAGES = (
    ("{appliance}/images", "images"),
    ("{image}", "image"),
    ("{image}/status", "status"),
    ("{appliance}/images/statuses", "statuses"),
    ("{image}/pkgs", "imagePkgs"),
    ("{appliance}/images/platformtools/1", "softwareBundles"),
    ("{appliance}/pimages", "publishImages"),
    ("{appliance}/pimages/statuses", "statuses"),
    ("{appliance}", "appliance"),
    ("{appliance}/installProfile", "installProfile"),
    ("{appliance}/installProfile/{number}", "installProfile"),
    ("{appliance}/osprofile/{number}", "linuxProfile distribProfile"),
    ("{appliance}/osprofile/{number}/pkgs", "packages"),
)
_USERS = (
    ("users/{user}/images", "images", "image_generate"),
    ("users/{user}/images/status", "statuses", "image_generate"),
    ("users/{user}/pimages", "publishImages", "image_generate"),
    ("users/{user}/pimages/status", "statuses", "image_generate"),
    ("users/{user}", "user", ""),
    ("users/{user}/quotas", "quotas", ""),
    ("users/{user}/usage", "statTickets", ""),
    ("users/{user}/roles", "roles", ""),
    ("users/{user}/orgs", "orgs", ""),
    ("users/{user}/targetformats", "targetFormats", "image_generate"),
    ("users/{user}/targetplatforms", "targetPlatforms", "image_generate"),
    ("users/{user}/targetplatforms/1/targetformats", "targetFormats", "image_generate"),
    ("users/{user}/formats", "imageFormats", "appliance_create"),
    ("users/{user}/distros", "distributions", "appliance_create"),
    ("users/{user}/accounts", "credAccounts", ""),
    ("users/{user}/apikeys", "apiKeyPairs", "api_key_access"),
    ("users/{user}/appliances", "appliances", "appliance_create"),
    ("orgs/1/targetformats/1", "targetFormat", ""),
)
_READS = (*_IMAGES, *(row[:2] for row in _USERS), ("status", "serviceStatus"))


def _path(template: str, installation: Installation, image: str, user: str = USER) -> str:
    appliance, number = image.rpartition("/images/")[0], installation.small
    return template.format(user=user, image=image, appliance=appliance, number=number)


@pytest.mark.parametrize(("template", "root"), _READS, ids=[row[0] for row in _READS])
def test_a_read(template: str, root: str, installation: Installation, image: str, sdk: Sdk) -> None:
    """One document in XML and JSON, which the published binding takes; asked again under a condition, none."""
    client, path = installation.client(), _path(template, installation, image)
    answer = client.ask("GET", path)
    found = document(answer)
    name = found.tag.removeprefix(f"{{{NAMESPACE}}}")
    assert name in root.split()
    sdk.binding.CreateFromDocument(answer.content)
    _same(found, client.json(path)[name])
    if name != "serviceStatus":
        again = client.ask("GET", path, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert client.ask("HEAD", path).headers["etag"] == answer.headers["etag"]


@pytest.mark.parametrize(("template", "_", "entitlement"), _USERS, ids=[row[0] for row in _USERS])
def test_what_a_user_may_read(template: str, _: str, entitlement: str, installation: Installation) -> None:
    """Without the entitlement 403, without a name 401, another user's nothing; a name alone is enough for the rest."""
    path = template.format(user="guest")
    assert installation.client("guest").ask("GET", path).status_code == (403 if entitlement else 200)
    document(installation.client(None).ask("GET", path), 401)
    if "{user}" in template:
        document(installation.client("mallory").ask("GET", path), 403)


@pytest.mark.parametrize(("template", "_"), _IMAGES, ids=[row[0] for row in _IMAGES])
def test_what_belongs_to_another(template: str, _: str, installation: Installation, image: str) -> None:
    """Neither by its owner's path nor by one's own is anything of another user's appliance to be had."""
    path = _path(template, installation, image)
    document(installation.client(None).ask("GET", path), 401)
    document(installation.client("mallory").ask("GET", path), 403)
    assert installation.client("mallory").ask("GET", path.replace(USER, "mallory")).status_code in {403, 404}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "users/guest/appliances/{guests}/images"),
        ("GET", "users/guest/appliances/{guests}/images"),
        ("DELETE", "users/guest/appliances/{guests}/images"),
        ("GET", "users/guest/appliances/{guests}/images/statuses"),
        ("GET", "users/guest/appliances/{guests}"),
        ("DELETE", "users/guest/appliances/{guests}"),
        ("POST", "users/guest/apikeys"),
    ],
)
def test_what_needs_an_entitlement(method: str, path: str, installation: Installation) -> None:
    """The owner of an appliance without entitlements can do nothing with it."""
    given = {"headers": {"Content-Type": "application/xml"}} if method == "POST" else {}
    document(installation.client("guest").ask(method, path.format(guests=installation.guests), **given), 403)


@pytest.mark.parametrize(
    "path",
    ["users/nobody", f"users/{USER}/appliances/999", f"users/{USER}/nothing", "nothing", "{image}0", "{image}/no"],
)
def test_what_is_not_there(path: str, installation: Installation, image: str) -> None:
    """404 with a document in the asked form, also where only the framework knows that there is nothing."""
    client, wanted = installation.client(), path.format(image=image)
    error = document(client.ask("GET", wanted), 404)
    assert (text(error, "statusCode"), text(error, "requestMethod"), text(error, "requestUri")) == (
        "404",
        "GET",
        wanted,
    )
    assert text(error, "localizedErrorMsg/message")
    assert client.json(wanted, 404)["uforgeError"]["statusCode"] == 404


def test_an_image_of_another_appliance(installation: Installation, image: str) -> None:
    """The appliance in the path must be the image's own."""
    elsewhere = image.replace(f"appliances/{installation.small}/", f"appliances/{installation.slow}/")
    document(installation.client().ask("GET", elsewhere), 404)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("dbId=={id}", True),
        ("name=='small'", True),
        ("name==small;version=='1.0'", True),
        ("targetFormat.name=='RAW'", True),
        ("name=='*mal*'", True),
        ("name==other", False),
        ("dbId=={id};name==other", False),
        ("targetFormat.name=='QCOW2'", False),
    ],
)
def test_a_search(query: str, found: bool, installation: Installation, image: str) -> None:
    """The forms that the published clients send, on images as on appliances."""
    asked = query.format(id=image.rpartition("/")[2])
    listed = installation.client().xml("GET", installation.images(), params={"query": asked})
    assert [text(each, "uri") for each in listed.iterfind("images/image") if text(each, "uri") == image] == [
        image
    ] * found


def test_a_page(installation: Installation, image: str) -> None:
    """Ordered, cut, and with the number of all that match."""
    client = installation.client()
    path = f"users/{USER}/appliances"
    everything = client.xml("GET", path)
    ids = [int(text(each, "dbId")) for each in everything.iterfind("appliances/appliance")]
    page = {"orderBy": "dbId", "descending": "True", "count": "1", "offset": "1"}
    one = client.xml("GET", path, params=page)
    assert [int(text(each, "dbId")) for each in one.iterfind("appliances/appliance")] == sorted(ids, reverse=True)[1:2]
    assert text(one, "total") == text(everything, "total") == str(len(ids))
    assert image


@pytest.mark.parametrize("query", ["name==", "==5", "name=='x", "secret==5", "dbId==five", "name==a;;b"])
def test_a_search_that_means_nothing(query: str, installation: Installation, image: str) -> None:
    """400, with what is wrong with it."""
    document(installation.client().ask("GET", image.rpartition("/")[0], params={"query": query}), 400)


def test_images_named_one_by_one(installation: Installation, image: str) -> None:
    """`img` restricts lists of images and of statuses, however often it is given; of publications there are none."""
    client = installation.client()
    for path, item in (("images", "images/image/uri"), ("images/status", "statuses/status/parentUri")):
        some = client.xml("GET", f"users/{USER}/{path}", params={"img": [image, f"{image}0"]})
        assert [each.text for each in some.iterfind(item)] == [image]
        none = client.xml("GET", f"users/{USER}/{path}", params={"img": f"{image}0"})
        assert list(none.iterfind(item)) == []
    for path in ("pimages", "pimages/status"):
        assert text(client.xml("GET", f"users/{USER}/{path}", params={"img": image}), "total") == "0"


def test_an_image_agrees_with_its_appliance_its_status_and_the_catalog(installation: Installation, image: str) -> None:
    """Names, addresses and what is told of it are those of the record, wherever it is shown."""
    client, number = installation.client(), int(image.rpartition("/")[2])
    found = client.xml("GET", image)
    record = installation.ports.catalog.tickets.record(number)
    assert record is not None
    file, revision = record.generation.file, record.generation.recipe.revision
    assert file is not None
    assert [text(found, each) for each in ("dbId", "uri", "statusUri", "pkgsUri", "parentUri")] == [
        str(number),
        image,
        f"{image}/status",
        f"{image}/pkgs",
        image.rpartition("/images")[0],
    ]
    assert [text(found, each) for each in ("name", "version", "revision")] == ["small", "1.0", str(revision)]
    assert (text(found, "sha256sum"), text(found, "fileSize")) == (file.sha256, str(file.size))
    assert text(found, "targetFormat/format/name") == "raw"
    status = client.xml("GET", f"{image}/status")
    assert {each.tag: each.text for each in status} == {each.tag: each.text for each in found.find("status") or ()}
    packages = client.xml("GET", f"{image}/pkgs").findall("imagePkgs/imagePkg")
    assert {(text(each, "pkg/name"), text(each, "pkg/arch")) for each in packages} == {
        (package.name, package.architecture) for package in record.generation.lock.packages
    }


def test_api_keys(installation: Installation) -> None:
    """A pair is made from an empty document, shown, renamed and removed; its limit is told by the user's document."""
    client, path = installation.client(), f"users/{USER}/apikeys"
    headers = {"Content-Type": "application/xml"}
    empty = f'<a:apiKeyPair xmlns:a="{NAMESPACE}"/>'
    made = client.xml("POST", path, 201, content=empty, headers=headers)
    uri, public = text(made, "uri"), text(made, "publicKey")
    assert text(made, "secretKey")
    named = empty.replace("/>", "><name>mine</name><publicKey>forged</publicKey></a:apiKeyPair>")
    changed = client.xml("PUT", uri, content=named, headers=headers)
    assert (text(changed, "name"), text(changed, "publicKey")) == ("mine", public)
    assert client.ask("DELETE", uri).status_code == 204
    assert client.ask("DELETE", uri).status_code == 404
    limit = int(text(client.xml("GET", f"users/{USER}"), "apiKeysQuota"))
    answers = [client.ask("POST", path, content=empty, headers=headers).status_code for _ in range(limit + 1)]
    assert answers == [201] * limit + [403]
    for each in client.xml("GET", path).iterfind("apiKeyPairs/apiKeyPair/uri"):
        assert client.ask("DELETE", str(each.text)).status_code == 204


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("orgs/1/formats", "imageFormats"),
        ("orgs/1/targetformats", "targetFormats"),
        ("orgs/1/platformtools/1/pkgs", ""),
    ],
)
def test_what_an_organisation_offers(path: str, root: str, installation: Installation) -> None:
    """Its lists are for its administrators; the packages of platform tools, of which there are none, for nobody."""
    document(installation.client().ask("GET", path), 403 if root else 404)
    if root:
        found = installation.client("root").xml("GET", path)
        assert found.tag == f"{{{NAMESPACE}}}{root}"


def _same(element: Element, value: Any) -> None:
    """The JSON value says what the element says; items are arrays also when there is none or one."""
    if isinstance(value, dict):
        tags = {child.tag for child in element}
        told = {name: each for name, each in value.items() if name != "@type" and each != []}
        assert set(told) == tags, (element.tag, set(told) ^ tags)
        for child in element if not any(isinstance(each, list) for each in told.values()) else ():
            _same(child, told[child.tag])
        for name, items in told.items():
            for child, item in zip(element.findall(name), items, strict=True) if isinstance(items, list) else ():
                _same(child, item)
        return
    words = {True: "true", False: "false"}
    assert element.tag == "serviceLoad" or element.text == (words[value] if isinstance(value, bool) else str(value))


def test_documents_that_are_not_checked_are_few() -> None:
    """The contract lists the sequence of all documents but two."""
    assert {"orgs", "distributions"} == FREE
