"""A catalog that was lost comes back from the store alone, on a folder and on a real S3 server."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from blocks.builder import STAGES
from blocks.catalog import Catalog, TicketRequest
from blocks.deed import Done
from blocks.errors import Refused
from blocks.model import (
    Appliance,
    Evidence,
    Generation,
    ImageFile,
    Lock,
    Origin,
    OSProfile,
    Package,
    Recipe,
    Record,
    StageResult,
    Ticket,
)
from blocks.ports import Ports
from blocks.rebuilding import rebuild
from blocks.settings import Settings
from tests.servers.rclone import CREDENTIALS, Rclone, rclone

on_both = pytest.mark.parametrize("kind", ["folder", "s3"])
_INDEX = b"the stanzas"
_PACKAGE = b"a package file"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rclone]:
    """An S3 server on a folder."""
    with rclone(tmp_path_factory.mktemp("s3") / "buckets") as running:
        yield running


@pytest.fixture
def kind() -> str:
    """The kind of store, unless a test runs on both."""
    return "folder"


@pytest.fixture
def settings(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """A home of its own, with its store in a folder or in a bucket."""
    if kind == "folder":
        return Settings(home=tmp_path / "home", store_url=(tmp_path / "store").as_uri())
    made: Rclone = request.getfixturevalue("server")
    url = made.bucket(hashlib.sha256(str(tmp_path).encode()).hexdigest()[:20])
    return Settings(home=tmp_path / "home", store_url=url).with_store_keys(CREDENTIALS)


@pytest.fixture
def root(settings: Settings, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The folder in which the store, or its server, keeps everything."""
    url = settings.store()
    if url.startswith("file:"):
        return tmp_path / "store"
    made: Rclone = request.getfixturevalue("server")
    return made.folder / url.split("/")[2] / "images"


@pytest.fixture
def ports(settings: Settings) -> Iterator[Ports]:
    """The installation before its loss: an appliance of alice, and bob who may have images made of it."""
    with Ports.open(settings, prepare=True) as opened:
        opened.catalog.users.add("alice", roles=["developer"], password=SecretStr("secret"))
        opened.catalog.users.add("bob", roles=["administrator"])
        opened.catalog.appliances.add("alice", _appliance())
        opened.store.put(_INDEX)
        opened.store.put(_PACKAGE)
        yield opened


@pytest.fixture
def empty(settings: Settings, ports: Ports, tmp_path: Path) -> Iterator[Ports]:
    """The same store with a new catalog."""
    assert ports
    url = f"sqlite:///{tmp_path / 'new.sqlite'}"
    fresh = settings.model_copy(update={"catalog_url": SecretStr(url)}).with_store_keys(settings.store_keys())
    with Ports.open(fresh, prepare=True) as opened:
        yield opened


@on_both
def test_everything_comes_back(ports: Ports, empty: Ports) -> None:
    """Every image with number, user, appliance, parent, policy, record and file; its lineage has the same head."""
    first = _image(ports, b"one")
    second = _image(ports, b"two", parent=first.id)
    third = _image(ports, b"two", parent=second.id, user="bob", built=False)
    rebuild(empty, lambda _: None)
    for ticket in (first, second, third):
        found = empty.catalog.tickets.get(ticket.id)
        assert _lasting(found) == _lasting(ticket)
        assert empty.catalog.tickets.record(ticket.id) == ports.catalog.tickets.record(ticket.id)
        assert empty.catalog.tickets.recipe(ticket.id) == ports.catalog.tickets.recipe(ticket.id)
        assert empty.catalog.tickets.has_file(ticket.id)
    heads = [each.catalog.tickets.head(first.id, "bob").id for each in (ports, empty)]
    assert heads == [third.id, third.id]
    appliance = empty.catalog.appliances.get(first.appliance)
    assert (appliance.user, appliance.appliance) == ("alice", _appliance())


def test_nobody_may_do_anything_yet(ports: Ports, empty: Ports) -> None:
    """Users come back inactive, without password and rights."""
    _image(ports, b"one")
    rebuild(empty, lambda _: None)
    (alice,) = empty.catalog.users.list()
    assert (alice.name, alice.active, alice.has_password, alice.entitlements) == ("alice", False, False, frozenset())


def test_the_books_know_what_images_need(ports: Ports, empty: Ports) -> None:
    """What two images share stays when one gives it up, and each stage's first bytes own its digest again."""
    first, second = _image(ports, b"one"), _image(ports, b"two")
    rebuild(empty, lambda _: None)
    assert empty.catalog.blobs.drop(first.id) == (_sha256(b"one"),)
    assert set(empty.catalog.blobs.drop(second.id)) == {_sha256(b"two"), _sha256(_INDEX), _sha256(_PACKAGE)}
    record = ports.catalog.tickets.record(second.id)
    assert record is not None
    for stage in record.generation.stages:
        owner = empty.catalog.outputs.get(stage.digest)
        assert owner is not None
        assert (owner.sha256, owner.seconds, owner.ticket) == (stage.sha256, stage.seconds, second.id)


def test_new_numbers_begin_well_above(ports: Ports, empty: Ports) -> None:
    """Also above those of tickets of which only the logs are left."""
    first = _image(ports, b"one")
    ports.store.put_log(5000, 1, "rootfs", ["it failed"])
    rebuild(empty, lambda _: None)
    empty.catalog.users.change("alice", active=True, roles=["developer"])
    assert _image(empty, b"new").id >= 6000 > first.id
    assert empty.catalog.appliances.add("alice", _appliance("other")) >= 1000


@on_both
def test_what_cannot_come_back_is_told(ports: Ports, empty: Ports, root: Path) -> None:
    """A damaged record is left out; one whose file is damaged or missing comes without it; each with the reason."""
    whole, damaged, missing = (_image(ports, content) for content in (b"whole", b"damaged", b"missing"))
    broken = _image(ports, b"broken")
    ports.store.remove(_sha256(b"missing"))
    (root / "blobs/sha256" / _sha256(b"damaged")[:2] / _sha256(b"damaged")).write_bytes(b"dAmaged")
    (root / f"records/{broken.id}/1.json").write_bytes(b"{")
    told = rebuild(empty, lambda _: None)
    assert [ticket.id for ticket in empty.catalog.tickets.list()] == [whole.id, damaged.id, missing.id]
    files = [empty.catalog.tickets.has_file(ticket.id) for ticket in (whole, damaged, missing)]
    assert files == [True, False, False]
    assert _sha256(b"damaged") not in empty.catalog.blobs.drop(damaged.id)
    assert "are whole" in _why(told, f"image {whole.id} ")
    assert "sha256" in _why(told, f"image {damaged.id} ")
    assert "has no" in _why(told, f"image {missing.id} ")
    assert "not valid" in _why(told, f"left out: the record records/{broken.id}/1.json")


def test_a_simulated_one_comes_back_as_such(ports: Ports, empty: Ports) -> None:
    """Nothing is missing of it, and it counts for nothing."""
    made = ports.catalog.tickets.record(_image(ports, b"one").id)
    assert made is not None
    recipe = made.generation.recipe.model_copy(update={"simulated": True})
    nothing = {"recipe": recipe, "stages": (), "file": None, "outcome": "simulated"}
    record = made.model_copy(update={"ticket": 7, "generation": made.generation.model_copy(update=nothing)})
    ports.store.put_record(record)
    told = rebuild(empty, lambda _: None)
    assert _why(told, "image 7 of alice, appliance 1, simulated") == "its record is whole"
    assert empty.catalog.tickets.record(7) == record
    (quota,) = [each for each in empty.catalog.quotas.list("alice") if each.kind == "generation"]
    assert quota.used == 1


def test_of_two_appliances_with_one_name_the_newer_stays(ports: Ports, empty: Ports) -> None:
    """The other one had been deleted; its images come back all the same."""
    old = _image(ports, b"one")
    ports.catalog.appliances.delete(old.appliance)
    new = ports.catalog.appliances.add("alice", _appliance())
    _image(ports, b"two", appliance=new)
    told = rebuild(empty, lambda _: None)
    assert [each.id for each in empty.catalog.appliances.list()] == [new]
    assert empty.catalog.tickets.get(old.id).appliance == old.appliance
    assert f"appliance {new}" in _why(told, f"left out: appliance {old.appliance} ")


def test_a_catalog_that_is_in_use_is_refused(ports: Ports) -> None:
    """Nothing is changed by it."""
    first = _image(ports, b"one")
    before = (ports.catalog.tickets.list(), ports.catalog.users.list(), ports.catalog.appliances.list())
    with pytest.raises(Refused, match="1 tickets, 1 appliances, 2 users"):
        rebuild(ports, lambda _: None)
    assert (ports.catalog.tickets.list(), ports.catalog.users.list(), ports.catalog.appliances.list()) == before
    assert _image(ports, b"two").id == first.id + 1


def test_a_dry_run_only_tells(ports: Ports, empty: Ports) -> None:
    """The same words, and the catalog stays empty."""
    _image(ports, b"one")
    dry = rebuild(empty, lambda _: None, dry=True)
    assert _state(empty.catalog) == ([], [], [])
    assert not any(row.done for row in dry)
    assert [(row.what, row.why) for row in rebuild(empty, lambda _: None)] == [(row.what, row.why) for row in dry]


def _appliance(name: str = "server") -> Appliance:
    return Appliance(name=name, os_profile=OSProfile(suite="bookworm"))


def _image(
    ports: Ports,
    content: bytes,
    *,
    parent: int | None = None,
    user: str = "alice",
    appliance: int = 1,
    built: bool = True,
) -> Ticket:
    """A complete ticket whose image file has this content, made as a run makes it."""
    made = _appliance()
    recipe = Recipe.of(made, made.os_profile or OSProfile(suite="bookworm"), "raw", compress=False)
    request = TicketRequest(user=user, appliance=appliance, parent=parent, policy="exact", recipe=recipe)
    ticket = ports.catalog.tickets.create(request)
    lease = ports.catalog.attempts.begin(ticket.id, "home", in_process=True)
    blobs = [ports.store.put(each) for each in (content, _INDEX, _PACKAGE)]
    ports.catalog.blobs.take(ticket.id, {blob.sha256: blob.size for blob in blobs})
    record = Record(
        ticket=ticket.id,
        attempt=lease.number,
        appliance=appliance,
        user=user,
        generation=_generation(recipe, content, parent, built=built),
    )
    ports.store.put_record(record)
    return ports.catalog.attempts.complete(lease, record, "made by the test")


def _generation(recipe: Recipe, content: bytes, parent: int | None, *, built: bool) -> Generation:
    origin = Origin(archive="Debian", suite="bookworm", component="main", filename="pool/d/dash_1_amd64.deb")
    package = Package(
        name="dash", version="1", architecture="amd64", size=len(_PACKAGE), sha256=_sha256(_PACKAGE), origin=origin
    )
    stages = [
        StageResult(
            name=stage,
            digest=_sha256(content + stage.encode()),
            sha256=_sha256(content),
            size=10,
            seconds=2.5 if built else 0.1,
            reused=not built,
        )
        for stage in STAGES
    ]
    file = ImageFile(name="server.raw", format="raw", compression="none", size=len(content), sha256=_sha256(content))
    return Generation(
        recipe=recipe,
        lock=Lock(packages=(package,), index=_sha256(_INDEX), tools=()),
        evidence=Evidence(archives=()),
        policy="exact",
        parent=parent,
        stages=tuple(stages),
        file=file,
        outcome="rebuilt" if built else "reused",
        created=datetime.now(UTC),
    )


def _lasting(ticket: Ticket) -> tuple[object, ...]:
    return ticket.id, ticket.user, ticket.appliance, ticket.parent, ticket.policy, ticket.state, ticket.percent


def _state(catalog: Catalog) -> tuple[object, object, object]:
    return catalog.tickets.list(), catalog.users.list(), catalog.appliances.list()


def _why(told: tuple[Done, ...], what: str) -> str:
    (found,) = [row.why for row in told if row.what.startswith(what)]
    return found


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
