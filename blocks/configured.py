"""The settings of a run: the environment's first, then those of the blocks that it names, then the embedded ones."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from pydantic import ValidationError

from blocks.errors import InvalidInput, NotFound, PrefectUnavailable
from blocks.settings import Settings

if TYPE_CHECKING:
    from blocks.collection import ReforgeBuilder, ReforgeCatalog, ReforgeStore

    Configured = ReforgeCatalog | ReforgeStore | ReforgeBuilder

_CREDENTIALS = ("store_access_key", "store_secret_key", "store_session_token")


def configured(catalog: str | None = None, store: str | None = None, builder: str | None = None) -> Settings:
    """The settings by the names of a Reforge Catalog, Store and Builder block; without names Prefect isn't asked.

    A variable of the environment overrides the block's field, and the AWS variables override its keys. Raises NotFound
    for a name that no block of the kind has, InvalidInput for what it holds, PrefectUnavailable.
    """
    named = {kind: name for kind, name in _kinds(catalog, store, builder) if name}
    if not named:
        return Settings()
    values: dict[str, object] = {}
    for kind, name in named.items():
        values |= _load(kind, name).settings()
    hidden = _CREDENTIALS if "AWS_ACCESS_KEY_ID" in os.environ else ()
    kept = {key: value for key, value in values.items() if key not in hidden and not _in_environment(key)}
    return Settings.model_validate(kept)


def _kinds(catalog: str | None, store: str | None, builder: str | None) -> tuple[tuple[str, str | None], ...]:
    return (("ReforgeCatalog", catalog), ("ReforgeStore", store), ("ReforgeBuilder", builder))


def _in_environment(field: str) -> bool:
    return f"REFORGE_{field.upper()}" in os.environ


def _load(kind: str, name: str) -> Configured:
    import httpx  # noqa: PLC0415 - only if a block is named
    from prefect.exceptions import PrefectException  # noqa: PLC0415 - heavy, and only if a block is named

    from blocks import collection  # noqa: PLC0415 - imports Prefect

    block = next(each for each in collection.BLOCKS if each.__name__ == kind)
    try:
        return cast("Configured", block.load(name))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, row['loc']))}: {row['msg']}" for row in error.errors())
        raise InvalidInput(
            f"The block {block.get_block_type_slug()}/{name} isn't valid: {wrong}", "Correct it in Prefect's UI"
        ) from None
    except ValueError:  # Prefect's word for a name that isn't there
        raise NotFound(
            f"Prefect has no {block.get_block_type_name()} block named {name}{_others(block.get_block_type_slug())}",
            "Make it in Prefect's UI under Blocks, or correct the name",
        ) from None
    except (httpx.HTTPError, PrefectException) as error:
        raise PrefectUnavailable(
            f"The Prefect API doesn't give the block {name}: {error}", "See whether its server runs"
        ) from error


def _others(slug: str) -> str:
    from prefect.client.orchestration import get_client  # noqa: PLC0415 - heavy

    with get_client(sync_client=True) as client:
        found = client.read_block_documents_by_type(slug)
    return f" (there are: {', '.join(sorted(each.name or '' for each in found))})" if found else ""
