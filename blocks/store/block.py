"""The store as a Prefect block: where image files live, configured once by a person."""

from typing import ClassVar, Self

from prefect.blocks.core import Block
from pydantic import ConfigDict, Field, SecretStr, field_validator, model_validator

from blocks import health
from blocks.errors import InvalidInput
from blocks.store.address import check_address
from blocks.store.credentials import Credentials


class ReforgeStore(Block):
    """The folder or the bucket that holds image files, package files, records and logs."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)
    _block_type_name = "Reforge Store"
    _block_type_slug = "reforge-store"
    _block_schema_capabilities: ClassVar[list[str]] = ["check"]
    _description = (
        "The object store in which Reforge keeps image files, package files, records and logs. "
        "Name it in a flow's parameter `store`. REFORGE_STORE_URL in the environment of the flow's process overrides "
        "it; without both the store is a folder in the machine's home folder."
    )
    _code_example = """\
```python
import os

from blocks.collection import ReforgeStore

store = ReforgeStore(
    url="s3://images/reforge?endpoint=https://s3.internal:9000",
    access_key=os.environ["STORE_ACCESS_KEY"],
    secret_key=os.environ["STORE_SECRET_KEY"],
)
print(store.check())
store.save("main", overwrite=True)
```
"""

    url: str = Field(
        title="URL",
        description="s3://bucket/prefix?endpoint=https://host:port for a bucket that is there, with &region= and "
        "&ca=/path/of/certificates if needed; or file:///folder for one machine. Put no keys into it.",
    )
    access_key: SecretStr | None = Field(
        default=None,
        title="Access key",
        description="The S3 access key. Leave both keys empty to use the AWS variables of the machines that work.",
    )
    secret_key: SecretStr | None = Field(
        default=None, title="Secret key", description="The S3 secret key that belongs to the access key."
    )
    session_token: SecretStr | None = Field(
        default=None, title="Session token", description="The session token, if the keys are temporary ones."
    )

    @field_validator("url")
    @classmethod
    def _valid(cls, url: str) -> str:
        check_address(url)
        return url

    @field_validator("access_key", "secret_key", "session_token")
    @classmethod
    def _not_empty(cls, secret: SecretStr | None) -> SecretStr | None:
        return secret or None

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        keys = self.keys()
        if keys is None and self.session_token is not None:
            raise InvalidInput("The store has a session token without keys", "Give the keys that came with it")
        if keys is not None and not self.url.startswith("s3:"):
            raise InvalidInput("A store in a folder has no keys", "Leave them out, or give the URL of a bucket")
        return self

    def keys(self) -> Credentials | None:
        """The keys to a store on S3, None if it has none of its own."""
        return Credentials.of(self.access_key, self.secret_key, self.session_token)

    def check(self) -> str:
        """Write, list, read and remove something; raises StoreUnavailable, StoreRefused with what to do next."""
        return health.store(self.url, self.keys())

    def settings(self) -> dict[str, object]:
        """What it says, as fields of Settings; the keys come beside them."""
        return {"store_url": self.url}
