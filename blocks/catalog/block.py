"""The catalog as a Prefect block: where it is, configured once by a person."""

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from blocks.catalog import Catalog


class ReforgeCatalog(Block):
    """The database that holds users, appliances, tickets and records."""

    _block_type_name = "Reforge Catalog"
    _block_type_slug = "reforge-catalog"
    _description = "The database in which Reforge keeps users, appliances, image tickets and records."
    _code_example = """\
```python
from pydantic import SecretStr

from blocks.collection import ReforgeCatalog

catalog = ReforgeCatalog(url=SecretStr("postgresql+psycopg://reforge:password@db.internal/reforge"))
catalog.check()
catalog.save("main", overwrite=True)
```
"""

    url: SecretStr = Field(
        title="URL",
        description="An SQLAlchemy URL: postgresql+psycopg://user:password@host/database or sqlite:////folder/file. "
        "Give the database to Reforge alone.",
    )

    def check(self) -> None:
        """Open the catalog; raises CatalogUnavailable, InvalidInput with what to do next."""
        Catalog.open(self.url.get_secret_value()).close()

    def settings(self) -> dict[str, object]:
        """What it says, as fields of Settings."""
        return {"catalog_url": self.url}
