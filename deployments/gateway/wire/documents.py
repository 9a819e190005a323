"""Documents as bytes and back, as XML and as JSON: strict when written, lenient when read."""

from __future__ import annotations

import re
from itertools import islice
from types import ModuleType
from typing import Literal, TypeVar

from blocks.errors import Contradiction, Malformed
from deployments.gateway.wire import markup, notation
from deployments.gateway.wire.elements import Document
from deployments.gateway.wire.fitness import faults
from deployments.gateway.wire.unfit import LIMIT, Unfit

__all__ = ["Document", "Media", "parse", "render"]

Media = Literal["xml", "json"]

_FORMS: dict[Media, ModuleType] = {"xml": markup, "json": notation}
_SHOWN = 200
_UNSPEAKABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_Kind = TypeVar("_Kind", bound=Document)


def render(document: Document, media: Media) -> bytes:
    """The document's bytes; raises Contradiction if readers would refuse it. What XML can't say becomes U+FFFD."""
    wrong = list(islice(faults(document, writing=True), 3))
    if document.root is None or wrong:
        raise Contradiction(f"A {type(document).__name__} can't be written: {'; '.join(wrong) or 'it has no root'}")
    text: str = _FORMS[media].write(document)
    return _UNSPEAKABLE.sub("\ufffd", text).encode()


def parse(kind: type[_Kind], body: bytes, media: Media) -> _Kind:
    """The document in a body of at most LIMIT bytes, in any order and with any prefix; raises Malformed."""
    try:
        found: _Kind = _FORMS[media].read(kind, _text(body))
        wrong = next(faults(found, writing=False), None)
    except (ValueError, SyntaxError) as error:
        raise _malformed(kind, str(error)) from error
    if wrong:
        raise _malformed(kind, wrong)
    return found


def _text(body: bytes) -> str:
    if len(body) > LIMIT:
        raise Unfit(f"more than {LIMIT} bytes")
    return body.decode("utf-8-sig")


def _malformed(kind: type[Document], why: str) -> Malformed:
    why = " ".join(_UNSPEAKABLE.sub("\ufffd", why)[:_SHOWN].split())
    return Malformed(f"The body can't be read as {kind.root}: {why}", "Send it as its schema shows it")
