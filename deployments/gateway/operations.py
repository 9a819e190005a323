"""Operations: what each route is in UForge's words, from which the OpenAPI document is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Path
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.responses import Response


class _Numbers(IntegerConvertor):
    """Takes no more digits than a number has; Python refuses to read thousands of them."""

    regex = "[0-9]{1,18}"


register_url_convertor("number", _Numbers())
Number = Annotated[int, Path(ge=1, lt=2**53)]
APPLIANCE = "/users/{uid}/appliances/{aid:number}"
IMAGE = APPLIANCE + "/images/{itid:number}"

Query = Literal["page", "force", "img", "name", "downloadId", "id", "lastPkgUpdate"]


@dataclass(frozen=True)
class Operation:
    """`answer` and `body` are names of root elements; `answer` None is 204, `bytes` a file.

    `errors` are the statuses beside those that every operation may have; `open` needs no credentials.
    """

    name: str
    answer: str | None
    status: int
    body: str | None = None
    query: tuple[Query, ...] = ()
    errors: tuple[int, ...] = ()
    open: bool = False


OPERATIONS: dict[str, Operation] = {}
"""All of them, by name."""


def operation(
    name: str,
    answer: str | None,
    *query: Query,
    status: int | None = None,
    body: str | None = None,
    errors: tuple[int, ...] = (),
    anybody: bool = False,
) -> dict[str, Any]:
    """The arguments of a route."""
    code = status or (204 if answer is None else 200)
    OPERATIONS[name] = Operation(name, answer, code, body, query, errors, anybody)
    return {
        "operation_id": name,
        "response_class": Response,
        "response_model": None,
        "status_code": code,
    }
