"""What the OpenAPI document says of the documents is what is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped] # its stubs are another package

from deployments.gateway.wire.documents import parse, render
from deployments.gateway.wire.elements import KINDS, ROOTS, Document
from deployments.gateway.wire.examples import example
from deployments.gateway.wire.schemas import components, content
from tests.deployments.gateway.wire.making import PATIENT, STANDING, documents


def _validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": {"schemas": components()}})


def test_every_document_has_a_schema() -> None:
    """Each class has a schema of its name, and each root element is said in it."""
    schemas = components()
    assert schemas.keys() == KINDS.keys()
    assert {schema["xml"]["name"] for schema in schemas.values() if "xml" in schema} == {
        kind.root for kind in ROOTS.values()
    }


@pytest.mark.parametrize("kind", STANDING, ids=lambda kind: str(kind.__name__))
def test_examples(kind: type[Document]) -> None:
    """Each kind has an example that is written as XML and as JSON, read back, and of its schema."""
    shown = content(kind)
    written = shown["application/json"]["example"]
    _validator(shown["application/json"]["schema"]).validate(written)
    assert parse(kind, json.dumps(written).encode(), "json") == example(kind)
    assert parse(kind, shown["application/xml"]["example"].encode(), "xml") == example(kind)


@settings(PATIENT, max_examples=50)
@given(data=st.data())
def test_whatever_is_written_is_of_its_schema(data: st.DataObject) -> None:
    """Any document that can be written holds to the schema of its kind."""
    kind = data.draw(st.sampled_from(STANDING))
    written = json.loads(render(data.draw(documents(kind)), "json"))
    _validator(content(kind)["application/json"]["schema"]).validate(written)
