"""Sealing: a document's own digest, by which a client knows whether it has changed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TypeVar

from deployments.gateway.wire import UForgeObject

_Object = TypeVar("_Object", bound=UForgeObject)


def sealed(document: _Object) -> _Object:
    """The document with the digest of all the rest of it: of its values, which every form has."""
    return replace(document, digest=digest(repr(document).encode()))


def digest(content: bytes) -> str:
    """32 hex digits."""
    return hashlib.sha256(content).hexdigest()[:32]
