"""The signature of a request by an API key: HMAC-SHA1 over its URL as it was sent, in Base64, as the last parameter."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote_to_bytes

from pydantic import SecretStr
from starlette.types import Scope

_PREFIX = b"/api"
_PARAMETER = b"signature="


@dataclass(frozen=True)
class Signed:
    """A request's key, what was signed, and the signature that it came with."""

    key: str
    text: bytes
    signature: bytes

    def by(self, secret: SecretStr) -> bool:
        """Whether who knows the secret signed it; takes as long for any signature."""
        made = hmac.new(secret.get_secret_value().encode(), self.text, hashlib.sha1).digest()
        return hmac.compare_digest(base64.b64encode(made), self.signature)


def signed(scope: Scope) -> Signed | None:
    """What the request's URL says of its signature; None if it names no API key.

    The path and query are taken as they came: what is encoded otherwise is signed otherwise.
    """
    query: bytes = scope["query_string"]
    keys = parse_qs(query.decode("ascii", "replace")).get("apiKey")
    if not keys:
        return None
    rest, signature = _cut(query)
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    text = path.removeprefix(_PREFIX).lstrip(b"/") + (b"?" + rest if rest else b"")
    return Signed(keys[0], text, unquote_to_bytes(signature))


def _cut(query: bytes) -> tuple[bytes, bytes]:
    """The query before the last parameter `signature`, and that one's value."""
    rest, found, signature = query.rpartition(b"&" + _PARAMETER)
    if not found and query.startswith(_PARAMETER):
        return b"", query.removeprefix(_PARAMETER)
    return (rest, signature) if found else (query, b"")
