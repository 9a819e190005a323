"""What all words have in common: frozen, closed, one canonical form, errors that name the fields."""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from blocks import model
from blocks.errors import InvalidInput
from blocks.model import (
    TERMINAL,
    InstallProfile,
    OSProfile,
    Record,
    Services,
    StageResult,
    State,
    Words,
    canonical,
    digest,
)
from blocks.model.ticket import ORDER

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(PLAIN)
def test_canonical_is_json(data: Any) -> None:
    """Canonical bytes are JSON in UTF-8 and mean what was given, numbers as JavaScript has them."""
    assert json.loads(canonical(data), parse_int=float) == data


@given(st.dictionaries(st.text(), PLAIN, max_size=6), st.randoms())
def test_canonical_has_no_order(data: dict[str, Any], random: Any) -> None:
    """Equal data have equal bytes and one digest, whatever order they were written in."""
    items = list(data.items())
    random.shuffle(items)
    assert canonical(dict(items)) == canonical(data)
    assert digest(dict(items)) == hashlib.sha256(canonical(data)).hexdigest()


@given(PLAIN, PLAIN)
def test_digest_tells_apart(one: Any, other: Any) -> None:
    """Data with equal digests are equal."""
    assert (digest(one) == digest(other)) <= (one == other)


def test_words_are_frozen() -> None:
    """A value can't be changed once it is made."""
    with pytest.raises(ValidationError, match="frozen"):
        Services().enable = ("ssh.service",)  # type: ignore[misc]


def test_words_are_hashable(record: Record) -> None:
    """A value can be a member of a set."""
    assert {record, record.model_copy(deep=True)} == {record}


def test_unknown_field_is_refused() -> None:
    """A field that nobody knows is named in the error."""
    with pytest.raises(InvalidInput, match="colour"):
        OSProfile.parse({"suite": "bookworm", "colour": "red"})


def test_error_lists_every_field() -> None:
    """One error names all wrong fields with their places, and says where they stand."""
    data = {"hostname": "-", "users": [{"name": "Ada"}], "files": [{"path": "a", "content": "x"}]}
    with pytest.raises(InvalidInput) as caught:
        InstallProfile.parse(data, "server.yaml")
    assert caught.value.what.startswith("server.yaml is not valid: ")
    assert all(field in caught.value.what for field in ("hostname: ", "users.0.name: ", "files.0.path: "))
    assert caught.value.hint


def test_error_keeps_secrets() -> None:
    """A wrong value isn't repeated, for it may be a password."""
    with pytest.raises(InvalidInput) as caught:
        InstallProfile.parse({"users": [{"name": "ada", "password_hash": "hidden"}]})
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[]", b"null", '{"a": \ud800}'.encode(errors="surrogatepass")])
def test_parse_of_no_document(text: bytes) -> None:
    """Bytes that are no JSON document of the kind raise InvalidInput."""
    with pytest.raises(InvalidInput, match="Record is not valid"):
        Record.parse_json(text)


@given(st.binary(max_size=60))
def test_parse_of_any_bytes(data: bytes) -> None:
    """Whatever bytes are parsed, the outcome is a value or InvalidInput."""
    with contextlib.suppress(InvalidInput):
        assert isinstance(Services.parse_json(data), Services)


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), -1.0])
def test_numbers_without_canonical_form(seconds: float) -> None:
    """Numbers that JSON can't write are refused when the value is made, not when it is stored."""
    with pytest.raises(ValidationError):
        StageResult(name="disk", digest="0" * 64, sha256="0" * 64, size=1, seconds=seconds, reused=False)


def test_public_names() -> None:
    """All public names exist and stand in their order, and all words but the base have a sentence of their own."""
    assert model.__all__ == sorted(model.__all__, key=lambda name: (not name.isupper(), name))
    words = [value for name in model.__all__ if isinstance(value := getattr(model, name), type)]
    assert all(word.__doc__ and issubclass(word, Words) for word in words)


def test_states() -> None:
    """The states that work goes through end in complete; those and the two other ends are all."""
    assert ORDER[-1] == "complete"
    assert set(ORDER) | TERMINAL == set(get_args(State))
    assert set(ORDER) & TERMINAL == {"complete"}
