"""Where this installation keeps its state: one home folder, a catalog and a store, each overridable by environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from platformdirs import user_data_path
from pydantic import Field, PrivateAttr, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from blocks.errors import InvalidInput
from blocks.store.credentials import Credentials

Gigabytes = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""An amount of disk space in 10⁹ bytes."""


class Settings(BaseSettings):
    """`REFORGE_HOME`, `REFORGE_CATALOG_URL` (SQLAlchemy), `REFORGE_STORE_URL` (`file:///…` or `s3://…`), and bounds.

    An empty variable is as good as none. The keys to a store on S3 are no variable of ours: without those of a block
    (`with_store_keys`) the usual AWS variables and files hold.
    """

    model_config = SettingsConfigDict(
        env_prefix="REFORGE_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    home: Path = Field(default_factory=lambda: user_data_path("reforge"))
    catalog_url: SecretStr | None = None
    store_url: str | None = None
    cache_gigabytes: Gigabytes = 20
    pool_gigabytes: Gigabytes = 10
    share_stages: bool | None = None
    shared_gigabytes: Gigabytes = 50
    secret_key: SecretStr | None = None
    _store_keys: Credentials | None = PrivateAttr(default=None)

    @classmethod
    def told(cls) -> Self:
        """What the environment says; `model_fields_set` names the fields. Raises InvalidInput with the variables."""
        try:
            return cls()
        except ValidationError as error:
            wrong = "; ".join(f"REFORGE_{row['loc'][0]!s}".upper() + f": {row['msg']}" for row in error.errors())
            raise InvalidInput(
                f"The environment is not valid: {wrong}", "Correct or unset the named variables"
            ) from None

    def catalog(self) -> str:
        """The catalog's SQLAlchemy URL; the embedded one is a SQLite file below the home."""
        if self.catalog_url is not None:
            return self.catalog_url.get_secret_value()
        return f"sqlite:///{self.home.absolute() / 'catalog.sqlite'}"

    def store(self) -> str:
        """The store's URL; the embedded one is a folder below the home."""
        return self.store_url or (self.home.absolute() / "store").as_uri()

    def shares(self) -> bool:
        """Whether finished stages go into the store for other machines: unless told, if it is one of several's."""
        return self.store().startswith("s3:") if self.share_stages is None else self.share_stages

    def store_keys(self) -> Credentials | None:
        """The keys to the store that a block gave; None for what this machine's AWS variables and files say."""
        return self._store_keys

    def with_store_keys(self, keys: Credentials | None) -> Self:
        """The same settings with these keys to the store."""
        copy = self.model_copy()
        copy._store_keys = keys  # noqa: SLF001 - our own copy, not handed out yet
        return copy
