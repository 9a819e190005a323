"""A record that travels with its packages: another home makes the same bytes from it and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks import planning, portable
from blocks.builder import Job
from blocks.errors import CorruptFile, InvalidInput, NotFound
from blocks.model.request import Regeneration
from blocks.model.summary import Summary
from blocks.ports import Ports
from blocks.settings import Settings
from tests.flows.conftest import USER

pytestmark = [pytest.mark.flow, pytest.mark.build]


@pytest.fixture(scope="module")
def exported(first: Summary, ports: Ports, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first image's record with its packages."""
    path = tmp_path_factory.mktemp("exported") / "record.tar"
    portable.export_record(ports, first.ticket, path, with_packages=True)
    return path


def test_another_home_arrives_at_the_same_bytes(
    first: Summary, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`exact` there builds from the packages that came along, and the image is the same."""
    from flows.regenerate import regenerate_image  # noqa: PLC0415 (Prefect is imported after its server is named)

    monkeypatch.setenv("REFORGE_HOME", str(tmp_path / "elsewhere"))
    with Ports.open(prepare=True) as there:
        there.catalog.users.add("bob", ("image_generate",))
        ticket = portable.import_record(there, exported, "bob")
        assert not there.catalog.tickets.has_file(ticket.id)
        again = regenerate_image("bob", ticket.appliance, ticket.id, policy="exact")
    assert isinstance(again, Summary)
    assert (again.verdict, again.digest) == ("rebuilt", first.digest)
    assert again.file is not None
    assert first.file is not None
    assert again.file.sha256 == first.file.sha256


def test_an_imported_record_belongs_to_whoever_imports_it(exported: Path, tmp_path: Path) -> None:
    """Its appliance is made from the recipe, once, and its ticket is complete."""
    with Ports.open(Settings(home=tmp_path), prepare=True) as there:
        there.catalog.users.add("carol", ("image_generate",))
        tickets = [portable.import_record(there, exported, "carol") for _ in range(2)]
        assert {ticket.appliance for ticket in tickets} == {there.catalog.appliances.list("carol")[0].id}
        assert {ticket.state for ticket in tickets} == {"complete"}


def test_what_is_no_record_is_refused(ports: Ports, tmp_path: Path) -> None:
    """Neither any file nor a tar without a record becomes a ticket."""
    path = tmp_path / "something"
    path.write_text("{}", "utf-8")
    before = len(ports.catalog.tickets.list())
    with pytest.raises(InvalidInput, match="something"):
        portable.import_record(ports, path, USER)
    assert len(ports.catalog.tickets.list()) == before


def test_a_damaged_export_is_refused(exported: Path, tmp_path: Path) -> None:
    """A package file that isn't what it is named makes no ticket."""
    data = bytearray(exported.read_bytes())
    data[len(data) // 2] ^= 0xFF
    broken = tmp_path / "broken.tar"
    broken.write_bytes(data)
    with Ports.open(Settings(home=tmp_path / "home"), prepare=True) as there:
        there.catalog.users.add("dave", ("image_generate",))
        with pytest.raises(CorruptFile):
            portable.import_record(there, broken, "dave")
        assert there.catalog.tickets.list() == []


def test_a_failed_export_leaves_the_file_that_was_there(ports: Ports, tmp_path: Path) -> None:
    """A ticket without a record has no export, and nothing is overwritten."""
    target = tmp_path / "kept"
    target.write_text("kept", "utf-8")
    with pytest.raises(NotFound):
        portable.export_record(ports, 999_999, target, with_packages=True)
    assert target.read_text("utf-8") == "kept"
    assert list(tmp_path.iterdir()) == [target]


def test_the_plan_says_what_the_run_then_does(first: Summary, ports: Ports) -> None:
    """Plan and run reach the same verdict, and a run with the plan's state is accepted while it stands."""
    from flows.regenerate import regenerate_image  # noqa: PLC0415

    appliance = ports.catalog.tickets.get(first.ticket).appliance
    request = Regeneration(user=USER, appliance=appliance, image=first.ticket)
    start = planning.prior(ports, request)
    before = len(ports.catalog.tickets.list())
    plan = planning.foresee(ports, start, Job()).plan
    assert len(ports.catalog.tickets.list()) == before
    done = regenerate_image(USER, appliance, first.ticket, plan_state=plan.state)
    assert isinstance(done, Summary)
    assert (plan.verdict, done.verdict) == ("unchanged", "unchanged")
    rebuild = planning.foresee(ports, start, Job(), rebuild=True).plan
    assert rebuild.verdict == "rebuild"
    assert not any(stage.reuse for stage in rebuild.stages)
    assert rebuild.seconds == pytest.approx(sum(stage.seconds or 0 for stage in rebuild.stages), abs=0.1)
