"""Errors: whatever goes wrong, and wherever, the answer is a `uforgeError` in the asked form."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.errors import (
    Contradiction,
    InvalidInput,
    KeyReused,
    NoOSProfile,
    NotFound,
    ParentRunning,
    QuotaExceeded,
    ReforgeError,
    StoreRefused,
    StoreUnavailable,
    TooManyFailures,
)
from blocks.ports import Ports
from deployments.gateway.errors import status
from tests.deployments.gateway.conftest import Client, Made, document, error, root


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (InvalidInput, 400),
        (NoOSProfile, 400),
        (QuotaExceeded, 403),
        (NotFound, 404),
        (KeyReused, 409),
        (ParentRunning, 409),
        (TooManyFailures, 429),
        (Contradiction, 500),
        (StoreRefused, 500),
        (ReforgeError, 500),
        (StoreUnavailable, 503),
    ],
)
def test_the_status_of_a_kind(kind: type[ReforgeError], code: int) -> None:
    """What isn't named has that of the kind it is of."""
    assert status(kind("what")) == code


@pytest.mark.parametrize(
    "path", ["nothing", "users/alice/appliances/abc/images", "users/alice/nothing", "users/alice/appliances/0/images/1"]
)
def test_no_such_address(path: str, client: Client) -> None:
    """Also a number that can't be one."""
    assert error(client.get(path), 404)


def test_numbers_without_bounds(client: Client) -> None:
    """A number that no database holds names nothing."""
    for number in ("9" * 15, "9" * 19, "9" * 5000):
        assert error(client.get(f"users/alice/appliances/{number}/images"), 404)
        assert error(client.get(f"users/alice/appliances/1/images/{number}/status"), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "{0.uri}", "DELETE, GET, HEAD, POST"),
        ("POST", "{0.uri}/status", "DELETE, GET, HEAD"),
        ("DELETE", "users/alice", "GET, HEAD"),
        ("OPTIONS", "status", "GET, HEAD"),
        ("BREW", "users/alice/apikeys", "GET, HEAD, POST"),
    ],
)
def test_a_method_that_isnt_there(method: str, path: str, allowed: str, client: Client, made: Made) -> None:
    """All that are there are told."""
    answer = client.ask(method, path.format(made))
    assert error(answer, 405)
    assert answer.headers["allow"] == allowed


def test_what_xml_cant_say(client: Client) -> None:
    """An address of any characters is answered with a document that can be read."""
    assert root(client.get("users/a%00b%01"), 404).findtext("statusCode") == "404"


def test_in_json(client: Client) -> None:
    """A client that asks for JSON gets its errors so."""
    found = document(client.get("users/nobody", accept="application/json"), 404)["uforgeError"]
    assert found["statusCode"] == 404
    assert found["localizedErrorMsg"]["message"] == "There is no user nobody"
    assert (found["requestMethod"], found["requestUri"]) == ("GET", "users/nobody")


def test_a_form_that_nobody_gives(client: Client, made: Made, ports: Ports) -> None:
    """406, and nothing is made or cancelled before that is known."""
    assert error(client.get(made.uri, accept="image/png"), 406)
    assert error(client.ask("POST", made.uri, accept="image/png"), 406)
    assert len(ports.catalog.tickets.list("alice")) == 1


def test_a_body_in_no_known_form(client: Client, made: Made) -> None:
    """415 where a body is needed; none is looked at where it isn't."""
    path = f"users/alice/appliances/{made.appliance}/images"
    assert error(client.ask("POST", path, content=b"a=b", content_type="application/x-www-form-urlencoded"), 415)
    assert client.ask("DELETE", path, content=b"a=b", content_type="text/plain").status_code == 204


def test_a_body_without_end(client: Client, made: Made) -> None:
    """More than a megabyte is not read."""
    path = f"users/alice/appliances/{made.appliance}/images"
    assert error(client.ask("POST", path, content=b" " * 1_100_000), 413)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"<image/>",
        b'<!DOCTYPE image [<!ENTITY a "b">]><image><name>&a;</name></image>',
        b"<image><targetFormat><name>None of ours</name></targetFormat></image>",
        b"<image><targetFormat><name>QCOW2</name></targetFormat><compress>perhaps</compress></image>",
        b"<image><targetFormat><name>QCOW2</name></targetFormat><installProfile><diskSize>-1</diskSize></installProfile></image>",
    ],
)
def test_a_body_that_makes_no_sense(body: bytes, client: Client, made: Made, ports: Ports) -> None:
    """400, and no ticket."""
    path = f"users/alice/appliances/{made.appliance}/images"
    content = body.replace(b"<image", b'<n:image xmlns:n="http://www.usharesoft.com/uforge"').replace(
        b"</image", b"</n:image"
    )
    assert error(client.ask("POST", path, content=content, content_type="application/xml"), 400)
    assert len(ports.catalog.tickets.list("alice")) == 1


def test_a_server_that_is_away(client: Client, made: Made, ports: Ports, tmp_path: Path) -> None:
    """503 with when to try again, and nothing of where that server is."""
    ports.catalog.close()
    (tmp_path / "home" / "catalog.sqlite").rename(tmp_path / "elsewhere")
    (tmp_path / "home" / "catalog.sqlite").mkdir()
    answer = client.get(made.uri)
    assert "doesn't answer" in error(answer, 503)
    assert int(answer.headers["retry-after"]) > 0
    assert str(tmp_path) not in answer.text


def test_what_nobody_foresaw(client: Client, made: Made, ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    """500, told as everything else, without a word of what it was."""

    def fail(*_: object) -> None:
        raise RuntimeError("the secret reason")

    monkeypatch.setattr(ports.catalog.images, "get", fail)
    answer = client.get(made.uri)
    assert error(answer, 500)
    assert "secret" not in answer.text
