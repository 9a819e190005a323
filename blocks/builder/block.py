"""The builder as a Prefect block: what a machine may use for building, configured once by a person."""

from typing import ClassVar

from prefect.blocks.core import Block
from pydantic import ConfigDict, Field

from blocks import health
from blocks.settings import Gigabytes, Settings


class ReforgeBuilder(Block):
    """What the caches of a building machine may take, and whether it shares what it has made."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)
    _block_type_name = "Reforge Builder"
    _block_type_slug = "reforge-builder"
    _block_schema_capabilities: ClassVar[list[str]] = ["check"]
    _description = (
        "How much disk space Reforge may use for its caches on a machine that builds images, and whether its finished "
        "stages are kept in the store for other machines. Name it in a flow's parameter `builder`. "
        "REFORGE_CACHE_GIGABYTES, REFORGE_POOL_GIGABYTES, REFORGE_SHARE_STAGES and REFORGE_SHARED_GIGABYTES in the "
        "environment of the flow's process override it."
    )
    _code_example = """\
```python
from blocks.collection import ReforgeBuilder

builder = ReforgeBuilder(cache_gigabytes=50, pool_gigabytes=20)
print(builder.check())
builder.save("main", overwrite=True)
```
"""

    cache_gigabytes: Gigabytes = Field(
        default=20,
        title="Cache (GB)",
        description="The most that the kept outputs of finished stages may take, in GB; the least used go first.",
    )
    pool_gigabytes: Gigabytes = Field(
        default=10,
        title="Package pool (GB)",
        description="The most that package files may take, in GB; the least used go first.",
    )
    share_stages: bool | None = Field(
        default=None,
        title="Share stages",
        description="Keep finished stages in the store, so that other machines need not make them again. "
        "Empty: if the store is a bucket.",
    )
    shared_gigabytes: Gigabytes = Field(
        default=50,
        title="Shared stages (GB)",
        description="The most that finished stages may take in the store, in GB; housekeeping removes the least used.",
    )

    def check(self) -> str:
        """Make a build's namespaces on this machine and reserve space; raises NoSandbox, NoProgram, NoSpace."""
        return health.builder(Settings.told().home.absolute())

    def settings(self) -> dict[str, object]:
        """What it says, as fields of Settings."""
        return {
            "cache_gigabytes": self.cache_gigabytes,
            "pool_gigabytes": self.pool_gigabytes,
            "share_stages": self.share_stages,
            "shared_gigabytes": self.shared_gigabytes,
        }
