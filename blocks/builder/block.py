"""The builder as a Prefect block: what a machine may use for building, configured once by a person."""

from prefect.blocks.core import Block
from pydantic import Field

from blocks.builder import Job, sandbox


class ReforgeBuilder(Block):
    """How much disk space the caches of a building machine may take."""

    _block_type_name = "Reforge Builder"
    _block_type_slug = "reforge-builder"
    _description = "What Reforge may use of a machine that builds images."
    _code_example = """\
```python
from blocks.collection import ReforgeBuilder

ReforgeBuilder(cache_gigabytes=50, pool_gigabytes=20).save("main", overwrite=True)
```
"""

    cache_gigabytes: float = Field(
        default=20, gt=0, description="The most that finished stages may take, in GB; the least used go first."
    )
    pool_gigabytes: float = Field(
        default=10, gt=0, description="The most that package files may take, in GB; the least used go first."
    )

    def check(self) -> None:
        """Make the namespaces of a build on this machine; raises NoSandbox or NoProgram with what to do next."""
        sandbox.check(Job())

    def settings(self) -> dict[str, object]:
        """What it says, as fields of Settings."""
        return {"cache_gigabytes": self.cache_gigabytes, "pool_gigabytes": self.pool_gigabytes}
