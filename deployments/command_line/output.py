"""Where results and words go: results to standard output, as text or as one JSON document; all else to the error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter
from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

_WIDE = 240


@Parameter(name="*")
@dataclass(frozen=True)
class Output:
    """How a command tells its result."""

    json: Annotated[bool, Parameter(negative=())] = False
    """Print the result as one JSON document."""

    def show(self, document: object, *text: RenderableType) -> None:
        """Print the result: the document, or the text for a person."""
        if self.json:
            sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
            sys.stdout.flush()
            return
        console = _console(stderr=False)
        for each in text:
            console.print(each)


PLAIN = Output()


def tell(line: str) -> None:
    """Say something to whoever waits."""
    _console(stderr=True).print(line, soft_wrap=True)


def complain(what: str, hint: str = "") -> None:
    """Say what went wrong, and what to do next."""
    console = _console(stderr=True)
    console.print(Text(what, style="red"), soft_wrap=True)
    if hint:
        console.print(Text(hint, style="red"), soft_wrap=True)


@contextmanager
def waiting(line: str) -> Iterator[None]:
    """Say what takes a while, with a sign of life on a terminal."""
    console = _console(stderr=True)
    if not console.is_terminal:
        console.print(line, soft_wrap=True)
        yield
        return
    with console.status(line):
        yield


def table(*columns: str, rows: Iterable[Iterable[object]]) -> Table:
    """Rows under columns; None stays empty."""
    made = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        made.add_row(*map(_text, row))
    return made


def fields(**values: object) -> Table:
    """Names and values, one a line."""
    made = Table.grid(padding=(0, 2))
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in values.items():
        made.add_row(name.replace("_", " "), _text(value))
    return made


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _console(*, stderr: bool) -> Console:
    """A console that prints texts as they are; wide when nobody looks, so that nothing is cut."""
    console = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDE
    return console
