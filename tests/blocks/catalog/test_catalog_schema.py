"""The schema: prepared once, by whoever comes first, and refused where it isn't what the program knows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from blocks.catalog import Catalog
from blocks.catalog.database import Database
from blocks.catalog.migrations import upgrade
from blocks.catalog.tables import METADATA, REVISION
from blocks.errors import CatalogUnavailable


def test_prepare_makes_an_empty_database_usable(empty: str) -> None:
    """Preparing creates folder, file and every table."""
    with Catalog.prepare(empty) as catalog, catalog.database.reading() as connection:
        assert set(METADATA.tables) <= set(inspect(connection).get_table_names())


def test_a_new_file_is_its_owner_s_alone(tmp_path: Path) -> None:
    """Nobody else reads it or what SQLite lays beside it, however open its folder is."""
    with Catalog.prepare(f"sqlite:///{tmp_path / 'catalog.sqlite'}") as catalog:
        catalog.users.add("alice")
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("catalog.sqlite*")}
    assert {name for name, mode in modes.items() if mode != 0o600} <= {"catalog.sqlite.lock"}


def test_prepare_twice_keeps_what_is_there(empty: str) -> None:
    """Preparing again loses nothing, and the catalog can be opened."""
    with Catalog.prepare(empty) as first:
        first.users.add("alice")
    with Catalog.prepare(empty) as second:
        assert second.users.get("alice").active
    with Catalog.open(empty) as third:
        assert third.users.get("alice").active


def test_prepare_of_a_current_catalog_runs_no_migration(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the revision is current, Alembic is not asked."""
    Catalog.prepare(empty).close()
    monkeypatch.delattr(upgrade, "run")
    Catalog.prepare(empty).close()


def test_migrations_lead_to_the_tables(empty: str) -> None:
    """The revisions together make exactly the tables that the program uses."""
    with Catalog.prepare(empty) as catalog, catalog.database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"target_metadata": METADATA})
        assert compare_metadata(context, METADATA) == []


def test_the_program_knows_the_newest_revision() -> None:
    """The revision compared at every start is the last of the migrations."""
    assert upgrade.known()[0] == REVISION


def test_open_refuses_a_missing_file_and_makes_none(tmp_path: Path) -> None:
    """Opening what was never prepared is refused with a hint, and leaves no file behind."""
    with pytest.raises(CatalogUnavailable, match="not prepared") as refusal:
        Catalog.open(f"sqlite:///{tmp_path}/catalog.sqlite")
    assert refusal.value.hint
    assert list(tmp_path.iterdir()) == []


def test_open_refuses_an_empty_database(empty: str) -> None:
    """A database without our tables is refused."""
    database = Database(empty)
    if database.file is not None:
        database.file.parent.mkdir()
        database.file.touch()
    database.close()
    with pytest.raises(CatalogUnavailable, match="not prepared"):
        Catalog.open(empty)


@pytest.mark.parametrize("way", [Catalog.open, Catalog.prepare])
def test_a_newer_schema_is_refused(empty: str, way: Callable[[str], Catalog]) -> None:
    """A schema from a later program is neither used nor changed."""
    with Catalog.prepare(empty) as catalog, catalog.database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(CatalogUnavailable, match="schema 9999"):
        way(empty)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A file where the folder should be gives an error with what to do."""
    (tmp_path / "home").write_text("")
    with pytest.raises(CatalogUnavailable, match="can't be made") as refusal:
        Catalog.prepare(f"sqlite:///{tmp_path}/home/catalog.sqlite")
    assert refusal.value.hint
