"""The three ports, opened together: the catalog, the store and the builder of one installation."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from blocks.builder import Builder
from blocks.catalog import Catalog
from blocks.cipher import Cipher
from blocks.once import made_once
from blocks.settings import Settings
from blocks.sharing import Sharing
from blocks.store import Store, open_store

_GIGABYTE = 10**9


@dataclass(frozen=True)
class Ports:
    """What a step works with. `home` is this machine's folder, `home_id` its name for other machines."""

    home: Path
    home_id: str
    catalog: Catalog
    store: Store
    builder: Builder
    sharing: Sharing

    @classmethod
    def open(cls, settings: Settings | None = None, *, prepare: bool = False) -> Self:
        """Open the ports as the settings say; with `prepare` the catalog is created or migrated first.

        Raises CatalogUnavailable, StoreUnavailable, InvalidInput.
        """
        settings = settings or Settings.told()
        home = settings.home.absolute()
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        store = open_store(settings.store(), settings.store_keys())
        url = settings.catalog()
        cipher = Cipher.of(home, settings)
        catalog = Catalog.prepare(url, cipher) if prepare else Catalog.open(url, cipher)
        limit = int(settings.shared_gigabytes * _GIGABYTE)
        sharing = Sharing(catalog, store, on=settings.shares(), limit=limit)
        builder = Builder(
            home,
            cache_limit=int(settings.cache_gigabytes * _GIGABYTE),
            pool_limit=int(settings.pool_gigabytes * _GIGABYTE),
            keeper=store,
            library=sharing,
        )
        return cls(home, made_once(home / "identity", uuid.uuid4().hex), catalog, store, builder, sharing)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.catalog.close()
