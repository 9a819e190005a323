"""The traps of the contract that no other test walks into: what clients send, and what they can't read."""

from __future__ import annotations

import base64
import hmac
import re
from http.client import HTTPConnection
from urllib.parse import quote

import httpx
import pytest
from pydantic import SecretStr

from tests.contract.installation import BUILD, PASSWORD, USER, Client, Installation, document, text
from tests.contract.sequences import NAMESPACE

pytestmark = pytest.mark.build
_XML = {"Content-Type": "application/xml", "Accept": "application/xml"}


@pytest.fixture
def client(installation: Installation) -> Client:
    """The owner."""
    return installation.client()


def test_t1_the_content_type_is_bare(client: Client, image: str) -> None:
    """No charset, on answers and on errors alike."""
    for path in (image, "status", "nothing"):
        assert client.ask("GET", path).headers["content-type"] == "application/xml"


def test_t2_only_the_root_is_in_the_namespace(client: Client, image: str) -> None:
    """By a prefix, for a default namespace would take in the children."""
    written = client.ask("GET", image).text
    assert re.search(rf"<(\w+):image xmlns:\1=\"{NAMESPACE}\"", written)
    assert "xmlns=" not in written
    assert written.count(NAMESPACE) == 1


def test_t4_addresses_are_relative(client: Client, image: str) -> None:
    """Neither host, nor slash before or behind, in any document."""
    documents = [client.ask("GET", path).text for path in (image, f"users/{USER}", image.rpartition("/images")[0])]
    found = re.findall(r"<(\w*[uU]ri)>([^<]*)<", "".join(documents))
    assert len(found) > 20
    assert [(name, uri) for name, uri in found if uri.startswith("/") or uri.endswith("/") or "://" in uri] == []


def test_t5_an_empty_list_has_its_wrapper(installation: Installation) -> None:
    """`images` in `images`, with nothing in it; an array in JSON."""
    client = installation.client("mallory")
    found = client.xml("GET", "users/mallory/images")
    assert [(each.tag, len(each)) for each in found] == [("total", 0), ("images", 0)]
    assert client.json("users/mallory/images") == {"images": {"total": 0, "images": {"image": []}}}


def test_t6_values_are_written_as_the_schema_has_them(client: Client, image: str) -> None:
    """Booleans in lower case, times in UTC with Z, nothing empty but lists."""
    written = client.ask("GET", image).text
    assert re.findall(r">(?:True|False|None)<", written) == []
    assert set(re.findall(r"<(\w+)(?:/>|></\1>)", written)) <= {"targetPlatformsUriList", "users"}
    times = re.findall(r"<(?:created|lastModified|uploadedTime)>([^<]*)<", written)
    assert times
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", each) for each in times)


def test_t9_every_image_has_what_lists_print(client: Client, image: str) -> None:
    """Whatever state it is in."""
    listed = client.xml("GET", f"users/{USER}/images").findall("images/image")
    assert image in [text(each, "uri") for each in listed]
    for each in listed:
        for name in ("fileSize", "size", "created", "name", "status/message", "targetFormat/format/name"):
            assert text(each, name), name
        assert 0 <= int(text(each, "status/percentage")) <= 100
        assert (text(each, "status/complete"), text(each, "status/cancelled")) != ("true", "true")


@pytest.mark.parametrize(
    ("method", "path", "given", "status"),
    [
        ("PATCH", "users/ada", {}, 405),
        ("POST", "users/ada", {}, 405),
        ("GET", "users/ada", {"headers": {"Accept": "text/html"}}, 406),
        ("POST", "{images}", {"headers": {"Content-Type": "text/plain"}, "content": "x"}, 415),
        ("GET", "users/ada/images/{huge}", {}, 404),
        ("GET", "users/ada/appliances/1/images/{huge}", {}, 404),
        ("GET", "users/ada/appliances/x/images", {}, 404),
        ("GET", "users/ada/appliances?count=-1", {}, 400),
        ("GET", "users/%00", {}, 404),
        ("GET", "", {}, 404),
    ],
)
def test_t12_errors_are_documents(
    method: str, path: str, given: dict[str, dict[str, str]], status: int, installation: Installation
) -> None:
    """Also those that no route of ours answers."""
    wanted = path.format(images=installation.images(), huge="9" * 40)
    error = document(installation.client().ask(method, wanted, **given), status)
    assert (text(error, "requestMethod"), text(error, "statusCode")) == (method, str(status))
    assert text(error, "localizedErrorMsg/message")


@pytest.mark.parametrize("auth", [None, ("ada", "wrong"), ("", "")])
def test_t13_the_service_tells_its_version_to_anybody(auth: tuple[str, str] | None, installation: Installation) -> None:
    """Credentials are not looked at, wrong ones neither."""
    answer = httpx.get(f"{installation.address}/status", auth=auth)
    assert text(document(answer), "version") == "3.8.13"
    assert text(document(answer), "alive") == "true"
    plain = httpx.get(f"{installation.address}/status", headers={"Accept": "text/plain"})
    assert plain.headers["content-type"].startswith("text/plain")


def test_t14_a_regenerate_has_an_xml_content_type_and_no_body(client: Client, image: str) -> None:
    """As the SDK sends it."""
    made = client.ask("POST", image, headers={**_XML, "Content-Length": "0"})
    assert document(made, 201).tag == f"{{{NAMESPACE}}}image"
    assert client.ask("DELETE", text(document(made, 201), "uri")).status_code == 204


def test_t18_a_signature_holds_for_the_url_as_it_is_sent(installation: Installation, image: str) -> None:
    """With quotes, semicolons, equals signs and spaces, however encoded; for no other URL, by no other key."""
    key = installation.ports.catalog.keys.create(USER, "signing")
    queries = (
        "query=name%3D%3D%27small%27%3BdbId%3D%3D1",
        "query=name=='a%20b';version=='1'",
        "query=name%3D%3D%27a+b%27",
    )
    for query in queries:
        for signed in (f"{query}&apiKey={key.public}", f"apiKey={key.public}&{query}"):
            path = f"{installation.images()}?{signed}"
            signature = quote(_sign(key.secret, path), safe="")
            assert _raw(installation, f"{path}&signature={signature}") == 200, path
            assert _raw(installation, f"/{path}&signature={signature}") == 200, path
            assert _raw(installation, f"{path.replace('small', 'smell')}0&signature={signature}") == 401, path
            other = quote(_sign(SecretStr("other"), path), safe="")
            assert _raw(installation, f"{path}&signature={other}") == 401
    assert _raw(installation, f"{installation.images()}?apiKey={key.public}") == 401
    assert _raw(installation, f"{image}?apiKey=unknown&signature=AAAA") == 401
    installation.ports.catalog.keys.delete(USER, key.id)


def test_t19_the_words_for_lists_of_statuses(client: Client, installation: Installation) -> None:
    """Plural below an appliance, singular below a user; the other way round there is nothing."""
    images = installation.images()
    for path, status in (
        (f"{images}/statuses", 200),
        (f"{images}/status", 404),
        (f"users/{USER}/images/status", 200),
        (f"users/{USER}/images/statuses", 404),
        (f"{images.removesuffix('images')}pimages/statuses", 200),
        (f"users/{USER}/pimages/status", 200),
    ):
        assert client.ask("GET", path).status_code == status, path


def test_a_root_with_a_slash_doubles_it(installation: Installation, image: str) -> None:
    """The SDK joins the root and a path that begins with a slash."""
    assert document(httpx.get(f"{installation.address}//{image}", auth=(USER, PASSWORD))).tag.endswith("image")


def test_json_is_taken_as_well(client: Client, installation: Installation) -> None:
    """The same request, with members that nobody knows."""
    body = (
        '{"image": {"unknown": 1, "simulated": true, "targetFormat": {"name": "QCOW2", "format": {"name": "qcow2"}}}}'
    )
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    made = client.ask("POST", installation.images(), content=body, headers=headers)
    assert (made.status_code, made.headers["content-type"]) == (201, "application/json")
    told = made.json()["image"]
    assert (told["simulated"], told["targetFormat"]["format"]["name"]) == (True, "qcow2")
    assert client.ask("DELETE", told["uri"]).status_code == 204


def test_a_body_as_clients_echo_it(client: Client, installation: Installation) -> None:
    """The whole target format that they were given, in any order, with types on the leaves, without a media type."""
    formats = client.xml("GET", f"users/{USER}/targetformats").findall("targetFormats/targetFormat")
    assert {text(each, "name") for each in formats} >= {"RAW", "QCOW2"}
    body = BUILD.replace("<compress>", "<applianceUri>x</applianceUri><compress xsi:type='a:string'>").replace(
        "xmlns:a", "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xmlns:a"
    )
    more = "<simulated>true</simulated><installProfile><memorySize>1024</memorySize></installProfile></a:image>"
    body = body.replace("</a:image>", more)
    made = client.ask("POST", installation.images(), content=body)
    assert client.ask("DELETE", text(document(made, 201), "uri")).status_code == 204


def test_a_supervisor_acts_as_another(installation: Installation, image: str) -> None:
    """Named before a backslash, with the supervisor's password; nobody else may."""

    def status(login: str, password: str = PASSWORD) -> int:
        return httpx.get(f"{installation.address}/{image}", auth=(login, password)).status_code

    assert status(f"root\\{USER}") == 200
    assert status(f"mallory\\{USER}") == 403
    assert status("root\\mallory") == 403
    assert status(f"root\\{USER}", "wrong") == 401
    assert status(f"nobody\\{USER}") == 401


def test_those_who_guess_have_to_wait(installation: Installation) -> None:
    """After some wrong passwords even the right one isn't looked at for a while, and others are let in meanwhile."""
    catalog, guesses = installation.ports.catalog, 12
    catalog.users.add("victim", (), password=SecretStr(PASSWORD))
    document(httpx.get(f"{installation.address}/users/victim", auth=("victim", "a guess")), 401)
    for _ in range(guesses):
        catalog.logins.failed("victim", "127.0.0.1")
    refused = httpx.get(f"{installation.address}/users/victim", auth=("victim", PASSWORD))
    document(refused, 429)
    assert int(refused.headers["retry-after"]) > 1
    document(installation.client().ask("GET", f"users/{USER}"), 200)


def test_what_watchers_ask(installation: Installation) -> None:
    """Health, readiness and metrics stand beside the API, for anybody who reaches the port."""
    root = installation.address.removesuffix("/api")
    assert httpx.get(f"{root}/healthz").status_code == 200
    assert httpx.get(f"{root}/readyz").status_code == 200
    metrics = httpx.get(f"{root}/metrics").text
    for name in (
        "reforge_http_request_seconds_count",
        "reforge_tickets",
        "reforge_queue_length",
        "reforge_stage_seconds",
    ):
        assert name in metrics
    assert PASSWORD not in metrics


def _sign(secret: SecretStr, path: str) -> bytes:
    """As `openssl dgst -sha1 -hmac` does: over the path and query as they are, in Base64."""
    return base64.b64encode(hmac.new(secret.get_secret_value().encode(), path.encode(), "sha1").digest())


def _raw(installation: Installation, path: str) -> int:
    """The status of a GET whose path is sent byte for byte."""
    host, _, port = installation.address.removeprefix("http://").removesuffix("/api").partition(":")
    connection = HTTPConnection(host, int(port), timeout=30)
    try:
        connection.putrequest("GET", f"/api/{path}", skip_accept_encoding=True)
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()
