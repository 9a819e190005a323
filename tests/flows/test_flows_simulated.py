"""Simulated generations: packages are resolved and nothing is made. And what is denied or deleted on the way."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import get_args

import pytest

from blocks import admission, deletion
from blocks.errors import NotFound, QuotaExceeded
from blocks.model import Policy
from blocks.model.request import FirstGeneration
from blocks.model.summary import Summary
from blocks.ports import Ports
from tests.flows.conftest import USER, small
from tests.waiting import wait_until

pytestmark = [pytest.mark.flow]
_POLICIES: tuple[Policy, ...] = get_args(Policy)


@dataclass(frozen=True)
class _Made:
    """A simulated generation, and the files that came into the store with it."""

    appliance: int
    stored: frozenset[str]
    summary: Summary


def _stored(ports: Ports) -> frozenset[str]:
    return frozenset(blob.sha256 for blob in ports.store.blobs())


@pytest.fixture(scope="module")
def made(api: str, ports: Ports) -> _Made:
    """What the flow tells of a simulated first image, asked for with everything that can be asked for."""
    from flows.generate import generate_image  # noqa: PLC0415 (Prefect is imported after its server is named)

    assert api
    appliance = ports.catalog.appliances.add(USER, small(name="simulated"))
    before = _stored(ports)
    summary = generate_image(USER, appliance, target="KVM", simulated=True, check_dependencies=True, disk_size=3000)
    assert isinstance(summary, Summary)
    return _Made(appliance, _stored(ports) - before, summary)


@pytest.fixture
def quota(ports: Ports) -> Iterator[None]:
    """Alice may have no more image made, for this test."""
    (now,) = [each for each in ports.catalog.quotas.list(USER) if each.kind == "generation"]
    ports.catalog.quotas.set(USER, "generation", now.used)
    yield
    ports.catalog.quotas.set(USER, "generation", None)


def test_it_ends_with_its_packages_and_without_a_file(made: _Made, ports: Ports) -> None:
    """It is complete, with lock and record, and no stage has run."""
    done = made.summary
    assert (done.state, done.verdict, done.file, done.stages, done.digest) == ("complete", "simulated", None, (), None)
    record = ports.catalog.tickets.record(done.ticket)
    assert record is not None
    assert len(record.generation.lock.packages) == done.packages["added"] > 50
    assert record == ports.store.record(done.ticket)
    recipe = record.generation.recipe
    assert (recipe.target, recipe.format, recipe.install_profile.disk_size) == ("KVM", "qcow2", 3000)


def test_nothing_is_stored_and_nothing_counts(made: _Made, ports: Ports) -> None:
    """No file is uploaded, none is referenced, and the user's generations are as many as before."""
    ticket = made.summary.ticket
    assert not made.stored
    assert not ports.catalog.tickets.has_file(ticket)
    assert ports.catalog.blobs.drop(ticket) == ()
    assert ticket not in {each.ticket for each in ports.catalog.generations.list(USER).rows}


@pytest.mark.usefixtures("quota")
def test_made_again_it_is_simulated_again(made: _Made, ports: Ports) -> None:
    """Also when nothing has changed, and although no more image may be made."""
    from flows.regenerate import regenerate_image  # noqa: PLC0415

    before = _stored(ports)
    for policy in _POLICIES:
        done = regenerate_image(USER, made.appliance, made.summary.ticket, policy)
        assert isinstance(done, Summary)
        assert (done.state, done.verdict, done.file, done.stages) == ("complete", "simulated", None, ())
        assert done.packages["unchanged"] == made.summary.packages["added"]
    assert _stored(ports) == before


@pytest.mark.usefixtures("api")
def test_a_denial_at_the_run_ends_the_ticket_in_error(ports: Ports) -> None:
    """A ticket that was admitted before the quota was lowered says why it will come to nothing."""
    from flows.generate import generate_image  # noqa: PLC0415

    appliance = ports.catalog.appliances.add(USER, small(name="denied"))
    request = FirstGeneration(user=USER, appliance=appliance, target="OpenStack QCOW2")
    ticket, token = admission.admit(ports, request)
    ports.catalog.quotas.set(USER, "generation", 0)
    try:
        with pytest.raises(QuotaExceeded):
            generate_image(USER, appliance, ticket=ticket.id, token=token)
    finally:
        ports.catalog.quotas.set(USER, "generation", None)
    ended = ports.catalog.tickets.get(ticket.id)
    assert ended.state == "error"
    assert "quota generation" in ended.error


@pytest.mark.build
@pytest.mark.usefixtures("api")
def test_what_is_deleted_while_it_is_made_ends_as_cancelled(ports: Ports) -> None:
    """Its run stops, gives back what it holds, and leaves neither a record nor a row that its user sees."""
    from flows.generate import generate_image  # noqa: PLC0415

    appliance = ports.catalog.appliances.add(USER, small(name="deleted"))
    ticket, token = admission.admit(ports, FirstGeneration(user=USER, appliance=appliance, disk_size=1500))

    def run() -> bool:
        ended = generate_image(USER, appliance, ticket=ticket.id, token=token, return_state=True)
        return bool(ended.is_cancelled())

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run)
        wait_until(lambda: ports.catalog.tickets.get(ticket.id).state == "building", "it is being built")
        assert deletion.delete(ports, ticket.id, "enough")
        assert running.result(120)
    assert ports.catalog.tickets.list(appliance=appliance) == []
    assert ports.catalog.receipts.get(ticket.id) is not None
    with pytest.raises(NotFound):
        ports.store.record(ticket.id)
