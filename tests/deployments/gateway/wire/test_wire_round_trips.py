"""What is written is read back the same, and no body whatever ends in another error than Malformed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks.errors import Malformed
from deployments.gateway.wire import Image, LocalizedMessage, ParameterItems, PublishImage, UForgeError
from deployments.gateway.wire.documents import Media, parse, render
from deployments.gateway.wire.elements import KINDS, Document
from tests.deployments.gateway.wire.making import CONCRETE, PATIENT, STANDING, documents, filled

_MEDIA: tuple[Media, ...] = ("xml", "json")
_SPITE = [
    b"<",
    b"</name>",
    b"&x;",
    b"&#xD800;",
    b"<![CDATA[",
    b"<!DOCTYPE a>",
    b"<?xml version='1.1' encoding='utf-7'?>",
    b' xsi:type="ns0:CredAccountAws"',
    b' xsi:type="nobody:Image"',
    b' xsi:nil="true"',
    b' xmlns=""',
    b"{",
    b"]",
    b"null",
    b"1e999",
    b'"@type":"CredAccountAws",',
    b'"\\ud800"',
]
_NAMES = ["status", "credAccount", "targetFormat", "installProfile", "users", "user", "created", "dbId", "uri", "name"]
_TYPES = ["", ' xsi:nil="true"', ' xsi:type="b"', *(f' xsi:type="ns0:{name}"' for name in sorted(KINDS))]
_KEYS = st.sampled_from(["@type", *_NAMES]) | st.text(max_size=3)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=6),
    max_leaves=30,
)


def _element(parts: tuple[str, str, str, str]) -> str:
    name, kind, content, following = parts
    return f"<{name}{kind}>{content}</{name}>{following}"


_ELEMENTS = st.recursive(
    st.text(max_size=4).map(lambda text: text.replace("<", "").replace("&", "")),
    lambda inner: st.tuples(st.sampled_from(_NAMES), st.sampled_from(_TYPES), inner, inner).map(_element),
    max_leaves=12,
)


def _family(kind: type[Document]) -> type[Document]:
    return next(base for base in STANDING if base.root == kind.root and issubclass(kind, base))


def _tolerated(kind: type[Document], body: bytes, media: Media) -> None:
    try:
        found = parse(kind, body, media)
    except Malformed as error:
        assert error.what.startswith("The body can't be read")  # noqa: PT017 - every other error fails the test
    else:
        assert isinstance(found, kind)


@settings(PATIENT, max_examples=100)
@given(data=st.data(), media=st.sampled_from(_MEDIA))
def test_round_trip(data: st.DataObject, media: Media) -> None:
    """Any document that can be written is read back equal."""
    written = data.draw(documents(data.draw(st.sampled_from(STANDING))))
    assert parse(_family(type(written)), render(written, media), media) == written


@pytest.mark.parametrize("media", _MEDIA)
@pytest.mark.parametrize("kind", CONCRETE, ids=lambda kind: str(kind.__name__))
def test_complete_round_trip(kind: type[Document], media: Media) -> None:
    """A document with every element is read back equal."""
    written = filled(kind)
    assert parse(_family(kind), render(written, media), media) == written


@pytest.mark.parametrize("media", _MEDIA)
def test_blank_among_several(media: Media) -> None:
    """A text that says nothing keeps its place among others."""
    written = LocalizedMessage(parameters=ParameterItems(parameter=("", "a", "")))
    error = UForgeError(localized_error_msg=written)
    assert parse(UForgeError, render(error, media), media) == error


@settings(PATIENT, max_examples=150)
@given(body=st.binary(max_size=200), media=st.sampled_from(_MEDIA), kind=st.sampled_from(STANDING))
def test_random_bytes(body: bytes, media: Media, kind: type[Document]) -> None:
    """Random bytes are malformed, and nothing else goes wrong."""
    _tolerated(kind, body, media)


@settings(PATIENT, max_examples=300)
@given(data=st.data(), media=st.sampled_from(_MEDIA), kind=st.sampled_from([Image, PublishImage]))
def test_mutated_documents(data: st.DataObject, media: Media, kind: type[Document]) -> None:
    """A document with parts cut out, doubled, moved or replaced is read or malformed."""
    body = render(filled(kind), media)
    for _ in range(data.draw(st.integers(1, 4))):
        start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(body))] * 2)))
        part = data.draw(st.one_of(st.binary(max_size=8), st.just(body[start:end] * 2), st.sampled_from(_SPITE)))
        end = min(end, start + data.draw(st.integers(0, 40)))
        body = body[:start] + part + body[end:]
    _tolerated(kind, body, media)


@settings(PATIENT, max_examples=200)
@given(value=_VALUES)
def test_any_json(value: Any) -> None:
    """Any value in the place of a document is read or malformed."""
    _tolerated(PublishImage, json.dumps({"publishImage": value}).encode(), "json")


@settings(PATIENT, max_examples=200)
@given(body=_ELEMENTS)
def test_any_elements(body: str) -> None:
    """Any elements within each other are read or malformed."""
    names = 'xmlns:ns0="http://www.usharesoft.com/uforge" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    _tolerated(PublishImage, f"<ns0:publishImage {names}>{body}</ns0:publishImage>".encode(errors="replace"), "xml")
