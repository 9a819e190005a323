"""Signatures: over the URL as it was sent, compared with the signature that comes last."""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import quote

import pytest
from pydantic import SecretStr

from deployments.gateway.signature import Signed, signed

_SECRET = "the secret key"  # noqa: S105 - of a pair that nobody has


def _scope(path: str, query: str) -> dict[str, object]:
    return {"path": path, "raw_path": path.encode(), "query_string": query.encode()}


def _signature(text: str, secret: str = _SECRET) -> str:
    return quote(base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()), safe="")


def _found(path: str, query: str) -> Signed:
    found = signed(_scope(path, query))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("path", "query", "text"),
    [
        ("/api/users/guest", "apiKey=PUB", "users/guest?apiKey=PUB"),
        ("/api//users/guest", "apiKey=PUB", "users/guest?apiKey=PUB"),
        ("/api/users/guest", "query=dbId%3D%3D42&apiKey=PUB", "users/guest?query=dbId%3D%3D42&apiKey=PUB"),
        (
            "/api/users/guest",
            "apiKey=PUB&query=name%3D%27a+b%27%3Bv",
            "users/guest?apiKey=PUB&query=name%3D%27a+b%27%3Bv",
        ),
        ("/api/users/gu%65st", "apiKey=PUB", "users/gu%65st?apiKey=PUB"),
    ],
)
def test_what_is_signed(path: str, query: str, text: str) -> None:
    """Path and query as they came, without the root and the signature, encoded as the client encoded them."""
    found = _found(path, f"{query}&signature={_signature(text)}")
    assert (found.key, found.text.decode()) == ("PUB", text)
    assert found.by(SecretStr(_SECRET))


@pytest.mark.parametrize(
    "query",
    [
        "apiKey=PUB",
        "apiKey=PUB&signature=",
        "apiKey=PUB&signature=%FF%00",
        f"apiKey=PUB&signature={_signature('users/guest?apiKey=PUB', 'another')}",
        f"apiKey=PUB&signature={_signature('users/other?apiKey=PUB')}",
        f"apiKey=PUB&more=1&signature={_signature('users/guest?apiKey=PUB')}",
        f"apiKey=PUB&signature={_signature('users/guest?apiKey=PUB')}&more=1",
        f"signature={_signature('users/guest?apiKey=PUB')}&apiKey=PUB",
    ],
)
def test_what_is_not(query: str) -> None:
    """No signature, another key's, that of another URL, or one that isn't last, signs nothing."""
    assert not _found("/api/users/guest", query).by(SecretStr(_SECRET))


def test_the_last_one_counts() -> None:
    """What is appended to a signed URL with a signature of its own is signed by that."""
    text = "users/guest?apiKey=PUB&signature=old"
    assert _found("/api/users/guest", f"apiKey=PUB&signature=old&signature={_signature(text)}").by(SecretStr(_SECRET))


def test_none_is_named() -> None:
    """Without an API key there is nothing to verify."""
    assert signed(_scope("/api/users/guest", "query=a&signature=b")) is None
