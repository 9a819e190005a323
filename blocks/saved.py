"""The blocks that people saved in Prefect: found by type and name and validated, or told why not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.settings import get_current_settings
from pydantic import ValidationError

from blocks.collection import BLOCKS, ReforgeBuilder, ReforgeCatalog, ReforgeStore
from blocks.errors import InvalidInput, NotFound, PrefectUnavailable, ReforgeError

Saved = TypeVar("Saved", ReforgeCatalog, ReforgeStore, ReforgeBuilder)
Kind = type[ReforgeCatalog] | type[ReforgeStore] | type[ReforgeBuilder]
_NAME = re.compile(r"[A-Za-z0-9-]+")


def saved(kind: type[Saved], name: str) -> Saved:
    """The block of that type, by its name or as `type/name`; works in flows, tasks and plain code.

    Raises NotFound with the names that there are, InvalidInput for a block of another type, for a name that can't be
    one, and for values that aren't valid (any more), PrefectUnavailable.
    """
    short = _short(kind, name)
    with _answering(kind, name) as client:
        try:
            document = client.read_block_document_by_name(short, kind.get_block_type_slug())
        except ObjectNotFound:
            raise _missing(client, kind, short) from None
    try:
        return kind.model_validate(document.data)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, row['loc']))}: {row['msg']}" for row in error.errors())
        raise _invalid(kind, short, wrong) from None
    except ReforgeError as error:
        raise _invalid(kind, short, str(error)) from None


def _short(kind: Kind, name: str) -> str:
    slug, _, short = name.rpartition("/")
    if slug not in {"", kind.get_block_type_slug()}:
        raise InvalidInput(
            f"{name!r} names a block of another type than {kind.get_block_type_name()}",
            f"Name a {kind.get_block_type_name()} block, by its name alone",
        )
    if not _NAME.fullmatch(short):
        raise InvalidInput(f"{name!r} can't be a block's name", "Names have letters, digits and hyphens")
    return short


@contextmanager
def _answering(kind: Kind, name: str) -> Iterator[SyncPrefectClient]:
    """A client of Prefect's API; what that doesn't answer becomes PrefectUnavailable."""
    try:
        with get_client(sync_client=True) as client:
            yield client
    except (httpx.HTTPError, PrefectException, RuntimeError, ValueError) as error:  # the last two: no server to ask
        where = httpx.URL(get_current_settings().api.url or "").copy_with(username=None, password=None)
        reason = (str(error) or type(error).__name__).partition("\n")[0]
        raise PrefectUnavailable(
            f"The {kind.get_block_type_name()} block {name!r} can't be read: "
            f"the Prefect API{f' at {where}' if str(where) else ''} doesn't give it ({reason})",
            "See that its server runs, that PREFECT_API_URL names it and that this process may use it; "
            "or name no block and set the REFORGE_ variables instead",
        ) from None  # an answer that is quoted in a traceback could hold secrets


def _missing(client: SyncPrefectClient, kind: Kind, name: str) -> ReforgeError:
    title = kind.get_block_type_name()
    there = _names(client, kind)
    known = f"there are: {', '.join(there)}" if there else "there is none of that type"
    for other in BLOCKS:
        if other is not kind and name in _names(client, other):
            return InvalidInput(
                f"The block {name!r} is a {other.get_block_type_name()}, not a {title} ({known})",
                f"Name a {title} block",
            )
    return NotFound(
        f"Prefect has no {title} block named {name!r} ({known})",
        f"Correct the name, or make the block: in Prefect's UI under Blocks, or by {kind.__name__}(…).save({name!r})",
    )


def _names(client: SyncPrefectClient, kind: Kind) -> tuple[str, ...]:
    try:
        found = client.read_block_documents_by_type(kind.get_block_type_slug(), include_secrets=False)
    except ObjectNotFound:
        return ()
    return tuple(sorted(each.name for each in found if each.name))


def _invalid(kind: Kind, name: str, wrong: str) -> InvalidInput:
    return InvalidInput(
        f"The {kind.get_block_type_name()} block {name!r} can't be used: {wrong}",
        "Correct it in Prefect's UI under Blocks, or save it anew",
    )
