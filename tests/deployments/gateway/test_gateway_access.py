"""Access: who is let in, for whom it may act, and what it is told if not."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from urllib.parse import quote

import pytest
from pydantic import SecretStr

from blocks.ports import Ports
from deployments.gateway.authentication import credentials
from deployments.gateway.refusals import Unauthenticated
from tests.deployments.gateway.conftest import PASSWORD, Client, Made, error, root


def _signed(path: str, public: str, secret: str) -> str:
    text = f"{path}{'&' if '?' in path else '?'}apiKey={public}"
    made = base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()
    return f"{text}&signature={quote(made, safe='')}"


def test_nobody(client: Client, made: Made) -> None:
    """Without credentials the client is told to give some."""
    answer = client.get(made.uri, None)
    assert error(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Basic ")


@pytest.mark.parametrize(
    ("user", "password"),
    [("alice", "wrong"), ("alice", ""), ("nobody", PASSWORD), ("no body\0", PASSWORD), ("", PASSWORD)],
)
def test_a_wrong_password(user: str, password: str, client: Client, made: Made) -> None:
    """Whether the name or the password is wrong is not told apart."""
    assert error(client.ask("GET", made.uri, user, password=password), 401) == "Name and password don't let anybody in"


@pytest.mark.parametrize(
    "header", [None, "", "Basic", "Basic !!!", "Bearer abc", "Basic YWxpY2U=", "Basic /////w==", "Basic \xe9"]
)
def test_what_is_no_login(header: str | None) -> None:
    """Another scheme, what is no Base64, no text, or has no colon."""
    with pytest.raises(Unauthenticated):
        credentials(header)


def test_a_new_password_holds_at_once(client: Client, made: Made, ports: Ports) -> None:
    """However often the old one was right just now."""
    assert root(client.get(made.uri)) is not None
    ports.catalog.users.set_password("alice", SecretStr("another"))
    assert error(client.get(made.uri), 401)
    assert root(client.ask("GET", made.uri, password="another")) is not None  # noqa: S106 - a user of a moment


def test_an_inactive_user(client: Client, made: Made, ports: Ports) -> None:
    """It is kept out at once, and its right password doesn't help."""
    assert root(client.get(made.uri)) is not None
    ports.catalog.users.set_active("alice", active=False)
    assert "not active" in error(client.get(made.uri), 403)
    assert "not active" in error(client.get(f"{made.uri}/pkgs", "chief"), 403)


def test_a_lost_entitlement(client: Client, made: Made, ports: Ports) -> None:
    """It is asked of the catalog with each request."""
    ports.catalog.users.change("alice", roles=["builder"])
    assert "appliance_create" in error(client.get(made.uri), 403)
    assert root(client.get("users/alice/images")) is not None


def test_many_failures(client: Client, made: Made) -> None:
    """Who fails again and again has to wait, and is told how long; others don't."""
    answers = [client.ask("GET", made.uri, "bob", password="wrong").status_code for _ in range(6)]  # noqa: S106
    assert answers[:5] == [401] * 5
    answer = client.ask("GET", made.uri, "bob")
    assert error(answer, 429)
    assert int(answer.headers["retry-after"]) > 0
    assert root(client.get(made.uri)) is not None


@pytest.mark.parametrize(
    ("user", "path", "status"),
    [
        ("bob", "users/alice", 403),
        ("guest", "users/alice/images", 403),
        ("eve", "users/alice", 404),
        ("alice", "users/nobody", 404),
        ("chief", "users/nobody", 404),
        ("chief", "users/a,b", 404),
        ("chief", "users/eve", 404),
        ("guest", "users/guest/appliances", 403),
    ],
)
def test_somebody_elses(user: str, path: str, status: int, client: Client) -> None:
    """A colleague's is forbidden; another organisation's, and nobody's, isn't there."""
    assert error(client.get(path, user), status)


@pytest.mark.parametrize(
    "path", ["users/bob/appliances/{0.appliance}", "users/bob/appliances/{0.appliance}/images/{0.image}"]
)
def test_under_the_wrong_name(path: str, client: Client, made: Made) -> None:
    """What is another's isn't there under one's own name, whatever is done to it."""
    for method in ("GET", "DELETE"):
        assert error(client.ask(method, path.format(made), "bob"), 404)
    assert root(client.get(made.uri)) is not None


def test_a_supervisor(client: Client, made: Made) -> None:
    """It acts for the users of its organisation: by its own name, or as one of them."""
    assert root(client.get(made.uri, "chief")).findtext("uri") == made.uri
    assert root(client.get(made.uri, "chief\\alice")).findtext("uri") == made.uri
    assert error(client.get("users/chief", "chief\\alice"), 403)
    assert error(client.ask("GET", made.uri, "chief\\alice", password="wrong"), 401)  # noqa: S106
    assert error(client.get(made.uri, "alice\\bob"), 403)
    assert error(client.get("users/eve", "chief\\eve"), 403)


def test_a_supervisor_of_one_organisation(client: Client, ports: Ports) -> None:
    """It comes to no other one by acting for somebody of its own who sees them all, nor to that one's keys."""
    ports.catalog.users.add("root", (), SecretStr(PASSWORD), roles=["platform_administrator"])
    assert root(client.get("users/eve", "root")).findtext("loginName") == "eve"
    assert error(client.get("users/eve", "chief\\root"), 403)
    assert error(client.ask("POST", "users/root/apikeys", "chief"), 403)
    assert ports.catalog.keys.list("root") == []


@pytest.mark.parametrize(
    "query", ["", "?query=dbId%3D%3D1", "?orderBy=name&query=name%3D%3D%27a+b%27%3Bversion%3D%3D1"]
)
def test_an_api_key(query: str, client: Client, made: Made, ports: Ports) -> None:
    """A signature over the URL as it was sent lets its owner in, and nobody else's does."""
    key = ports.catalog.keys.create("alice")
    path = f"users/alice/appliances/{made.appliance}/images{query}"
    assert root(client.get(_signed(path, key.public, key.secret.get_secret_value()), None)) is not None
    assert error(client.get(_signed(path, key.public, "guess"), None), 401)
    assert error(client.get(_signed(path, "guess", key.secret.get_secret_value()), None), 401)
    assert error(client.get(_signed(path, key.public, key.secret.get_secret_value()) + "&count=1", None), 401)


def test_an_api_key_that_is_gone(client: Client, ports: Ports) -> None:
    """A deleted key, and that of a user who may have none any more, lets nobody in."""
    key = ports.catalog.keys.create("alice")
    url = _signed("users/alice", key.public, key.secret.get_secret_value())
    assert root(client.get(url, None)) is not None
    ports.catalog.users.change("alice", roles=["builder"])
    assert error(client.get(url, None), 403)
    ports.catalog.users.change("alice", roles=["developer"])
    ports.catalog.keys.delete("alice", key.id)
    assert error(client.get(url, None), 401)


def test_keys_of_a_user(client: Client) -> None:
    """A pair is made of nothing, named, listed and deleted; the eleventh is refused."""
    answer = client.ask("POST", "users/alice/apikeys", content=b"", content_type="application/xml")
    pair = root(answer, 201)
    assert answer.headers["location"] == f"/api/{pair.findtext('uri')}"
    assert answer.headers["cache-control"] == "no-store"
    named = b'{"apiKeyPair": {"name": "mine", "secretKey": "chosen"}}'
    put = client.ask("PUT", str(pair.findtext("uri")), content=named, content_type="application/json")
    assert (root(put).findtext("name"), root(put).findtext("secretKey")) == ("mine", pair.findtext("secretKey"))
    for _ in range(9):
        root(client.ask("POST", "users/alice/apikeys"), 201)
    assert "10" in error(client.ask("POST", "users/alice/apikeys"), 403)
    assert client.ask("DELETE", str(pair.findtext("uri"))).status_code == 204
    assert len(root(client.get("users/alice/apikeys")).findall("apiKeyPairs/apiKeyPair")) == 9
    assert error(client.ask("DELETE", str(pair.findtext("uri"))), 404)
    assert error(client.get("users/guest/apikeys", "guest"), 403)


def test_a_right_password_is_verified_once(
    serve: Callable[..., Client], made: Made, ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who polls costs one hash, and each wrong password costs one."""
    hashed: list[str] = []
    verify = ports.catalog.users.verify

    def counted(name: str, password: SecretStr) -> bool:
        hashed.append(name)
        return verify(name, password)

    monkeypatch.setattr(ports.catalog.users, "verify", counted)
    client = serve()
    for _ in range(3):
        root(client.get(made.uri))
    assert hashed == ["alice"]
    for _ in range(2):
        error(client.ask("GET", made.uri, password="wrong"), 401)  # noqa: S106
    assert hashed == ["alice"] * 3
