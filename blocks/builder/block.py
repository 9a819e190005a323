"""The builder as a Prefect block: what a machine may use for building, configured once by a person."""

from typing import ClassVar

from prefect.blocks.core import Block
from pydantic import ConfigDict, Field

from blocks import health
from blocks.settings import Gigabytes, Settings


class ReforgeBuilder(Block):
    """How much disk space the caches of a building machine may take."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)
    _block_type_name = "Reforge Builder"
    _block_type_slug = "reforge-builder"
    _block_schema_capabilities: ClassVar[list[str]] = ["check"]
    _description = (
        "How much disk space Reforge may use for its caches on a machine that builds images. "
        "Name it in a flow's parameter `builder`. REFORGE_CACHE_GIGABYTES and REFORGE_POOL_GIGABYTES in the "
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

    def check(self) -> str:
        """Make a build's namespaces on this machine and reserve space; raises NoSandbox, NoProgram, NoSpace."""
        return health.builder(Settings.told().home.absolute())

    def settings(self) -> dict[str, object]:
        """What it says, as fields of Settings."""
        return {"cache_gigabytes": self.cache_gigabytes, "pool_gigabytes": self.pool_gigabytes}
