"""Negotiation: XML unless JSON is asked for; a body is what Content-Type says."""

from __future__ import annotations

import pytest

from deployments.gateway.negotiation import asked, of_errors, sent
from deployments.gateway.refusals import Rejected


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, "xml"),
        ("", "xml"),
        ("*/*", "xml"),
        ("application/*", "xml"),
        ("application/xml", "xml"),
        ("application/json", "json"),
        ("Application/JSON; charset=utf-8", "json"),
        ("application/json, text/plain, */*", "json"),
        ("application/json, application/xml", "xml"),
        ("application/json;q=0.9, application/xml;q=0.8", "json"),
        ("application/xml;q=0, */*", "json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "xml"),
        ("application/json;q=nonsense, application/xml;q=0.1", "xml"),
    ],
)
def test_what_is_asked_for(accept: str | None, media: str) -> None:
    """The best q, then the narrower range, then XML."""
    assert asked(accept) == media


@pytest.mark.parametrize("accept", ["text/html", "application/xml;q=0", "image/png, text/*;q=0.5"])
def test_what_nobody_gives(accept: str) -> None:
    """Neither form is acceptable: 406, and that is told in XML."""
    with pytest.raises(Rejected) as refused:
        asked(accept)
    assert (refused.value.status, of_errors(accept)) == (406, "xml")


@pytest.mark.parametrize(
    ("content_type", "media"),
    [
        (None, "xml"),
        ("", "xml"),
        ("application/xml", "xml"),
        ("text/xml; charset=utf-8", "xml"),
        ("Application/JSON", "json"),
    ],
)
def test_what_is_sent(content_type: str | None, media: str) -> None:
    """A body without a type is XML."""
    assert sent(content_type) == media


def test_what_cant_be_read() -> None:
    """Any other type is refused."""
    with pytest.raises(Rejected) as refused:
        sent("application/x-www-form-urlencoded")
    assert refused.value.status == 415
