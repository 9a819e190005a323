"""Admission: asked and run by the same rules, and nothing left behind by what is denied."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier

import pytest
from pydantic import SecretStr

from blocks import admission
from blocks.builder import identities
from blocks.errors import ForeignAppliance, InvalidInput, KeyReused, NotFound, QuotaExceeded
from blocks.model import Appliance, Evidence, Generation, Lock, OSProfile, Record, Ticket
from blocks.model.request import FirstGeneration, Regeneration
from blocks.ports import Ports
from blocks.settings import Settings
from tests.servers.postgresql import Postgresql

_MANY = 50


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[Ports]:
    """An installation with a user, a colleague, their administrator, and a stranger."""
    with Ports.open(Settings(home=tmp_path / "home", catalog_url=None, store_url=None), prepare=True) as opened:
        opened.catalog.organizations.add("acme")
        opened.catalog.users.add("alice", roles=["developer"])
        opened.catalog.users.add("bob", roles=["developer"])
        opened.catalog.users.add("chief", roles=["administrator"])
        opened.catalog.users.add("eve", roles=["administrator"], organization="acme")
        yield opened


@pytest.fixture
def request_(ports: Ports) -> FirstGeneration:
    """A first image of an appliance of alice's."""
    made = Appliance(name="server", os_profile=OSProfile(suite="bookworm", packages=()))
    return FirstGeneration(user="alice", appliance=ports.catalog.appliances.add("alice", made))


def _as(request: FirstGeneration, user: str) -> FirstGeneration:
    return request.model_copy(update={"user": user})


def test_an_administrator_asks_for_others(ports: Ports, request_: FirstGeneration) -> None:
    """The ticket is its own, the appliance stays its owner's, and the owner's image can be made again."""
    image, _token = admission.admit(ports, request_)
    ports.catalog.tickets.cancel(image.id, "enough")
    again = Regeneration(user="chief", appliance=request_.appliance, image=image.id)
    ticket, _token = admission.admit(ports, again)
    assert (ticket.user, ticket.appliance, ticket.parent) == ("chief", request_.appliance, image.id)


@pytest.mark.parametrize(("user", "denial"), [("bob", ForeignAppliance), ("eve", NotFound)])
def test_nobody_else_does(ports: Ports, request_: FirstGeneration, user: str, denial: type[Exception]) -> None:
    """Neither a colleague nor another organisation's administrator gets a ticket."""
    with pytest.raises(denial):
        admission.admit(ports, _as(request_, user))
    assert ports.catalog.tickets.list() == []


def test_a_quota_denies_when_asked(ports: Ports, request_: FirstGeneration) -> None:
    """No ticket is made; the quota is that of who asks, not of whose appliance it is."""
    ports.catalog.quotas.set("alice", "generation", 0)
    with pytest.raises(QuotaExceeded, match="alice"):
        admission.admit(ports, request_)
    assert ports.catalog.tickets.list() == []
    assert admission.admit(ports, _as(request_, "chief"))[0].user == "chief"


def test_the_last_place_is_given_once(ports: Ports, request_: FirstGeneration) -> None:
    """The second is denied while the first is being made, and its own run is not in its way."""
    ports.catalog.quotas.set("alice", "generation", 1)
    ticket, token = admission.admit(ports, request_)
    with pytest.raises(QuotaExceeded):
        admission.admit(ports, request_)
    run = request_.model_copy(update={"ticket": ticket.id, "token": token})
    admission.authorise(ports, run)
    assert admission.create(ports, run, admission.load(ports, run)) == ticket


def test_a_quota_denies_when_run(ports: Ports, request_: FirstGeneration) -> None:
    """What was admitted is denied if the quota was lowered since."""
    ticket, token = admission.admit(ports, request_)
    ports.catalog.quotas.set("alice", "generation", 0)
    with pytest.raises(QuotaExceeded):
        admission.authorise(ports, request_.model_copy(update={"ticket": ticket.id, "token": token}))


def test_a_known_key_gives_its_ticket_whatever_the_quota(ports: Ports, request_: FirstGeneration) -> None:
    """Asking again is no new request."""
    keyed = request_.model_copy(update={"key": "monday"})
    ticket, token = admission.admit(ports, keyed)
    ports.catalog.quotas.set("alice", "generation", 0)
    assert admission.admit(ports, keyed) == (ticket, token)


def test_the_dead_hold_no_place(ports: Ports, request_: FirstGeneration) -> None:
    """A ticket whose process is gone ends when its place is needed."""
    ports.catalog.quotas.set("alice", "generation", 1)
    lost, _token = admission.admit(ports, request_)
    lease = ports.catalog.attempts.begin(lost.id, ports.home_id, in_process=True)
    left = ports.home / "attempts" / f"{lost.id}-{lease.number}.lock"
    left.parent.mkdir()
    left.touch()  # what a killed process leaves: nobody holds it any more
    ticket, _token = admission.admit(ports, request_)
    assert ticket.state == "requested"
    assert ports.catalog.tickets.get(lost.id).state == "error"


def _complete(ports: Ports, request: FirstGeneration | Regeneration) -> Ticket:
    """A complete image of the request, without a file."""
    ticket, _token = admission.admit(ports, request)
    lease = ports.catalog.attempts.begin(ticket.id, ports.home_id, in_process=True)
    start = admission.load(ports, request)
    generation = Generation(
        recipe=start.recipe,
        lock=Lock(packages=(), index="a" * 64, tools=()),
        evidence=Evidence(archives=()),
        policy=start.policy,
        parent=start.parent,
        outcome="simulated" if start.recipe.simulated else "rebuilt",
        reason="the test asked for it",
        created=datetime(2026, 1, 1, tzinfo=UTC),
    )
    envelope = {"ticket": ticket.id, "attempt": lease.number, "appliance": request.appliance, "user": request.user}
    return ports.catalog.attempts.complete(lease, Record(**envelope, generation=generation), "done")


def test_a_key_gives_its_ticket_also_when_the_newest_image_is_another(ports: Ports, request_: FirstGeneration) -> None:
    """What was asked for counts, not what it came to; asking for something else by the same key is refused."""
    image = _complete(ports, request_)
    asked = Regeneration(user="alice", appliance=request_.appliance, image=image.id, newest=True, key="nightly")
    ticket = _complete(ports, asked)
    stored = ports.catalog.appliances.get(request_.appliance).appliance
    ports.catalog.appliances.replace(request_.appliance, stored.model_copy(update={"policy": "exact"}))
    assert admission.admit(ports, asked)[0].id == ticket.id
    start = admission.load(ports, asked)
    assert (start.parent, start.policy) == (image.id, "refresh")
    for other in ({"image": ticket.id}, {"newest": False}, {"policy": "exact"}):
        with pytest.raises(KeyReused):
            admission.admit(ports, asked.model_copy(update=other))


def test_a_ticket_keeps_the_recipe_that_it_was_asked_for(ports: Ports, request_: FirstGeneration) -> None:
    """An appliance that is changed before the run begins is not what the run makes."""
    ticket, token = admission.admit(ports, request_)
    stored = ports.catalog.appliances.get(request_.appliance).appliance
    changed = OSProfile(suite="bookworm", packages=("vim",))
    ports.catalog.appliances.replace(request_.appliance, stored.model_copy(update={"os_profile": changed}))
    handed = request_.model_copy(update={"ticket": ticket.id, "token": token})
    assert admission.load(ports, handed).recipe == ports.catalog.tickets.recipe(ticket.id)
    assert admission.load(ports, request_).recipe.os_profile == changed


def test_what_was_asked_for_is_frozen(ports: Ports, request_: FirstGeneration) -> None:
    """The target, and sizes that hold instead of those of the appliance; the stages see the sizes alone."""
    plain = admission.load(ports, request_).recipe
    asked = {"target": "OpenStack QCOW2", "simulated": True, "check_dependencies": True, "disk_size": 4096}
    wanted = FirstGeneration.parse({**request_.model_dump(), **asked, "swap_size": 512})
    ticket, _token = admission.admit(ports, wanted)
    recipe = ports.catalog.tickets.recipe(ticket.id)
    assert {name: getattr(recipe, name) for name in ("target", "simulated", "check_dependencies")} | {
        "disk_size": recipe.install_profile.disk_size
    } == asked
    sizes = recipe.install_profile
    assert (sizes.memory_size, sizes.swap_size) == (plain.install_profile.memory_size, 512)
    lock = Lock(packages=(), index="a" * 64, tools=())
    same = plain.model_copy(update={"install_profile": sizes})
    assert identities(recipe, lock) == identities(same, lock) != identities(plain, lock)


def test_without_a_format_it_is_the_target_s(request_: FirstGeneration) -> None:
    """One that doesn't fit is refused."""
    common = {"user": "alice", "appliance": request_.appliance}
    assert FirstGeneration.parse({**common, "target": "RAW"}).format == "raw"
    assert FirstGeneration.parse({**common, "target": None, "format": None}).format == "qcow2"
    for wrong in ({"target": "RAW", "format": "qcow2"}, {"target": "floppy"}, {"target": ["RAW"]}):
        with pytest.raises(InvalidInput, match="target"):
            FirstGeneration.parse({**common, **wrong})


def test_what_is_simulated_needs_no_place(ports: Ports, request_: FirstGeneration) -> None:
    """It is admitted though the quota is used up, again as well, and holds no place that an image needs."""
    simulated = request_.model_copy(update={"simulated": True})
    ports.catalog.quotas.set("alice", "generation", 0)
    image = _complete(ports, simulated)
    ticket, token = admission.admit(ports, Regeneration(user="alice", appliance=request_.appliance, image=image.id))
    assert ports.catalog.tickets.recipe(ticket.id).simulated
    run = Regeneration(user="alice", appliance=request_.appliance, image=image.id, ticket=ticket.id, token=token)
    admission.authorise(ports, run)
    ports.catalog.quotas.set("alice", "generation", 1)
    real, _token = admission.admit(ports, request_)
    (quota,) = [each for each in ports.catalog.quotas.list("alice") if each.kind == "generation"]
    assert (real.state, quota.used, quota.reserved) == ("requested", 0, 1)


def test_an_image_with_a_target_needs_its_place(ports: Ports, request_: FirstGeneration) -> None:
    """Whatever it is made for; also when a run says of a real ticket that it is simulated."""
    ports.catalog.quotas.set("alice", "generation", 1)
    ticket, token = admission.admit(ports, request_.model_copy(update={"target": "KVM"}))
    with pytest.raises(QuotaExceeded):
        admission.admit(ports, request_.model_copy(update={"target": "QCOW2"}))
    ports.catalog.quotas.set("alice", "generation", 0)
    run = request_.model_copy(update={"ticket": ticket.id, "token": token, "simulated": True})
    with pytest.raises(QuotaExceeded):
        admission.authorise(ports, run)


@pytest.fixture(params=["sqlite", "postgresql"])
def doors(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Ports]]:
    """One catalog, on each kind of database, opened by several who share nothing else."""
    with ExitStack() as opened:
        url = None
        if request.param == "postgresql":
            server: Postgresql = request.getfixturevalue("postgresql")
            url = SecretStr(server.url(opened.enter_context(server.database())))
        settings = Settings(home=tmp_path / "home", catalog_url=url, store_url=None)
        doors = [opened.enter_context(Ports.open(settings, prepare=True)) for _ in range(5)]
        doors[0].catalog.users.add("alice", roles=["developer"])
        yield doors


def _at_once(doors: list[Ports], request: FirstGeneration) -> list[Ticket | Exception]:
    """What many get who ask for the same at the same moment."""
    begin = Barrier(_MANY)

    def ask(number: int) -> Ticket | Exception:
        begin.wait(60)
        try:
            return admission.admit(doors[number % len(doors)], request)[0]
        except (KeyReused, QuotaExceeded) as error:
            return error

    with ThreadPoolExecutor(_MANY) as pool:
        return list(pool.map(ask, range(_MANY)))


def test_one_key_gives_one_ticket_however_many_ask_at_once(doors: list[Ports]) -> None:
    """All get it although it takes the last place of the quota; none of as many who ask for another image does."""
    made = Appliance(name="server", os_profile=OSProfile(suite="bookworm", packages=()))
    catalog = doors[0].catalog
    request = FirstGeneration(user="alice", appliance=catalog.appliances.add("alice", made), key="monday")
    catalog.quotas.set("alice", "generation", 1)
    answers = _at_once(doors, request)
    (ticket,) = catalog.tickets.list()
    assert answers == [ticket] * _MANY
    refused = _at_once(doors, request.model_copy(update={"format": "raw"}))
    assert {type(each) for each in refused} == {KeyReused}
    assert catalog.tickets.list() == [ticket]
    assert [event.state for event in catalog.events.list(ticket.id)] == ["requested"]
