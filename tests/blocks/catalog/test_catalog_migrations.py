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
from blocks.model import Appliance, Record, Search, canonical
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

_FOREIGN = """
INSERT INTO tickets (id, "user", appliance, policy, rebuild, state, percent, stage, message, error, attempt, created,
    parameters, token, recipe)
VALUES (:id, 'bob', :appliance, 'refresh', false, 'requested', 0, '', '', '', 0, 1600000000, 'p', 't', :recipe)
"""
_BARE = """
INSERT INTO appliances (id, "user", name, version, document) VALUES (2, 'alice', 'bare', '2.0', :document)
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


@pytest.fixture
def fourth(first: str) -> str:
    """The same migrated to the fourth schema, with an image that bob had made of alice's appliance and one of none."""
    raw = RECIPE.model_copy(update={"format": "raw", "compress": False, "name": "other", "revision": 3})
    recipe, bare = (canonical(each.document()).decode() for each in (raw, Appliance(name="bare", revision=4)))
    database = Database(first)
    with database.writing() as connection:
        _migrate(connection, "0004")
        connection.execute(text(_USER.replace("alice", "bob")))
        connection.execute(text(_BARE), {"document": bare})
        for number, appliance in ((6, 1), (7, 99)):
            connection.execute(text(_FOREIGN), {"id": number, "appliance": appliance, "recipe": recipe})
    database.close()
    return first


def test_images_of_the_fourth_schema_are_shown(fourth: str) -> None:
    """Each is its appliance's owner's, with its file if the store has it, and can be found by what its recipe says."""
    with Catalog.prepare(fourth) as catalog:
        rows = catalog.images.list("alice").rows
        assert [row.ticket.id for row in rows] == [1, 2, 3, 4, 5, 6]
        sizes = [row.file and (row.file.name, row.file.size) for row in rows]
        kept = ("server.qcow2", 1000)
        assert sizes == [kept, kept, ("server.qcow2", 20), kept, None, None]
        assert [catalog.tickets.has_file(row.ticket.id) for row in rows] == [True] * 4 + [False] * 2
        assert len({row.download_key for row in rows}) == 6
        assert all(len(row.download_key) > 30 for row in rows)
        assert all(row.changed == (row.ticket.finished or row.ticket.created) for row in rows)
        assert [row.ticket.id for row in catalog.images.list("bob").rows] == [7]
        query = "targetFormat.name==RAW;compress==false;simulated==false;name==other;revision==3"
        assert [row.ticket.id for row in catalog.images.list("alice", search=Search(query=query)).rows] == [6]
        assert catalog.images.list("alice", search=Search(query="targetFormat.name==QCOW2;size==1000")).total == 3
        assert [success.size for success in catalog.generations.list("alice").rows] == [1000, 20]
        assert catalog.tickets.listed()[3].sha256 == "e" * 64


def test_appliances_of_the_fourth_schema_have_their_age(fourth: str) -> None:
    """That of the first image, or else of the owner; what is asked of them is there, also without an OS profile."""
    with Catalog.prepare(fourth) as catalog:
        found = catalog.appliances.search("alice", Search(query="archName=='';revision==4"))
        assert [(row.id, row.appliance.name) for row in found.rows] == [(2, "bare")]
        ages = [(row.created.timestamp(), row.changed.timestamp()) for row in catalog.appliances.list()]
        assert ages == [(1_600_000_000, 1_600_000_000), (1_700_000_000, 1_700_000_000)]


def test_deleted_images_are_there_again_in_the_fourth_schema(fourth: str) -> None:
    """Going back loses what is new only, and forward again everything has its place."""
    with Catalog.prepare(fourth) as catalog:
        catalog.tickets.delete(1, "not needed")
        config = upgrade._config()
        with catalog.database.writing() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, "0004")
            rows = connection.execute(text("SELECT ticket, file FROM records WHERE has_file ORDER BY ticket")).all()
        assert [(row.ticket, row.file[0]) for row in rows] == [(1, "f"), (2, "f"), (3, "e"), (4, "f")]
    with Catalog.prepare(fourth) as catalog:
        assert [row.ticket.id for row in catalog.images.list("alice").rows] == [1, 2, 3, 4, 5, 6]
        assert {each.kind: each.used for each in catalog.quotas.list("alice")}["diskusage"] == 1020
