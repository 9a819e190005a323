"""Passwords that were right just now: who polls every other second shall not cost a hash each time.

What is kept is a keyed hash of name, password and the stored state of the password. So a new password holds at once,
and nothing here gives a password away.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict

from pydantic import SecretStr

_SECONDS = 300.0
_MOST = 4096


class Known:
    """The right ones of the last minutes, of this process."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._until: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def holds(self, name: str, password: SecretStr, state: str) -> bool:
        """Whether this was right while the stored state was the same."""
        mark = self._mark(name, password, state)
        with self._lock:
            return self._until.get(mark, 0.0) > time.monotonic()

    def add(self, name: str, password: SecretStr, state: str) -> None:
        """Note that it is right."""
        mark = self._mark(name, password, state)
        with self._lock:
            self._until[mark] = time.monotonic() + _SECONDS
            self._until.move_to_end(mark)
            while len(self._until) > _MOST:
                self._until.popitem(last=False)

    def _mark(self, name: str, password: SecretStr, state: str) -> bytes:
        parts = (part.encode() for part in (name, state, password.get_secret_value()))
        text = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.new(self._key, text, hashlib.sha256).digest()
