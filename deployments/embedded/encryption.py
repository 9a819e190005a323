"""The key that encrypts the blocks' secrets: in a file of its own, not in the database beside what it encrypts."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from base64 import urlsafe_b64encode
from contextlib import closing
from pathlib import Path

from blocks.errors import PrefectUnavailable

_TABLE = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'configuration'"
_QUERY = "SELECT value FROM configuration WHERE key = 'ENCRYPTION_KEY'"
_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")


def key(folder: Path) -> str | None:
    """The key of this Prefect home (32 bytes in base64), made once; a database that has its own goes on with that.

    None if the database can't be read just now: it may have a key, and the server says better what is wrong with it.
    Raises PrefectUnavailable if the file holds no key.
    """
    path = folder / "encryption.key"
    if not path.exists():
        try:
            own = _of_database(folder / "prefect.db")
        except sqlite3.Error:
            return None
        _write(path, own or urlsafe_b64encode(os.urandom(32)).decode())
    found = path.read_text("utf-8").strip()
    if not _KEY.fullmatch(found):
        raise PrefectUnavailable(
            f"The file {path} holds no encryption key",
            "Restore it from a backup. Without it the secrets of the saved blocks are lost: then remove the file, "
            "and save the blocks again",
        )
    return found


def _of_database(path: Path) -> str | None:
    if not path.exists():
        return None
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        if connection.execute(_TABLE).fetchone() is None:
            return None
        row = connection.execute(_QUERY).fetchone()
    return None if row is None else str(json.loads(row[0])["fernet_key"])


def _write(path: Path, text: str) -> None:
    partial = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
