"""The connection test: whether catalog, store and builder can be used as they are set up."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from blocks.settings import Settings
from blocks.store.credentials import Credentials


def catalog(url: str) -> str:
    """Open the catalog and tell its schema; raises CatalogUnavailable, InvalidInput, NoProgram."""
    from blocks.catalog import Catalog  # noqa: PLC0415 - heavy
    from blocks.catalog.tables import REVISION  # noqa: PLC0415 - heavy

    with Catalog.open(url) as opened:
        return f"The catalog {opened.database.name} answers; its schema {REVISION} is current"


def store(url: str, keys: Credentials | None = None) -> str:
    """Write, list, read and remove something; raises StoreUnavailable, StoreRefused, MachineUnfit, InvalidInput."""
    from blocks.store import open_store  # noqa: PLC0415 - heavy

    open_store(url, keys).check()
    return f"The store {url.partition('?')[0]} can be listed, written, read and cleared"


def builder(home: Path) -> str:
    """Make a build's namespaces and reserve disk space below the home; raises NoSandbox, NoProgram, NoSpace."""
    from blocks.builder import Job, sandbox  # noqa: PLC0415 - heavy
    from blocks.builder.space import USUAL, Space  # noqa: PLC0415 - heavy

    sandbox.check(Job())
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with Space(home / "reservations").reserved(USUAL):
        free = shutil.disk_usage(home).free
    return f"This machine gives a sandbox to build in, and {free / 1e9:.0f} GB are free at {home}"


def checks(settings: Settings) -> dict[str, Callable[[], str]]:
    """The tests of the settings by `catalog`, `store`, `builder`: each returns a sentence or raises its error."""
    return {
        "catalog": lambda: catalog(settings.catalog()),
        "store": lambda: store(settings.store(), settings.store_keys()),
        "builder": lambda: builder(settings.home.absolute()),
    }
