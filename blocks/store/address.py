"""From a store's URL to the store."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from blocks.errors import InvalidInput
from blocks.store.credentials import Credentials
from blocks.store.directory import DirectoryStore
from blocks.store.store import Store

_HINT = "Give the folder's absolute path as file:///path/of/the/store"


def open_store(url: str, credentials: Credentials | None = None) -> Store:
    """The store at a `file:///…` URL, whose folder is made if it isn't there, or at `s3://bucket/prefix?endpoint=…`.

    Without credentials a store on S3 takes those of the usual AWS variables and files. Nothing is asked of its server
    yet. Raises InvalidInput for any other URL, MachineUnfit or StoreUnavailable if the folder can't be used.
    """
    if _scheme(url) == "s3":
        from blocks.store.s3 import S3Store  # noqa: PLC0415 - boto3 is heavy, and most homes have a folder

        return S3Store.at(url, credentials)
    return DirectoryStore.at(_folder(url))


def check_address(url: str) -> None:
    """Raise InvalidInput unless it is a store's URL; nothing is opened or made."""
    if _scheme(url) == "s3":
        from blocks.store.bucket import Bucket  # noqa: PLC0415 - boto3 is heavy

        Bucket.parse(url)
    else:
        _folder(url)


def _scheme(url: str) -> str:
    scheme = url.partition(":")[0] if ":" in url else ""
    if scheme not in {"file", "s3"}:  # the URL itself may hold a secret, so it isn't repeated
        kind = f"of the kind {scheme[:20]!r}" if scheme.isalnum() else "without file://"
        raise InvalidInput(
            f"A store URL {kind} isn't supported", f"{_HINT}, or a bucket as s3://bucket/prefix?endpoint=…"
        )
    return scheme


def _folder(url: str) -> Path:
    parts = urlsplit(url)
    path = unquote(parts.path)
    if not url.startswith("file://") or parts.netloc not in {"", "localhost"} or not path.startswith("/"):
        raise InvalidInput(f"The store URL {url!r} names no absolute path on this machine", _HINT)
    if parts.query or parts.fragment or "\0" in path:
        raise InvalidInput(f"The store URL {url!r} has more than a path", f"{_HINT}; write ? as %3F and # as %23")
    return Path(path)
