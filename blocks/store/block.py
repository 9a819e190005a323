"""The store as a Prefect block: where image files live, configured once by a person."""

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from blocks.store import Credentials, open_store


class ReforgeStore(Block):
    """The folder or the bucket that holds image files, package files, records and logs."""

    _block_type_name = "Reforge Store"
    _block_type_slug = "reforge-store"
    _description = "The object store in which Reforge keeps image files, package files, records and logs."
    _code_example = """\
```python
from pydantic import SecretStr

from blocks.collection import ReforgeStore

store = ReforgeStore(
    url="s3://images/reforge?endpoint=https://s3.internal:9000",
    access_key=SecretStr("…"),
    secret_key=SecretStr("…"),
)
store.check()
store.save("main", overwrite=True)
```
"""

    url: str = Field(
        title="URL",
        description="file:///folder or s3://bucket/prefix?endpoint=https://host:port; the bucket must be there.",
    )
    access_key: SecretStr | None = Field(
        default=None, description="The S3 access key; empty for what the environment of each machine says."
    )
    secret_key: SecretStr | None = Field(default=None, description="The S3 secret key that belongs to it.")
    session_token: SecretStr | None = Field(
        default=None, description="A session token, if the keys are temporary ones."
    )

    def check(self) -> None:
        """Reach the store, and write and remove something; raises StoreUnavailable, MachineUnfit, InvalidInput."""
        open_store(self.url, Credentials.of(self.access_key, self.secret_key, self.session_token)).check()

    def settings(self) -> dict[str, object]:
        """What it says, as fields of Settings."""
        keys = {"store_access_key": self.access_key, "store_secret_key": self.secret_key}
        return {"store_url": self.url, **keys, "store_session_token": self.session_token}
