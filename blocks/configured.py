"""The settings of a run: the environment's first, then those of the blocks that it names, then the embedded ones."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from blocks.settings import Settings

if TYPE_CHECKING:
    from blocks.store.credentials import Credentials

_AWS_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_PROFILE")


def configured(catalog: str | None = None, store: str | None = None, builder: str | None = None) -> Settings:
    """The settings by the names of a Reforge Catalog, Store and Builder block; without names Prefect isn't asked.

    A variable of the environment overrides the block's field. The keys of a store's block go with its URL: another URL
    of the environment, or keys in the AWS variables, leave them unused. Raises NotFound and InvalidInput as to the
    blocks, InvalidInput for the environment, PrefectUnavailable.
    """
    told = Settings.told()
    if not (catalog or store or builder):
        return told
    values, keys = _of_blocks(catalog, store, builder)
    kept = {field: value for field, value in values.items() if field not in told.model_fields_set}
    overridden = "store_url" not in kept or any(os.environ.get(name) for name in _AWS_KEYS)
    return Settings.model_validate(kept).with_store_keys(None if overridden else keys)


def _of_blocks(
    catalog: str | None, store: str | None, builder: str | None
) -> tuple[dict[str, object], Credentials | None]:
    """What the named blocks say: fields of Settings, and the keys to the store."""
    from blocks.collection import ReforgeBuilder, ReforgeCatalog, ReforgeStore  # noqa: PLC0415 - imports Prefect
    from blocks.saved import saved  # noqa: PLC0415 - imports Prefect

    values: dict[str, object] = {}
    keys: Credentials | None = None
    if catalog:
        values |= saved(ReforgeCatalog, catalog).settings()
    if builder:
        values |= saved(ReforgeBuilder, builder).settings()
    if store:
        block = saved(ReforgeStore, store)
        values |= block.settings()
        keys = block.keys()
    return values, keys
