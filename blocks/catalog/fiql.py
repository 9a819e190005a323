"""FIQL, in which lists are searched: a text becomes a tree of comparisons, which can be printed again.

    name=='web*';(created=ge=2026-01-02,status.complete==true)

`;` is and, `,` is or and binds less, `*` in a value stands for any text. In quotes of either kind a backslash takes
the meaning from the character after it.
"""

from __future__ import annotations

import functools
import operator
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from blocks.errors import InvalidInput

if TYPE_CHECKING:
    from lark import Lark, UnexpectedInput

Operator = Literal["==", "!=", "=lt=", "=le=", "=gt=", "=ge="]
OPERATORS: tuple[Operator, ...] = get_args(Operator)
COMPARE: Mapping[Operator, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        "==": operator.eq,
        "!=": operator.ne,
        "=lt=": operator.lt,
        "=le=": operator.le,
        "=gt=": operator.gt,
        "=ge=": operator.ge,
    }
)
"""What each operator compares two values by, or a column with one."""
LENGTH = 2000
COMPARISONS = 50
DEPTH = 10
_GRAMMAR = r"""
?some: every ("," every)*
?every: _single (";" _single)*
_single: comparison | "(" some ")"
comparison: SELECTOR OPERATOR (QUOTED | WORD)
SELECTOR: /[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*/
OPERATOR: "==" | "!=" | "=lt=" | "=le=" | "=gt=" | "=ge="
QUOTED: /'([^'\\]|\\.)*'/ | /"([^"\\]|\\.)*"/
WORD: /[^\s'"\\(),;!=<>~]+/
%ignore " "
"""
_WORDS = {
    "SELECTOR": "a selector",
    "OPERATOR": f"one of {' '.join(OPERATORS)}",
    "QUOTED": "a value",
    "WORD": "a value",
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": ",",
    "SEMICOLON": ";",
    "$END": "the end",
}


@dataclass(frozen=True)
class Comparison:
    """A selector compared with a value: the texts between its wildcards, one text if it has none."""

    selector: str
    operator: Operator
    pattern: tuple[str, ...]
    position: int = field(default=0, compare=False)

    depth = 0
    size = 1

    def __str__(self) -> str:
        value = "*".join(re.sub(r"([\\'*])", r"\\\1", part) for part in self.pattern)
        return f"{self.selector}{self.operator}'{value}'"


@dataclass(frozen=True)
class Every:
    """Several conditions, all of which must hold."""

    parts: tuple[Condition, ...]

    @functools.cached_property
    def depth(self) -> int:
        """How many of its kind are within each other."""
        return 1 + max(part.depth for part in self.parts)

    @functools.cached_property
    def size(self) -> int:
        """How many comparisons it has."""
        return sum(part.size for part in self.parts)

    def __str__(self) -> str:
        return ";".join(str(part) if isinstance(part, Comparison) else f"({part})" for part in self.parts)


@dataclass(frozen=True)
class Some(Every):
    """Several conditions, one of which must hold."""

    def __str__(self) -> str:
        return ",".join(f"({part})" if isinstance(part, Some) else str(part) for part in self.parts)


Condition: TypeAlias = Comparison | Every


def parse(text: str) -> Condition:
    """The condition that a text says; raises InvalidInput with the position and with what is allowed there."""
    from lark import UnexpectedInput  # noqa: PLC0415 - only who searches needs it

    if len(text) > LENGTH:
        raise _wrong(text, LENGTH, f"{LENGTH} characters are allowed")
    for position, character in enumerate(text):
        if unicodedata.category(character) in ("Cc", "Cs"):
            raise _wrong(text, position, "printable characters are allowed")
    try:
        found: Condition = _parser().parse(text)  # type: ignore[assignment] # what the builder makes of a tree
    except UnexpectedInput as error:
        raise _unexpected(text, error) from None
    if found.size > COMPARISONS:
        raise _wrong(text, 0, f"{COMPARISONS} comparisons are allowed")
    if found.depth > DEPTH:
        raise _wrong(text, 0, f"parentheses are allowed {DEPTH} deep")
    return found


def refused(text: str, comparison: Comparison, allowed: str) -> InvalidInput:
    """The error that tells what is allowed at a comparison."""
    return _wrong(text, comparison.position, allowed)


@functools.cache
def _parser() -> Lark:
    from lark import Lark, Token, Transformer  # noqa: PLC0415 - as above

    class Builder(Transformer[Token, Condition]):
        """Makes the conditions while the text is read."""

        def comparison(self, parts: list[Token]) -> Comparison:
            """A selector, an operator and a value."""
            selector, operator, value = parts
            known = next(each for each in OPERATORS if each == operator)
            return Comparison(str(selector), known, _pattern(value), selector.start_pos or 0)

        def every(self, parts: list[Condition]) -> Every:
            """What `;` joins."""
            return Every(tuple(parts))

        def some(self, parts: list[Condition]) -> Some:
            """What `,` joins."""
            return Some(tuple(parts))

    return Lark(_GRAMMAR, start="some", parser="lalr", transformer=Builder())


def _pattern(value: str) -> tuple[str, ...]:
    """What stands between the wildcards of a value."""
    if value[0] not in "'\"":
        return tuple(value.split("*"))
    parts = [""]
    for piece in re.findall(r"\\.|[^\\]", value[1:-1]):
        if piece == "*":
            parts.append("")
        else:
            parts[-1] += piece[-1]
    return tuple(parts)


def _unexpected(text: str, error: UnexpectedInput) -> InvalidInput:
    names = getattr(error, "accepts", None) or getattr(error, "expected", None) or getattr(error, "allowed", None) or ()
    at_end = getattr(getattr(error, "token", None), "type", "") == "$END"
    position = len(text) if at_end or error.pos_in_stream is None else error.pos_in_stream
    allowed = list(dict.fromkeys(word for name, word in _WORDS.items() if name in names))
    return _wrong(text, position, f"{' or '.join(allowed) or ', or ; or the end'} is allowed")


def _wrong(text: str, position: int, allowed: str) -> InvalidInput:
    there = text[position : position + 20]
    told = f"at {there!r}" if there else "at its end"
    return InvalidInput(
        f"The query is wrong at character {position + 1}, {told}: there {allowed}",
        "Write it like name=='web*';version=='1.0'",
    )
