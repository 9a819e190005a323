"""The documents against the binding of the published client: names, order, words, values."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.gateway.wire.documents import render
from deployments.gateway.wire.elements import KINDS, ROOTS, Document, elements
from deployments.gateway.wire.grammar import OneOf, Whole
from tests.contract.sdk import Sdk
from tests.deployments.gateway.wire.making import CONCRETE, PATIENT, documents, filled

_LEFT_OUT = {
    "Appliance": "applianceExports bootScripts confMgmtPlatforms mySoftwareList oasPackage projects",
    "CredAccountCert": "certificates",
    "Distribution": "company license",
    "InstallProfile": "nics",
    "Org": "company license",
    "PartitionTable": "btrfsStoragePools btrfsSubvolumes logicalGroups logicalVolumes",
    "PublishImage": "instances",
    "SoftwareBundle": "bundleRestriction license",
    "User": "address productAccess publishGalleries rankings tags vAppAccess",
    "UserProfile": "company",
}
"""What the gateway has nothing to say about."""

_BOUND = sorted(name for name in KINDS if not name.endswith("Items"))


def _names(kind: Any) -> set[str]:
    return {name.localName() for name in kind._ElementMap}


def _unsaid(kind: type[Document]) -> set[str]:
    return {name for base in kind.__mro__ for name in _LEFT_OUT.get(base.__name__, "").split()}


def _declared(sdk: Sdk, kind: type[Document], name: str) -> Any:
    bound = getattr(sdk.binding, kind.__name__)
    found = next(declared for known, declared in bound._ElementMap.items() if known.localName() == name)
    return found.elementBinding().typeDefinition()


def _same(read: Any, written: Document, path: str) -> None:
    for element in elements(type(written)):
        ours, theirs = getattr(written, element.attribute), getattr(read, element.name)
        where = f"{path}.{element.name}"
        if not element.many:
            _same_value(theirs, ours, where)
            continue
        assert len(theirs) == len(ours), where
        for one, other in zip(theirs, ours, strict=True):
            _same_value(one, other, where)


def _same_value(theirs: Any, ours: object, where: str) -> None:
    if isinstance(ours, Document):
        _same(theirs, ours, where)
    elif isinstance(ours, str) and type(theirs).__name__ == "anyURI":  # of which the schema collapses blanks
        assert theirs == " ".join(re.findall(r"[^ \t\r\n]+", ours)), where
    elif isinstance(ours, datetime) or ours is None or isinstance(ours, bool | int | str):
        assert theirs == ours, where
    else:
        assert float(theirs) == pytest.approx(ours), where


@pytest.mark.parametrize("name", _BOUND)
def test_same_names(sdk: Sdk, name: str) -> None:
    """Each document has the elements that the schema has, less those that are left out on purpose."""
    ours = {element.name for element in elements(KINDS[name])}
    assert ours == _names(getattr(sdk.binding, name)) - _unsaid(KINDS[name])


def test_same_roots(sdk: Sdk) -> None:
    """Each root element is of the same type in the schema."""
    for root, kind in ROOTS.items():
        bound = sdk.binding.Namespace.categoryMap("elementBinding")[root].typeDefinition()
        assert bound is getattr(sdk.binding, kind.__name__)
        assert bool(bound._Abstract) == kind.abstract


@pytest.mark.parametrize("name", _BOUND)
def test_same_words(sdk: Sdk, name: str) -> None:
    """Each enumeration has the words of the schema, and only enumerations have."""
    for element in elements(KINDS[name]):
        if not issubclass(element.kind, Document):
            facet = getattr(_declared(sdk, KINDS[name], element.name), "_CF_enumeration", None)
            words = set(element.grammar.words) if isinstance(element.grammar, OneOf) else set()
            assert words == ({str(word) for word in facet.values()} if facet else set()), element.name


@pytest.mark.parametrize("name", _BOUND)
def test_same_types(sdk: Sdk, name: str) -> None:
    """Each leaf is of the schema's type, each number of its width."""
    types = {bool: {"boolean"}, str: {"string", "anyURI"}, datetime: {"dateTime"}, float: {"float"}}
    for element in elements(KINDS[name]):
        if issubclass(element.kind, Document) or isinstance(element.grammar, OneOf):
            continue
        wide = isinstance(element.grammar, Whole) and element.grammar.high > 2**31
        expected = types.get(element.kind, {"long"} if wide else {"int"})
        assert _declared(sdk, KINDS[name], element.name).__name__ in expected, element.name


@pytest.mark.parametrize("kind", CONCRETE, ids=lambda kind: str(kind.__name__))
def test_complete_documents_are_read(sdk: Sdk, kind: type[Document]) -> None:
    """A document with every element, in our order, is taken by the client's parser, which refuses any other order."""
    written = filled(kind)
    read = sdk.binding.CreateFromDocument(render(written, "xml"))
    assert type(read).__name__ == kind.__name__
    _same(read, written, kind.__name__)


@pytest.mark.parametrize("kind", CONCRETE, ids=lambda kind: str(kind.__name__))
def test_nothing_is_required(sdk: Sdk, kind: type[Document]) -> None:
    """A document of which nothing is known is taken as well."""
    assert type(sdk.binding.CreateFromDocument(render(kind(), "xml"))).__name__ == kind.__name__


@pytest.mark.parametrize("root", ["images", "statuses", "publishImages", "targetFormats", "appliances", "quotas"])
def test_empty_lists_have_their_wrapper(sdk: Sdk, root: str) -> None:
    """A list without items still has the element that clients look for items in."""
    maker: Any = ROOTS[root]
    read = sdk.binding.CreateFromDocument(render(maker(total=0), "xml"))
    assert len(getattr(read, root).orderedContent()) == 0


@settings(PATIENT, max_examples=40)
@given(data=st.data())
def test_any_document_is_read(sdk: Sdk, data: st.DataObject) -> None:
    """Whatever document we can write, the client reads the same values from it."""
    kind = data.draw(st.sampled_from(CONCRETE))
    written = data.draw(documents(kind))
    _same(sdk.binding.CreateFromDocument(render(written, "xml")), written, kind.__name__)
