"""The catalog: what is known about users, appliances, tickets, blobs and stage outputs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import Self

from blocks.catalog import restoration, schema
from blocks.catalog.appliances import Appliances
from blocks.catalog.attempts import Attempts
from blocks.catalog.blobs import Blobs
from blocks.catalog.checkpoints import Checkpoints
from blocks.catalog.claims import Claims
from blocks.catalog.database import Database
from blocks.catalog.events import Events
from blocks.catalog.generations import Generations
from blocks.catalog.images import Images
from blocks.catalog.intents import Intents
from blocks.catalog.keys import ApiKeys
from blocks.catalog.logins import Logins
from blocks.catalog.orders import Orders
from blocks.catalog.organizations import Organizations
from blocks.catalog.outputs import Outputs
from blocks.catalog.quotas import Quotas
from blocks.catalog.receipts import Receipts
from blocks.catalog.tickets import Tickets
from blocks.catalog.users import Users
from blocks.cipher import Cipher


class Catalog:
    """One database, shared by processes and threads; close it, or use it as a context.

    `cipher` keeps the secrets in it that must be read again.
    """

    def __init__(self, database: Database, cipher: Cipher | None = None) -> None:
        self.database = database
        self.cipher = cipher or Cipher(None)
        self.organizations = Organizations(database)
        self.users = Users(database)
        self.quotas = Quotas(database)
        self.appliances = Appliances(database)
        self.tickets = Tickets(database)
        self.orders = Orders(database)
        self.attempts = Attempts(database)
        self.events = Events(database)
        self.receipts = Receipts(database)
        self.claims = Claims(database)
        self.blobs = Blobs(database)
        self.checkpoints = Checkpoints(database)
        self.outputs = Outputs(database)
        self.intents = Intents(database)
        self.images = Images(database)
        self.generations = Generations(database)
        self.keys = ApiKeys(database, self.cipher)
        self.logins = Logins(database)

    @classmethod
    def open(cls, url: str, cipher: Cipher | None = None) -> Self:
        """The catalog behind an SQLAlchemy URL; raises CatalogUnavailable if it isn't there, prepared and current."""
        return cls._after(schema.check, url, cipher)

    @classmethod
    def prepare(cls, url: str, cipher: Cipher | None = None) -> Self:
        """Likewise, after creating or migrating it when needed; quick when not; raises CatalogUnavailable."""
        return cls._after(schema.prepare, url, cipher)

    def leap(self, beyond: int = 0) -> None:
        """Give new tickets and appliances ids from 1000 above the greatest on; of tickets also above `beyond`."""
        with self.database.writing() as connection:
            restoration.leap(connection, beyond)

    def close(self) -> None:
        """Close its connections."""
        self.database.close()

    @classmethod
    def _after(cls, step: Callable[[Database], None], url: str, cipher: Cipher | None) -> Self:
        with contextlib.ExitStack() as unfinished:
            database = Database(url)
            unfinished.callback(database.close)
            step(database)
            unfinished.pop_all()
        return cls(database, cipher)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
