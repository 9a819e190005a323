"""How a class becomes a document: its annotations are its elements, in the order of the schema.

A class states `db_id: Long | None = None`; the decorator makes the frozen dataclass with the words that xsdata needs
(the element `dbId`, in no namespace) and notes the class under its name and, if it stands on its own, its root element.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from types import UnionType
from typing import Annotated, Any, ClassVar, TypeVar, Union, dataclass_transform, get_args, get_origin, get_type_hints

from deployments.gateway.wire.grammar import Grammar
from deployments.gateway.wire.unfit import Unfit

NAMESPACE = "http://www.usharesoft.com/uforge"
_VERBATIM = frozenset({"native_from_distribution"})


class Document:
    """What all documents are: frozen values that can be written and read as XML and as JSON."""

    abstract: ClassVar[bool] = False
    root: ClassVar[str | None] = None


KINDS: dict[str, type[Document]] = {}
"""The documents by the names of their types in the schema."""

ROOTS: dict[str, type[Document]] = {}
"""The documents that stand on their own, by the names of their root elements."""

_Kind = TypeVar("_Kind", bound=type[Document])
_Document = TypeVar("_Document", bound=Document)


@dataclass(frozen=True)
class Element:
    """One element of a document: where it is kept, its name, what it holds, and whether it may be repeated."""

    attribute: str
    name: str
    kind: type
    many: bool
    grammar: Grammar | None


_ELEMENTS: dict[type, tuple[Element, ...]] = {}


@dataclass_transform(kw_only_default=True, frozen_default=True)
def document(root: str | None = None, *, abstract: bool = False) -> Callable[[_Kind], _Kind]:
    """Make the class a document; `root` names its root element, `abstract` that only its subclasses occur."""

    def make(kind: _Kind) -> _Kind:
        for name in inspect.get_annotations(kind):
            _describe(kind, name)
        made: Any = dataclass(frozen=True, kw_only=True)(kind)
        made.abstract, made.root = abstract, kind.root if family(kind) else root
        KINDS[kind.__name__] = made
        if root:
            ROOTS[root] = made
        name = kind.__name__ if family(kind) or not root else root
        made.Meta = type("Meta", (), {"name": name, "namespace": NAMESPACE})
        return kind

    return make


def family(kind: type[Document]) -> bool:
    """Whether the document is of an abstract type that stands on its own, so that each one says which it is."""
    return any(base.abstract and base.root for base in kind.__mro__ if issubclass(base, Document))


def standing(root: str, kind: type[_Document]) -> type[_Document]:
    """The kind of document that a root element tells, in the place of one of a kind; raises Unfit."""
    named = ROOTS.get(root)
    if named is None or named.root is None or named.root != kind.root:
        raise Unfit(f"{root[:80]!r} in the place of {kind.root!r}")
    return concrete(named.__name__, kind)


def concrete(name: str, kind: type[_Document]) -> type[_Document]:
    """The kind of document that the name of a type tells, if it is one of a kind; else that kind."""
    named = KINDS.get(name)
    return named if named is not None and issubclass(named, kind) else kind


def elements(kind: type) -> tuple[Element, ...]:
    """The elements of a document, in the order in which they are written."""
    if kind not in _ELEMENTS:
        _ELEMENTS[kind] = tuple(_elements(kind))
    return _ELEMENTS[kind]


def _elements(kind: type) -> Iterator[Element]:
    hints = get_type_hints(kind, include_extras=True)
    described: Any = kind
    for one in fields(described):
        yield _element(one.name, one.metadata["name"], hints[one.name])


def _element(attribute: str, name: str, hint: Any) -> Element:
    origin = get_origin(hint)
    inner = get_args(hint)[0] if origin in {Union, UnionType, tuple} else hint
    kind, grammar = get_args(inner)[:2] if get_origin(inner) is Annotated else (inner, None)
    return Element(attribute, name, kind, origin is tuple, grammar)


def _describe(kind: type, attribute: str) -> None:
    name = attribute if attribute in _VERBATIM else _camel(attribute)
    words = {"type": "Element", "name": name, "namespace": ""}
    setattr(kind, attribute, field(default=getattr(kind, attribute), metadata=words))


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word[0].upper() + word[1:] for word in others)
