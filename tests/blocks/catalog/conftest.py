"""A prepared catalog for each test: on a SQLite file, and on PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from blocks.catalog import DEFAULT, Catalog, Lease, TicketRequest
from blocks.catalog.tables import METADATA, ORGANIZATIONS
from blocks.model import (
    Evidence,
    Generation,
    ImageFile,
    InstallProfile,
    Lock,
    Origin,
    OSProfile,
    Package,
    Recipe,
    Record,
    Ticket,
)
from tests.servers.postgresql import Postgresql

RECIPE = Recipe(
    name="server",
    version="1.0",
    revision=1,
    os_profile=OSProfile(suite="bookworm", packages=("openssh-server",)),
    install_profile=InstallProfile(),
)


@pytest.fixture(scope="session")
def templates(postgresql: Postgresql, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A prepared catalog on each kind of database, with the users alice and bob, to be copied."""
    file = tmp_path_factory.mktemp("template") / "catalog.sqlite"
    with postgresql.database() as database:
        for url in (f"sqlite:///{file}", postgresql.url(database)):
            with Catalog.prepare(url) as prepared:
                _people(prepared)
        yield {"sqlite": str(file), "postgresql": database}


@pytest.fixture(scope="session")
def shared(postgresql: Postgresql, templates: dict[str, str]) -> Iterator[Catalog]:
    """A catalog on PostgreSQL that is emptied for each test: much faster than a new database."""
    with postgresql.database(templates["postgresql"]) as name, Catalog.open(postgresql.url(name)) as catalog:
        yield catalog


def _people(catalog: Catalog) -> None:
    catalog.users.add("alice", ["image_generate", "appliance_create"])
    catalog.users.add("bob", ["image_generate"])


def _empty(catalog: Catalog) -> None:
    with catalog.database.writing() as connection:
        for table in reversed(METADATA.sorted_tables):
            if table is not ORGANIZATIONS:
                connection.execute(table.delete())
            if table.dialect_options["sqlite"]["autoincrement"]:
                connection.execute(text(f"ALTER SEQUENCE {table.name}_id_seq RESTART"))
        connection.execute(ORGANIZATIONS.delete().where(ORGANIZATIONS.c.name != DEFAULT))


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of database: every test that asks for one runs on both."""
    return str(request.param)


@pytest.fixture
def empty(kind: str, postgresql: Postgresql, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of its own."""
    if kind == "sqlite":
        yield f"sqlite:///{tmp_path}/home/catalog.sqlite"
        return
    with postgresql.database() as name:
        yield postgresql.url(name)


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest, templates: dict[str, str], tmp_path: Path) -> str:
    """The URL of a prepared catalog with the users alice and bob and nothing else."""
    if kind == "sqlite":
        shutil.copy(templates[kind], tmp_path / "catalog.sqlite")
        return f"sqlite:///{tmp_path}/catalog.sqlite"
    catalog: Catalog = request.getfixturevalue("shared")
    _empty(catalog)
    _people(catalog)
    return catalog.database.url.render_as_string(hide_password=False)


@pytest.fixture
def catalog(url: str) -> Iterator[Catalog]:
    """A prepared catalog with the users alice and bob."""
    with Catalog.open(url) as opened:
        yield opened


@pytest.fixture
def order() -> TicketRequest:
    """A first generation of appliance 7 for alice."""
    return TicketRequest(user="alice", appliance=7, policy="refresh", recipe=RECIPE)


@pytest.fixture
def ticket(catalog: Catalog, order: TicketRequest) -> Ticket:
    """A requested ticket."""
    return catalog.tickets.create(order)


@pytest.fixture
def lease(catalog: Catalog, ticket: Ticket) -> Lease:
    """The lease of the ticket's first attempt."""
    return catalog.attempts.begin(ticket.id, "home-1", "run-1", in_process=True)


@pytest.fixture
def lock() -> Lock:
    """A lock with one package."""
    origin = Origin(
        archive="Debian", suite="bookworm", component="main", filename="pool/main/d/dash/dash_0.5_amd64.deb"
    )
    package = Package(name="dash", version="0.5", architecture="amd64", size=10, sha256="d" * 64, origin=origin)
    return Lock(packages=(package,), index="a" * 64, tools=())


@pytest.fixture
def make_record(lock: Lock) -> Callable[..., Record]:
    """Makes the record of a ticket's attempt, with an image file."""

    def make(ticket: int, attempt: int = 1, parent: int | None = None, user: str = "alice") -> Record:
        file = ImageFile(name="server.qcow2", format="qcow2", compression="zstd", size=1000, sha256="f" * 64)
        created = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        evidence = Evidence(archives=())
        generation = Generation(
            recipe=RECIPE, lock=lock, evidence=evidence, policy="refresh", parent=parent, file=file, created=created
        )
        return Record(ticket=ticket, attempt=attempt, appliance=7, user=user, generation=generation)

    return make
