"""A PostgreSQL server that is gone, refuses, comes back or holds things up: each is told, and it goes on after."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg import sql
from sqlalchemy import Engine, event, make_url, select, update

from blocks.catalog import Catalog, Lease
from blocks.catalog.database import Database
from blocks.catalog.tables import USERS
from blocks.errors import CatalogUnavailable
from tests.servers.postgresql import Postgresql

PASSWORD = "correct-horse"  # noqa: S105 - made up


@pytest.fixture
def url(postgresql: Postgresql, templates: dict[str, str]) -> Iterator[str]:
    """A prepared catalog on PostgreSQL."""
    with postgresql.database(templates["postgresql"]) as name:
        yield postgresql.url(name)


@pytest.fixture
def guarded(postgresql: Postgresql) -> Iterator[str]:
    """The URL, with its password, of an account that must give one and owns nothing."""
    postgresql.execute(sql.SQL("CREATE ROLE guarded LOGIN PASSWORD {}").format(sql.Literal(PASSWORD)))
    with postgresql.database() as name:
        yield postgresql.url(name, f"guarded:{PASSWORD}")
    postgresql.execute(sql.SQL("DROP ROLE guarded"))


def _refusal(url: str) -> CatalogUnavailable:
    with pytest.raises(CatalogUnavailable) as refusal:
        Catalog.prepare(url)
    assert PASSWORD not in str(refusal.value)
    assert refusal.value.hint
    return refusal.value


def test_a_server_that_is_down_is_told(catalog: Catalog, postgresql: Postgresql, url: str) -> None:
    """Both who knew it and who comes new learn where it should be; once it is back, both go on."""
    catalog.users.list()
    postgresql.stop()
    try:
        with pytest.raises(CatalogUnavailable, match="can't be used") as refusal:
            catalog.users.list()
        assert refusal.value.transient
        assert str(postgresql.port) in _refusal(url).what
    finally:
        postgresql.start()
    assert len(catalog.users.list()) == 2
    Catalog.open(url).close()


def test_a_server_that_was_restarted_goes_unnoticed(catalog: Catalog, postgresql: Postgresql) -> None:
    """Connections that the server dropped between two calls are replaced."""
    before = catalog.users.list()
    postgresql.stop()
    postgresql.start()
    assert catalog.users.list() == before
    catalog.users.set_active("bob", active=False)
    assert not catalog.users.get("bob").active


def test_a_restart_amid_a_transaction_undoes_it(catalog: Catalog, postgresql: Postgresql) -> None:
    """It is told, nothing of it stays, and the next call works."""
    with pytest.raises(CatalogUnavailable, match="can't be used"):
        _write_while_restarting(catalog, postgresql)
    assert catalog.users.get("alice").active


def _write_while_restarting(catalog: Catalog, postgresql: Postgresql) -> None:
    with catalog.database.writing() as connection:
        connection.execute(USERS.update().values(active=False))
        postgresql.stop()
        postgresql.start()
        connection.execute(select(USERS)).all()


def test_a_wrong_password_is_told(guarded: str) -> None:
    """Whose it is, and where to correct it; neither it nor the right one is shown."""
    wrong = make_url(guarded).set(password="wrong-horse").render_as_string(hide_password=False)  # noqa: S106
    refusal = _refusal(wrong)
    assert "guarded" in refusal.what
    assert "wrong-horse" not in str(refusal)
    assert "REFORGE_CATALOG_URL" in refusal.hint


def test_a_missing_database_is_told(postgresql: Postgresql) -> None:
    """By its name, with the advice to create it."""
    refusal = _refusal(postgresql.url("nowhere"))
    assert "nowhere" in refusal.what
    assert "Create the database" in refusal.hint


def test_an_option_that_is_none_is_told(url: str) -> None:
    """By its name; its value may be a secret that was put in the wrong place."""
    refusal = _refusal(f"{url}?pasword={PASSWORD}")
    assert "pasword" in refusal.what
    assert "REFORGE_CATALOG_URL" in refusal.hint


def test_an_account_without_rights_is_told(guarded: str) -> None:
    """It may connect and make no tables: the advice is to let it own the database."""
    assert "own the database" in _refusal(guarded).hint


def test_a_lock_is_not_awaited_for_ever(catalog: Catalog, url: str) -> None:
    """Who waits too long for a row that somebody holds is told; the URL may say how long that is."""
    hasty = Catalog.open(f"{url}?options=-c%20lock_timeout%3D50ms")
    with catalog.database.writing() as connection:
        connection.execute(select(USERS).with_for_update()).all()
        with pytest.raises(CatalogUnavailable, match="lock timeout") as refusal:
            hasty.users.set_active("bob", active=False)
    assert "Somebody holds" in refusal.value.hint
    hasty.users.set_active("bob", active=False)
    hasty.close()


@pytest.mark.parametrize("name", ["lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"])
def test_no_connection_waits_for_ever(url: str, name: str) -> None:
    """Every connection has its limits."""
    database = Database(url)
    with database.reading() as connection:
        assert connection.exec_driver_sql(f"SHOW {name}").scalar() in ("30s", "2min", "5s")
    database.close()


def test_a_process_that_stands_still_holds_nobody_up_for_long(catalog: Catalog, url: str) -> None:
    """What it has locked in its transaction is given to whoever waits for it, and it has changed nothing."""
    other = Catalog.open(url)

    def stand_still() -> None:
        with catalog.database.writing() as still:
            still.execute(update(USERS).values(active=True))
            other.users.set_active("bob", active=False)
            still.execute(update(USERS).values(active=True))

    with pytest.raises(CatalogUnavailable, match="idle-in-transaction"):
        stand_still()
    assert not other.users.get("bob").active
    other.close()


def test_no_write_is_a_pipeline(catalog: Catalog, lease: Lease) -> None:
    """In the middle of one a client that stands still would hold its locks without any limit."""
    several: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *rest: object) -> None:
        several.extend([statement] * (rest[-1] is True))

    blobs = {f"{number:064x}": number for number in range(2500)}
    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert catalog.blobs.take(lease.ticket, blobs, lease) == ()
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert several == []
    assert len(catalog.blobs.drop(lease.ticket)) == len(blobs)
