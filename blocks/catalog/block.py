"""The catalog as a Prefect block: where it is, configured once by a person."""

from typing import ClassVar

from prefect.blocks.core import Block
from pydantic import ConfigDict, Field, SecretStr, field_validator

from blocks import health
from blocks.errors import InvalidInput


class ReforgeCatalog(Block):
    """The database that holds users, appliances, tickets and records."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)
    _block_type_name = "Reforge Catalog"
    _block_type_slug = "reforge-catalog"
    _block_schema_capabilities: ClassVar[list[str]] = ["check"]
    _description = (
        "The database in which Reforge keeps users, appliances, image tickets and records. "
        "Name it in a flow's parameter `catalog`. REFORGE_CATALOG_URL in the environment of the flow's process "
        "overrides it; without both the catalog is a SQLite file in the machine's home folder."
    )
    _code_example = """\
```python
import os

from blocks.collection import ReforgeCatalog

catalog = ReforgeCatalog(url=os.environ["CATALOG_URL"])  # postgresql+psycopg://reforge:password@db.internal/reforge
print(catalog.check())
catalog.save("main", overwrite=True)
```
"""

    url: SecretStr = Field(
        title="URL",
        description="The database as an SQLAlchemy URL: postgresql+psycopg://user:password@host/database, or "
        "sqlite:////folder/catalog.sqlite for one machine. Give Reforge a database of its own. Kept as a secret.",
    )

    @field_validator("url")
    @classmethod
    def _valid(cls, url: SecretStr) -> SecretStr:
        from blocks.catalog.database import Database  # noqa: PLC0415 - heavy

        database = Database(url.get_secret_value())
        database.close()
        if database.file is not None and not database.file.is_absolute():
            raise InvalidInput(
                f"The catalog's file {database.file} would be another one in each working folder",
                "Give its absolute path, with four slashes: sqlite:////folder/catalog.sqlite",
            )
        return url

    def check(self) -> str:
        """Open the catalog and tell its schema; raises CatalogUnavailable with what to do next."""
        return health.catalog(self.url.get_secret_value())

    def settings(self) -> dict[str, object]:
        """What it says, as fields of Settings."""
        return {"catalog_url": self.url}
