"""Refusals that HTTP has a status of its own for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from blocks.errors import Refused

_NONE: Mapping[str, str] = MappingProxyType({})
CHALLENGE = {"WWW-Authenticate": 'Basic realm="reforge", charset="UTF-8"'}


class Rejected(Refused):
    """A request that is answered by this status, with these headers."""

    def __init__(self, what: str, hint: str = "", *, status: int = 400, headers: Mapping[str, str] = _NONE) -> None:
        super().__init__(what, hint)
        self.status = status
        self.headers = headers


class Unauthenticated(Rejected):
    """No credentials, or none that are acceptable."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what, hint, status=401, headers=CHALLENGE)
