"""The addresses inside documents: relative to the API's root, without a slash at either end."""

from __future__ import annotations

from urllib.parse import quote
from zlib import crc32

from blocks.catalog import DEFAULT


def organization(name: str) -> str:
    """An organisation's."""
    return f"orgs/{organization_number(name)}"


def organization_number(name: str) -> int:
    """The number that an organisation has on the wire: always the same, and 1 for the first."""
    return 1 if name == DEFAULT else crc32(name.encode()) + 2


def user(name: str) -> str:
    """A user's."""
    return f"users/{name}"


def appliance(owner: str, number: int) -> str:
    """An appliance's."""
    return f"{user(owner)}/appliances/{number}"


def image(owner: str, number: int, ticket: int) -> str:
    """An image's."""
    return f"{appliance(owner, number)}/images/{ticket}"


def download(owner: str, number: int, ticket: int, name: str, key: str) -> str:
    """An image file's, with the key that opens it to anybody once."""
    return f"{image(owner, number, ticket)}/downloads/{quote(name)}?downloadId={quote(key)}"


def last(uri: str | None) -> int | None:
    """The number at the end of an address; None if there is none."""
    end = (uri or "").rstrip("/").rpartition("/")[2]
    return int(end) if end.isascii() and end.isdigit() and len(end) < 18 else None
