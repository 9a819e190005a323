"""Where this installation keeps its state: one home folder, a catalog and a store, each overridable by environment."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_data_path
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """`REFORGE_HOME`, `REFORGE_CATALOG_URL` (SQLAlchemy), `REFORGE_STORE_URL` (`file:///…` or `s3://…`), and bounds.

    Without keys of its own a store on S3 takes the usual AWS variables.
    """

    model_config = SettingsConfigDict(env_prefix="REFORGE_", frozen=True)

    home: Path = Field(default_factory=lambda: user_data_path("reforge"))
    catalog_url: SecretStr | None = None
    store_url: str | None = None
    store_access_key: SecretStr | None = None
    store_secret_key: SecretStr | None = None
    store_session_token: SecretStr | None = None
    cache_gigabytes: float = Field(default=20, gt=0)
    pool_gigabytes: float = Field(default=10, gt=0)

    def catalog(self) -> str:
        """The catalog's SQLAlchemy URL; the embedded one is a SQLite file below the home."""
        if self.catalog_url is not None:
            return self.catalog_url.get_secret_value()
        return f"sqlite:///{self.home.absolute() / 'catalog.sqlite'}"

    def store(self) -> str:
        """The store's URL; the embedded one is a folder below the home."""
        return self.store_url or (self.home.absolute() / "store").as_uri()
