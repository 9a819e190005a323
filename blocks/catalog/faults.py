"""What a database says when it can't be used, told as what happened, where, and what to do next."""

from __future__ import annotations

import re

from sqlalchemy import URL
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, NotSupportedError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from blocks.errors import CatalogUnavailable

_MISTAKES = (IntegrityError, ProgrammingError, DataError, NotSupportedError)
_NO_RIGHT = "42501"
_LIMIT = 400
_HINTS = (
    (r"password|role \"[^\"]*\" does not exist|no pg_hba\.conf entry|authentication", "Correct the user and password"),
    (r"database \"[^\"]*\" does not exist", "Create the database and let this account own it, or name another"),
    (r"permission denied", "Let this account own the database: it makes and changes the catalog's tables"),
    (r"too many (?:clients|connections)|connection slots", "Raise the server's max_connections, or run fewer workers"),
    (r"(?:statement|lock|idle-in-transaction) timeout", "Somebody holds what is needed: try again, or see who it is"),
    (r"starting up|shutting down|terminating connection|closed the connection", "Try again once it runs"),
)
_WHERE = "in REFORGE_CATALOG_URL or the Reforge Catalog block"
_ANY = f"Check that its address {_WHERE} is right, that it is running and that this account may use it"


def mistaken(error: DBAPIError) -> bool:
    """Whether the statement is to blame rather than the database, or what this account may do there."""
    if not isinstance(error, _MISTAKES):
        return False
    state = getattr(error.orig, "sqlstate", "of SQLite")
    return not isinstance(error, ProgrammingError) or state not in (None, _NO_RIGHT)


def explained(url: URL, error: DBAPIError | PoolTimeoutError) -> CatalogUnavailable:
    """The error for whoever runs the database: never with a password."""
    said = " ".join(str(getattr(error, "orig", None) or error).split())[:_LIMIT]
    return CatalogUnavailable(f"The catalog {shown(url)} can't be used: {said}", _hint(said))


def shown(url: URL) -> str:
    """The URL as it may be shown: without its password and options."""
    return url.set(query={}).render_as_string(hide_password=True)


def _hint(said: str) -> str:
    for pattern, hint in _HINTS:
        if re.search(pattern, said):
            return f"{hint} {_WHERE}" if hint.startswith("Correct") else hint
    return _ANY
