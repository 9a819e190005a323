"""Generations over real HTTP: asked for and answered at once, polled, cancelled, made again, deleted, counted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from tests.contract.installation import BUILD, PASSWORD, USER, Client, Installation, appliance, document, flags, text
from tests.contract.sequences import NAMESPACE
from tests.waiting import wait_until

pytestmark = pytest.mark.build
_XML = {"Content-Type": "application/xml"}
_RUNNING, _DONE, _FAILED, _CANCELLED = (
    ("false", "false", "false"),
    ("true", "false", "false"),
    ("true", "true", "false"),
    ("false", "false", "true"),
)


@pytest.fixture
def client(installation: Installation) -> Client:
    """The owner."""
    return installation.client()


@pytest.fixture
def running(installation: Installation, client: Client) -> Iterator[str]:
    """An image that is being made and takes its time; gone afterwards."""
    uri = client.post(installation.images(installation.slow))
    wait_until(lambda: client.status(uri)["percentage"] != "0", "it is under way", 120)
    yield uri
    for each in client.xml("GET", uri.rpartition("/")[0]).iterfind("images/image/uri"):
        client.ask("DELETE", str(each.text))


def test_a_ticket_at_once_and_a_status_that_never_falls(installation: Installation, client: Client) -> None:
    """201 with a whole document of a new image and its address; polled, it only goes on, until the image is there."""
    answer = client.ask("POST", installation.images(), content=BUILD, headers=_XML)
    ticket = document(answer, 201)
    uri = text(ticket, "uri")
    assert answer.headers["location"].endswith(f"/{uri}")
    assert int(text(ticket, "status/percentage")) == 0
    assert text(ticket, "status/message")
    assert (text(ticket, "size"), text(ticket, "fileSize"), text(ticket, "compress")) == ("0", "0", "true")
    seen: list[int] = []

    def ended() -> bool:
        status = client.status(uri)
        assert status["message"]
        seen.append(int(status["percentage"]))
        assert flags(status) in {_RUNNING, _DONE}, status
        return flags(status) == _DONE

    wait_until(ended, "the image is there", 240)
    assert seen == sorted(seen)
    assert max(seen) == seen[-1] == 100
    assert client.status(uri)["message"].startswith("Done, created on ")


def test_made_again(installation: Installation, client: Client, image: str) -> None:
    """POST without a body makes a new image by the old one's own request; the old one stays as it is."""
    before = client.ask("GET", image).content
    again = client.post(image, body=None)
    assert again != image
    assert flags(client.ended(again)) == _DONE
    assert client.ask("GET", image).content == before
    new, old = client.xml("GET", again), client.xml("GET", image)
    for name in ("name", "version", "revision", "compress", "targetFormat/name", "sha256sum"):
        assert text(new, name) == text(old, name)
    assert text(new, "downloadKey") != text(old, "downloadKey")
    number = int(again.rpartition("/")[2])
    assert installation.ports.catalog.tickets.get(number).parent == int(image.rpartition("/")[2])


def test_one_that_runs_is_made_again_by_force_only(client: Client, running: str) -> None:
    """Without `force` 409, and it goes on; with it, however it is spelled, it is cancelled and the new one starts."""
    for query in ({}, {"force": "False"}, {"force": "0"}):
        document(client.ask("POST", running, params=query, headers=_XML), 409)
    assert flags(client.status(running)) == _RUNNING
    again = client.post(running, body=None, force="True")
    assert flags(client.status(running)) == _CANCELLED
    assert flags(client.status(again)) == _RUNNING
    once_more = client.post(again, body=None, force="1")
    assert flags(client.status(again)) == _CANCELLED
    assert client.ask("POST", once_more, params={"force": "perhaps"}, headers=_XML).status_code == 400


def test_cancelled(client: Client, running: str, installation: Installation) -> None:
    """DELETE of the status ends it, as cancelled and not as complete; once more there is nothing to cancel."""
    answer = client.ask("DELETE", f"{running}/status")
    assert flags({each.tag: each.text or "" for each in document(answer)}) == _CANCELLED
    assert flags(client.status(running)) == _CANCELLED
    assert text(client.xml("GET", running), "status/cancelled") == "true"
    document(client.ask("DELETE", f"{running}/status"), 409)
    document(client.ask("GET", f"{running}/downloads"), 400)
    receipts, number = installation.ports.catalog.receipts, int(running.rpartition("/")[2])
    wait_until(lambda: receipts.get(number) is not None, "what it held is released")


def test_what_is_complete_is_not_cancelled(client: Client, image: str) -> None:
    """409, and it stays complete."""
    document(client.ask("DELETE", f"{image}/status"), 409)
    assert flags(client.status(image)) == _DONE


def test_deleted_in_any_state(client: Client, running: str, installation: Installation) -> None:
    """204 without a body; one that is being made is cancelled, and from then on it isn't there, in no list."""
    answer = client.ask("DELETE", running)
    assert (answer.status_code, answer.content, "content-type" in answer.headers) == (204, b"", False)
    for path in (running, f"{running}/status", f"{running}/pkgs"):
        document(client.ask("GET", path), 404)
    document(client.ask("DELETE", running), 404)
    for path in (running.rpartition("/")[0], f"users/{USER}/images"):
        assert running not in [each.text for each in client.xml("GET", path).iterfind("images/image/uri")]
    assert installation.ports.catalog.tickets.get(int(running.rpartition("/")[2])).state == "cancelled"


def test_one_that_only_checks_dependencies(client: Client, installation: Installation) -> None:
    """`simulated` gives the package list, and no file to download."""
    body = BUILD.replace(
        "</a:image>", "<simulated>true</simulated><forceCheckingDeps>true</forceCheckingDeps></a:image>"
    )
    uri = client.post(installation.images(), body)
    assert flags(client.ended(uri)) == _DONE
    found = client.xml("GET", uri)
    assert (text(found, "simulated"), text(found, "forceCheckingDeps"), text(found, "fileSize")) == (
        "true",
        "true",
        "0",
    )
    assert int(text(client.xml("GET", f"{uri}/pkgs"), "total")) > 10
    document(client.ask("GET", f"{uri}/downloads"), 400)


def test_one_that_fails(client: Client, installation: Installation) -> None:
    """Its status tells all that a client prints: complete and error, with messages."""
    broken = appliance(name="broken")
    assert broken.os_profile is not None
    profile = broken.os_profile.model_copy(update={"packages": ("no-such-package",)})
    made = broken.model_copy(update={"os_profile": profile})
    uri = client.post(installation.images(installation.ports.catalog.appliances.add(USER, made)))
    status = client.ended(uri)
    assert flags(status) == _FAILED
    assert all(status[name] for name in ("message", "errorMessage"))
    assert "no-such-package" in status["errorMessage"] + status.get("detailedErrorMsg", "")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("<a:image xmlns:a='{ns}'><targetFormat><name>VirtualBox</name></targetFormat></a:image>", 400),
        ("<a:image xmlns:a='{ns}'/>", 400),
        ("<a:image xmlns:a='{ns}'><targetFormat>", 400),
        ("", 400),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><a:image xmlns:a='{ns}'>&a;</a:image>", 400),
        ("<a:image xmlns:a='{ns}'>" + "<x>" * 5000 + "</x>" * 5000 + "</a:image>", 400),
        ("<a:image xmlns:a='{ns}'><name>" + "x" * 2**21 + "</name></a:image>", 413),
    ],
    ids=["unknown format", "no format", "cut", "empty", "entity", "deep", "large"],
)
def test_bodies_that_are_refused(body: str, status: int, client: Client, installation: Installation) -> None:
    """No ticket is made of them."""
    before = text(client.xml("GET", installation.images()), "total")
    answer = client.ask("POST", installation.images(), content=body.replace("{ns}", NAMESPACE), headers=_XML)
    document(answer, status)
    assert text(client.xml("GET", installation.images()), "total") == before


def test_an_appliance_without_an_os_profile(client: Client, installation: Installation) -> None:
    """Nothing can be generated from it."""
    bare = appliance(name="bare").model_copy(update={"os_profile": None})
    number = installation.ports.catalog.appliances.add(USER, bare)
    document(client.ask("POST", installation.images(number), content=BUILD, headers=_XML), 400)
    assert text(client.xml("GET", f"users/{USER}/appliances/{number}"), "name") == "bare"


def test_quotas(installation: Installation) -> None:
    """They are told with what is used; beyond one a generation is refused, and no ticket is made."""
    catalog = installation.ports.catalog
    catalog.users.add("greta", ("image_generate", "appliance_create"), password=SecretStr(PASSWORD))
    catalog.quotas.set("greta", "generation", 0, "monthly")
    number = catalog.appliances.add("greta", appliance())
    client, path = installation.client("greta"), f"users/greta/appliances/{number}/images"
    document(client.ask("POST", path, content=BUILD, headers=_XML), 403)
    assert text(client.xml("GET", path), "total") == "0"
    told = client.xml("GET", "users/greta/quotas")
    rows = {text(each, "type"): each for each in told.iterfind("quotas/quota")}
    assert {"appliance", "generation", "diskusage"} <= set(rows)
    assert [text(rows["generation"], each) for each in ("limit", "nb", "frequency")] == ["0", "0", "monthly"]
    assert (text(rows["appliance"], "limit"), text(rows["appliance"], "nb")) == ("-1", "1")


def test_an_appliance_goes_with_its_images(client: Client, installation: Installation) -> None:
    """Also what is being made is, with `force`; without it, it is refused while something is."""
    number = installation.ports.catalog.appliances.add(USER, appliance(name="going"))
    path = f"users/{USER}/appliances/{number}"
    image = client.post(f"{path}/images")
    document(client.ask("DELETE", path), 409)
    assert client.ask("DELETE", path, params={"force": "True"}).status_code == 204
    for each in (path, image, f"{path}/images"):
        document(client.ask("GET", each), 404)


def test_all_images_of_an_appliance(client: Client, installation: Installation) -> None:
    """One DELETE takes them all, and none of another appliance."""
    number = installation.ports.catalog.appliances.add(USER, appliance(name="emptied"))
    path = f"{installation.images(number)}"
    made = [client.post(path) for _ in range(2)]
    others = int(text(client.xml("GET", f"users/{USER}/images"), "total")) - len(made)
    assert client.ask("DELETE", path).status_code == 204
    assert text(client.xml("GET", path), "total") == "0"
    assert int(text(client.xml("GET", f"users/{USER}/images"), "total")) == others
