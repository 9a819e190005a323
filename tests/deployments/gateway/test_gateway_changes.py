"""Changes: images are had made, made again, cancelled and deleted; each answer comes at once, without Prefect."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import pytest

from blocks.model import Appliance, InstallProfile
from blocks.ports import Ports
from tests.deployments.gateway.conftest import RECIPE, Client, Made, document, error, root

_IMAGE = """<n:image xmlns:n="http://www.usharesoft.com/uforge">
<compress>true</compress>{}</n:image>"""
_QCOW2 = "<targetFormat><name>QCOW2</name></targetFormat>"


def _generate(client: Client, made: Made, body: str, user: str = "alice", **headers: str) -> Element:
    path = f"users/alice/appliances/{made.appliance}/images"
    content = _IMAGE.format(body).encode()
    answer = client.ask("POST", path, user, content=content, content_type="application/xml", **headers)
    found = root(answer, 201)
    assert answer.headers["location"] == f"/api/{found.findtext('uri')}"
    return found


def _number(found: Element) -> int:
    return int(str(found.findtext("dbId")))


def test_generate(client: Client, made: Made, ports: Ports) -> None:
    """The ticket, with a status that goes on, is there at once and will be handed over."""
    found = _generate(client, made, _QCOW2)
    assert [found.findtext(f"status/{name}") for name in ("complete", "error", "cancelled")] == ["false"] * 3
    assert found.findtext("downloadKey")
    ticket = ports.catalog.tickets.get(_number(found))
    assert (ticket.user, ticket.state, ticket.flow_run) == ("alice", "requested", None)
    assert ticket.id in ports.catalog.orders.undispatched(-60)


@pytest.mark.parametrize(
    ("described", "label"),
    [
        (_QCOW2, "QCOW2"),
        (
            "<targetFormat><name>OpenStack QCOW2</name><format><name>raw</name></format></targetFormat>",
            "OpenStack QCOW2",
        ),
        ("<targetFormat><uri>orgs/1/targetformats/1</uri></targetFormat>", "RAW"),
        ("<targetFormat><dbId>3</dbId></targetFormat>", "KVM"),
        ("<format><name>cloudstackqcow2</name></format>", "CloudStack QCOW2"),
    ],
)
def test_the_target_format(described: str, label: str, client: Client, made: Made) -> None:
    """It is known by its name, else by its address, its number or the primitive format."""
    assert _generate(client, made, described).findtext("targetFormat/name") == label


def test_what_is_frozen(client: Client, made: Made, ports: Ports) -> None:
    """Sizes, simulation and the check of dependencies are kept; what echoes other answers is left alone."""
    sizes = (
        "<installProfile><diskSize>4096</diskSize><memorySize>512</memorySize><swapSize>64</swapSize></installProfile>"
    )
    echoed = "<name>renamed</name><uri>elsewhere</uri><unknown>1</unknown>"
    flags = "<simulated>true</simulated><forceCheckingDeps>true</forceCheckingDeps>"
    found = _generate(client, made, echoed + flags + sizes + _QCOW2)
    recipe = ports.catalog.tickets.recipe(_number(found))
    profile = recipe.install_profile
    assert (profile.disk_size, profile.memory_size, profile.swap_size) == (4096, 512, 64)
    assert (recipe.simulated, recipe.check_dependencies, recipe.name, recipe.target) == (True, True, "server", "QCOW2")
    assert [found.findtext(name) for name in ("simulated", "forceCheckingDeps", "vmMemorySize")] == [
        "true",
        "true",
        "512",
    ]
    assert found.find("downloadUri") is None


def test_in_json(client: Client, made: Made) -> None:
    """The same by JSON."""
    body = b'{"image": {"compress": true, "targetFormat": {"name": "RAW"}}}'
    json = "application/json"
    path = f"users/alice/appliances/{made.appliance}/images"
    found = document(client.ask("POST", path, content=body, content_type=json, accept=json), 201)["image"]
    assert (found["targetFormat"]["name"], found["status"]["complete"]) == ("RAW", False)


def test_regenerate(client: Client, made: Made, ports: Ports) -> None:
    """A new ticket of the same recipe, from a request without a body; the old image stays."""
    answer = client.ask("POST", made.uri, content=b"", content_type="application/xml")
    found = root(answer, 201)
    ticket = ports.catalog.tickets.get(_number(found))
    assert (ticket.parent, ticket.user, ticket.state) == (made.image, "alice", "requested")
    assert ports.catalog.tickets.recipe(ticket.id) == RECIPE
    assert root(client.get(made.uri)) is not None


@pytest.mark.parametrize("force", ["True", "true", "1"])
def test_regenerate_what_runs(force: str, client: Client, made: Made, live: int, ports: Ports) -> None:
    """Without force it is refused; with it, however that is spelt, the parent is cancelled first."""
    uri = f"users/alice/appliances/{made.appliance}/images/{live}"
    for query in ("", "?force=False"):
        assert error(client.ask("POST", uri + query), 409)
    assert ports.catalog.tickets.get(live).state == "requested"
    root(client.ask("POST", f"{uri}?force={force}"), 201)
    status = root(client.get(f"{uri}/status"))
    assert [status.findtext(name) for name in ("cancelled", "complete", "error")] == ["true", "false", "false"]


def test_the_same_key(client: Client, made: Made) -> None:
    """A request that is sent again makes one ticket; with the key of another request it is refused."""
    first = _generate(client, made, _QCOW2, idempotency_key="again")
    assert _number(_generate(client, made, _QCOW2, idempotency_key="again")) == _number(first)
    assert _number(_generate(client, made, _QCOW2, idempotency_key="once more")) != _number(first)
    assert error(client.ask("POST", made.uri, idempotency_key="again"), 409)


def test_a_supervisors_request(client: Client, made: Made, ports: Ports) -> None:
    """What it asks for under a user's name counts as the user's."""
    found = _generate(client, made, _QCOW2, user="chief")
    assert ports.catalog.tickets.get(_number(found)).user == "alice"


def test_beyond_the_quota(client: Client, made: Made, ports: Ports) -> None:
    """It is refused when it is asked for, and makes no ticket."""
    ports.catalog.quotas.set("alice", "generation", 0)
    assert "quota generation" in error(client.ask("POST", made.uri), 403)
    assert len(ports.catalog.tickets.list("alice")) == 1


def test_without_an_os_profile(client: Client, ports: Ports) -> None:
    """Nothing is generated from an appliance that has none."""
    bare = ports.catalog.appliances.add("alice", Appliance(name="bare", install_profile=InstallProfile()))
    content = _IMAGE.format(_QCOW2).encode()
    assert "no OS profile" in error(client.ask("POST", f"users/alice/appliances/{bare}/images", content=content), 400)
    assert error(client.get(f"users/alice/appliances/{bare}/osprofile/{bare}"), 404)
    assert root(client.get(f"users/alice/appliances/{bare}")).find("osProfile") is None


def test_cancel(client: Client, made: Made, live: int, ports: Ports) -> None:
    """It is cancelled at once and stays listed; once more there is nothing to cancel."""
    uri = f"users/alice/appliances/{made.appliance}/images/{live}"
    found = root(client.ask("DELETE", f"{uri}/status"))
    assert [found.findtext(name) for name in ("cancelled", "complete", "error")] == ["true", "false", "false"]
    assert ports.catalog.tickets.get(live).state == "cancelled"
    assert error(client.ask("DELETE", f"{uri}/status"), 409)
    assert error(client.ask("DELETE", f"{made.uri}/status"), 409)
    assert root(client.get("users/alice/images")).findtext("total") == "2"


def test_delete(client: Client, made: Made, live: int, ports: Ports) -> None:
    """An image is gone from every list, with its file; one that is being made is cancelled first."""
    uri = f"users/alice/appliances/{made.appliance}/images/{live}"
    for each in (uri, made.uri):
        answer = client.ask("DELETE", each, content_type="application/xml")
        assert (answer.status_code, answer.content) == (204, b"")
        for path in (each, f"{each}/status", f"{each}/pkgs", f"{each}/downloads"):
            assert error(client.get(path), 404)
        assert error(client.ask("DELETE", each), 404)
        assert error(client.ask("POST", each), 404)
    assert root(client.get("users/alice/images")).findtext("total") == "0"
    assert ports.catalog.tickets.get(live).state == "cancelled"


def test_delete_all(client: Client, made: Made, live: int) -> None:
    """All images of the appliance, and not the appliance."""
    assert live
    path = f"users/alice/appliances/{made.appliance}"
    assert client.ask("DELETE", f"{path}/images").status_code == 204
    assert root(client.get(f"{path}/images")).findtext("total") == "0"
    assert root(client.get(path)).findtext("name") == "server"


def test_delete_an_appliance(client: Client, made: Made, live: int) -> None:
    """With its images; while one is being made only with force."""
    assert live
    path = f"users/alice/appliances/{made.appliance}"
    assert root(client.get(path)).findtext("imageUris/uri") == made.uri
    assert error(client.ask("DELETE", path), 409)
    assert client.ask("DELETE", f"{path}?force=True").status_code == 204
    for gone in (path, made.uri, f"{path}/images"):
        assert error(client.get(gone), 404)
    assert root(client.get("users/alice/images")).findtext("total") == "0"


@pytest.mark.parametrize("path", ["{0.uri}/pimages", "users/alice/appliances/{0.appliance}/pimages"])
def test_publishing(path: str, client: Client, made: Made) -> None:
    """It is told that nothing is published from here, whatever is sent."""
    assert "can't be published" in error(client.ask("POST", path.format(made), content=b"<x/>"), 501)


@pytest.mark.parametrize(("method", "end"), [("GET", ""), ("DELETE", ""), ("GET", "/status"), ("DELETE", "/cancel")])
def test_a_publication(method: str, end: str, client: Client, made: Made) -> None:
    """None is there."""
    assert error(client.ask(method, f"{made.uri}/pimages/1{end}"), 404)
    assert client.ask("DELETE", f"users/alice/appliances/{made.appliance}/pimages").status_code == 204
