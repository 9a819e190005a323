"""Documents as XML: a prefix on the root, none below; lenient when read, and nothing but elements and text is taken."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any, TypeVar
from xml.etree.ElementTree import Element as Node
from xml.parsers import expat

from xsdata.formats.dataclass.context import XmlContext
from xsdata.formats.dataclass.models.generics import DerivedElement
from xsdata.formats.dataclass.parsers import XmlParser
from xsdata.formats.dataclass.parsers.config import ParserConfig
from xsdata.formats.dataclass.parsers.handlers import XmlEventHandler
from xsdata.formats.dataclass.serializers import XmlSerializer
from xsdata.formats.dataclass.serializers.writers import XmlEventWriter

from deployments.gateway.wire.elements import NAMESPACE, Document, concrete, elements, family, standing
from deployments.gateway.wire.unfit import COUNT, DEPTH, Unfit

_DECLARED = re.compile(r"\s*(<\?xml\s[^>]*\?>)?")
_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'
_SEPARATOR = " "
_Kind = TypeVar("_Kind", bound=Document)

logging.getLogger("xsdata.logger").setLevel(logging.ERROR)  # else each element that is sent twice is a line of the log


class _Context(XmlContext):
    """Knows the concrete types of an abstract one by our own list, never by all classes of the process."""

    def find_subclass(self, clazz: type, qname: str) -> type | None:
        return concrete(qname.rpartition("}")[2], clazz)


class _Handler(XmlEventHandler):
    """Takes every element as one without namespace."""

    def process_context(self, context: Iterable[tuple[str, Any]], ns_map: dict[str | None, str]) -> Any:
        return super().process_context(_unqualified(context), ns_map)


def _made(kind: type, values: dict[str, Any]) -> Any:
    """A document without those values that were sent blank; a blank text is one, also among several."""
    text = {element.attribute: element.many for element in elements(kind) if element.kind is str}
    given = {name: value for name, value in values.items() if value != "" or name in text}
    several = {name: tuple(each or "" for each in value) for name, value in given.items() if text.get(name)}
    return kind(**given | several)


_CONTEXT = _Context()
_PARSER = ParserConfig(class_factory=_made, fail_on_unknown_properties=False, fail_on_converter_warnings=True)


def write(document: Document) -> str:
    """The XML of a document that was found fit."""
    written: Any = document
    if family(type(document)):
        written = DerivedElement(qname=f"{{{NAMESPACE}}}{document.root}", value=document)
    serializer = XmlSerializer(context=_CONTEXT, writer=XmlEventWriter)
    return serializer.render(written, ns_map={"ns0": NAMESPACE}).replace("\r", "&#13;")


def read(kind: type[_Kind], text: str) -> _Kind:
    """The document that the XML tells, its leaves not yet judged; raises ValueError."""
    body = _DECLARED.sub(_DECLARATION, text, count=1).encode()
    asked = standing(_root(body), kind)
    parser = XmlParser(context=_CONTEXT, config=_PARSER, handler=_Handler)
    found: Any = parser.parse(BytesIO(body), asked)
    return found.value if isinstance(found, DerivedElement) else found  # type: ignore[no-any-return] # of the kind or below


def _unqualified(events: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    for event, value in events:
        if isinstance(value, Node):
            value.tag = value.tag.rpartition("}")[2]
        yield event, value


def _root(body: bytes) -> str:
    """The local name of the root element; raises Unfit if the body is not well-formed, too deep or has definitions."""
    path: list[str] = []
    names: list[str] = []

    def start(name: str, _: dict[str, str]) -> None:
        path.append(name)
        names.append(name)
        if len(path) > DEPTH:
            raise Unfit(f"elements within each other more than {DEPTH} deep")
        if len(names) > COUNT:
            raise Unfit(f"more than {COUNT} elements")

    def definitions(*_: object) -> None:
        raise Unfit("a DOCTYPE, which is not taken")

    parser = expat.ParserCreate("utf-8", _SEPARATOR)
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: path.pop() and None
    parser.StartDoctypeDeclHandler = definitions
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise Unfit(f"no well-formed XML: {error}") from error
    return names[0].rpartition(_SEPARATOR)[2]
