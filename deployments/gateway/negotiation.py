"""Negotiation: which form a document is asked for and sent in. XML unless told, for clients say little of it."""

from __future__ import annotations

from collections.abc import Iterator

from deployments.gateway.refusals import Rejected
from deployments.gateway.wire.documents import Media

TYPES: dict[Media, str] = {"xml": "application/xml", "json": "application/json"}
"""Media types exactly as they are sent: published clients compare them as text."""

_SENT: dict[str, Media] = {"": "xml", "text/xml": "xml", **{name: media for media, name in TYPES.items()}}


def asked(accept: str | None) -> Media:
    """The form by the Accept header: the best q, then the narrower range, then XML; raises Rejected (406)."""
    found = _best(accept)
    if found is None:
        raise Rejected("Documents are given as application/xml or application/json", "Ask for one of them", status=406)
    return found


def of_errors(accept: str | None) -> Media:
    """Likewise for errors, which are told in any case."""
    return _best(accept) or "xml"


def sent(content_type: str | None) -> Media:
    """The form of a request's body; raises Rejected (415)."""
    name = (content_type or "").partition(";")[0].strip().lower()
    if name not in _SENT:
        raise Rejected("The body is neither application/xml nor application/json", "Send it as one of them", status=415)
    return _SENT[name]


def _best(accept: str | None) -> Media | None:
    ranges = list(_ranges(accept or "*/*"))
    ranked = [(*_rank(ranges, name), media == "xml", media) for media, name in TYPES.items()]
    quality, _, _, media = max(ranked)
    return media if quality > 0 else None


def _rank(ranges: list[tuple[str, float]], name: str) -> tuple[float, int]:
    """The q of the narrowest range that has the type, and how narrow it is."""
    narrowness = {"*/*": 0, "application/*": 1, name: 2}
    matching = [(narrowness[given], quality) for given, quality in ranges if given in narrowness]
    narrow, quality = max(matching, default=(0, 0.0))
    return quality, narrow


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    for entry in accept.split(","):
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        if name:
            yield name, _quality(parameters)


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0
