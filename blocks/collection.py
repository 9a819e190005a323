"""The collection: the block types that a Prefect server registers by itself, for this package names it."""

from blocks.builder.block import ReforgeBuilder
from blocks.catalog.block import ReforgeCatalog
from blocks.store.block import ReforgeStore

BLOCKS = (ReforgeCatalog, ReforgeStore, ReforgeBuilder)

__all__ = ["BLOCKS", "ReforgeBuilder", "ReforgeCatalog", "ReforgeStore"]
