"""Migrations: what an earlier program wrote is there after them, and counts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from alembic import command
from sqlalchemy import Connection, text

from blocks.catalog import Catalog, Lease
from blocks.catalog.database import Database
from blocks.catalog.migrations import upgrade
from blocks.catalog.tables import REVISION
from blocks.model import Appliance, Record, canonical
from blocks.model.record import Outcome
from tests.blocks.catalog.conftest import RECIPE

_USER = """
INSERT INTO users (name, active, entitlements, created) VALUES ('alice', true, '["image_generate"]', 1700000000)
"""
_APPLIANCE = """
INSERT INTO appliances (id, "user", name, version, document) VALUES (1, 'alice', 'server', '1.0', :document)
"""
_TICKET = """
INSERT INTO tickets (id, "user", appliance, policy, rebuild, state, percent, stage, message, error, attempt, created,
    finished, parameters, token, recipe)
VALUES (:id, 'alice', 1, 'refresh', false, 'complete', 100, '', '', '', 1, 1700000000, 1700000100, 'p', 't', :recipe)
"""
_ATTEMPT = """
INSERT INTO attempts (ticket, number, home, in_process, begun, expires) VALUES (:id, 1, 'home', true, 0, 0)
"""
_RECORD = "INSERT INTO records (ticket, document, has_file) VALUES (:id, :document, :has_file)"
_BLOB = "INSERT INTO blobs (sha256, size, doomed) VALUES (:sha256, :size, false) ON CONFLICT DO NOTHING"
_REFERENCE = "INSERT INTO blob_references (ticket, sha256) VALUES (:id, :sha256)"


_RUNNING = """
INSERT INTO tickets (id, "user", appliance, policy, rebuild, state, percent, stage, message, error, attempt, flow_run,
    created, key, parameters, token, recipe)
VALUES (6, 'alice', 1, 'refresh', false, 'building', 40, 'disk', '', '', 1, 'run-6', 1700000000, 'key', 'p', 't',
    :recipe)
"""
_LEASED = """
INSERT INTO attempts (ticket, number, home, flow_run, in_process, begun, expires)
VALUES (6, 1, 'home', 'run-6', false, 0, 0)
"""


@pytest.fixture
def first(empty: str, make_record: Callable[..., Record]) -> str:
    """A catalog of the first schema: one user, one appliance, and five complete tickets of different kinds."""
    database = Database(empty)
    if database.file is not None:
        database.file.parent.mkdir()
    with database.writing() as connection:
        _migrate(connection, "0001")
        document = canonical(Appliance(name="server", version="1.0").document()).decode()
        connection.execute(text(_USER))
        connection.execute(text(_APPLIANCE), {"document": document})
        _add(connection, make_record(1), "rebuilt")
        _add(connection, make_record(2), "unchanged")
        _add(connection, make_record(3), "reused", content="e", size=20)
        _add(connection, make_record(4), "rebuilt", imported=True)
        _add(connection, make_record(5), "rebuilt", content="d", imported=True, has_file=False)
    database.close()
    return empty


def _migrate(connection: Connection, revision: str) -> None:
    config = upgrade._config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _add(
    connection: Connection,
    record: Record,
    outcome: Outcome,
    *,
    content: str = "f",
    size: int = 1000,
    imported: bool = False,
    has_file: bool = True,
) -> None:
    generation = record.generation
    assert generation.file is not None
    file = generation.file.model_copy(update={"sha256": content * 64, "size": size})
    kept = record.model_copy(update={"generation": generation.model_copy(update={"outcome": outcome, "file": file})})
    steps = {_TICKET: True, _ATTEMPT: not imported, _RECORD: True, _BLOB: has_file, _REFERENCE: has_file}
    values = {
        "id": record.ticket,
        "recipe": canonical(RECIPE.document()).decode(),
        "document": canonical(kept.document()).decode(),
        "has_file": has_file,
        "sha256": file.sha256,
        "size": size,
    }
    for step in (step for step, wanted in steps.items() if wanted):
        connection.execute(text(step), values)


def test_a_first_catalog_is_there_after_all_migrations(first: str) -> None:
    """Users, appliances, tickets and records are what they were, in the organisation that everybody begins in."""
    with Catalog.prepare(first) as catalog:
        alice = catalog.users.get("alice")
        assert (alice.organization, list(alice.roles)) == ("default", [])
        assert sorted(alice.entitlements) == ["image_generate"]
        assert catalog.users.authorise("alice", "image_generate", 1) == alice
        assert [ticket.id for ticket in catalog.tickets.list("alice")] == [1, 2, 3, 4, 5]
        assert all(catalog.tickets.record(number) for number in range(1, 6))
        assert (catalog.orders.get(1).plan, catalog.orders.get(1).user) == (None, "alice")
        assert catalog.appliances.get(1).appliance.name == "server"


def test_what_a_first_catalog_has_counts(first: str) -> None:
    """Its successes, not what was unchanged or imported; its stored files, each once."""
    with Catalog.prepare(first) as catalog:
        used = {each.kind: each.used for each in catalog.quotas.list("alice")}
    assert used == {"appliance": 1, "generation": 2, "diskusage": 1020}


def test_a_catalog_goes_back_and_forth(empty: str) -> None:
    """Each revision can be undone and done again."""
    with Catalog.prepare(empty) as catalog:
        before = [catalog.users.add("alice", ["image_generate"])]
        config = upgrade._config()
        with catalog.database.writing() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, "0001")
    with Catalog.prepare(empty) as catalog, catalog.database.reading() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == REVISION
        assert catalog.users.list() == before


def test_a_run_of_the_third_schema_goes_on(first: str) -> None:
    """What it was doing when the catalog was migrated is settled by the new rules, and what was complete stays so."""
    database = Database(first)
    with database.writing() as connection:
        _migrate(connection, "0003")
        connection.execute(text(_RUNNING), {"recipe": canonical(RECIPE.document()).decode()})
        connection.execute(text(_LEASED))
    database.close()
    with Catalog.prepare(first) as catalog:
        lease = Lease(ticket=6, number=1, home="home", flow_run="run-6", in_process=False)
        assert catalog.attempts.current(6) == lease
        assert (catalog.attempts.living("home")[-1], catalog.attempts.lost("home")) == (lease, [])
        assert catalog.orders.get(6).blocks == {}
        ticket = catalog.attempts.settle(6, lambda _lease: None, patience=0)
        assert (ticket.state, ticket.percent) == ("requested", 40)
        assert catalog.tickets.keyed("key") == 6
        again = catalog.attempts.begin(6, "home", "run-6", in_process=False, run_count=2)
        assert catalog.claims.take("a" * 64, again) is None
        assert [each.state for each in catalog.tickets.list()] == ["complete"] * 5 + ["planning"]
        assert catalog.blobs.drop(3) == ("e" * 64,)
