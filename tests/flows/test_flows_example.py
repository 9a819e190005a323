"""The main job on real input: the demo's record is regenerated through the flow, and the image boots."""

from __future__ import annotations

import hashlib
from pathlib import Path

import httpx
import pytest

from blocks import planning
from blocks.builder import Job
from blocks.errors import PackagesGone
from blocks.model.request import Regeneration
from blocks.model.summary import Summary
from blocks.ports import Ports
from deployments.demo import example
from tests.flows.machine import Firmware, booted, path

pytestmark = [pytest.mark.flow, pytest.mark.build]


@pytest.fixture(scope="module")
def parent(ports: Ports) -> tuple[int, int]:
    """The demo's appliance and the ticket of its imported record."""
    return example.prepare(ports)


@pytest.fixture(scope="module")
def done(api: str, parent: tuple[int, int]) -> Summary:
    """The regeneration of the demo's record with the newest packages."""
    from flows.regenerate import regenerate_image  # noqa: PLC0415 (Prefect is imported after its server is named)

    assert api
    summary = regenerate_image(example.USER, *parent)
    assert isinstance(summary, Summary)
    return summary


def test_the_record_of_an_earlier_generation_becomes_an_image_again(done: Summary, ports: Ports) -> None:
    """A record without its file is rebuilt, its ticket is complete, and the stored file is what it says."""
    assert (done.state, done.verdict) == ("complete", "rebuilt")
    assert done.file is not None
    data = path(done).read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (done.file.size, done.file.sha256)
    assert ports.store.record(done.ticket) == ports.catalog.tickets.record(done.ticket)


def test_the_differences_count_every_package_once(done: Summary, ports: Ports) -> None:
    """Added, upgraded, downgraded and unchanged packages make up the new lock, and security fixes are in it."""
    record = ports.catalog.tickets.record(done.ticket)
    assert record is not None
    counts = done.packages
    kept = sum(counts[kind] for kind in ("added", "upgraded", "downgraded", "unchanged"))
    assert kept == len(record.generation.lock.packages)
    assert counts["upgraded"] > 0


def test_the_ticket_went_forward_through_every_state(done: Summary, ports: Ports) -> None:
    """Each transition is an event, in order, and the last one is complete."""
    states = [event.state for event in ports.catalog.events.list(done.ticket)]
    assert states == ["requested", "planning", "building", "storing", "verifying", "complete"]


def test_the_runs_page_shows_progress_differences_and_summary(done: Summary, api: str) -> None:
    """The artifacts are on the run that the ticket names, and the stages' lines are in its log."""
    wanted = {"flow_runs": {"id": {"any_": [done.flow_run]}}}
    kinds = [row["type"] for row in httpx.post(f"{api}/artifacts/filter", json=wanted).json()]
    assert {"progress", "table", "markdown"} <= set(kinds)
    query = {"logs": {"flow_run_id": {"any_": [done.flow_run]}}, "limit": 200}
    lines = [row["message"] for row in httpx.post(f"{api}/logs/filter", json=query).json()]
    assert any(line.startswith("reforge: packages installed") for line in lines)


def test_the_plan_of_the_record_tells_what_the_upgrades_fix(
    done: Summary, parent: tuple[int, int], ports: Ports
) -> None:
    """Among the upgrades since the recorded generation some name CVE ids in their changelogs."""
    request = Regeneration(user=example.USER, appliance=parent[0], image=parent[1])
    plan = planning.foresee(ports, planning.prior(ports, request), Job()).plan
    assert plan.packages.counts() == done.packages
    fixes = {change.name: change.cves for change in plan.packages.upgraded}
    assert any(fixes.values())
    assert all(name.startswith("CVE-") for names in fixes.values() for name in names)


def test_each_stages_whole_log_is_in_the_store(done: Summary, ports: Ports) -> None:
    """The log beside the record has the tool's own lines."""
    assert "installing remaining packages" in ports.store.log(done.ticket, 1, "rootfs")
    assert "boot loaders" in ports.store.log(done.ticket, 1, "disk")


def test_a_second_regeneration_is_unchanged(done: Summary, parent: tuple[int, int]) -> None:
    """While the archive stays, the new ticket is complete on the same bytes, with the reason."""
    from flows.regenerate import regenerate_image  # noqa: PLC0415

    again = regenerate_image(example.USER, parent[0], done.ticket)
    assert isinstance(again, Summary)
    assert (again.verdict, again.digest) == ("unchanged", done.digest)
    assert again.ticket != done.ticket
    assert again.file == done.file
    assert "same" in again.reason


def test_exact_arrives_at_the_recorded_bytes_or_says_what_is_gone(
    api: str, parent: tuple[int, int], ports: Ports
) -> None:
    """The old lock gives the bytes recorded elsewhere; once the archive has dropped them, they are named."""
    from flows.regenerate import regenerate_image  # noqa: PLC0415

    assert api
    record = ports.catalog.tickets.record(parent[1])
    assert record is not None
    assert record.generation.file is not None
    try:
        exact = regenerate_image(example.USER, *parent, policy="exact")
    except PackagesGone as error:
        gone = error.what
    else:
        assert isinstance(exact, Summary)
        made = ports.catalog.tickets.record(exact.ticket)
        assert made is not None
        assert made.generation.lock == record.generation.lock
        assert exact.file is not None
        same_stages = exact.digest == record.generation.image_digest()
        assert (exact.file.sha256 == record.generation.file.sha256) == same_stages
        return
    assert any(package.name in gone for package in record.generation.lock.packages)


@pytest.mark.boot
@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_the_image_boots_and_is_what_the_lock_says(done: Summary, ports: Ports, firmware: Firmware) -> None:
    """With both firmwares it comes to a login, and holds the lock's packages and the install profile's settings."""
    record = ports.catalog.tickets.record(done.ticket)
    assert record is not None
    with booted(path(done), "qcow2", firmware) as console:
        console.log_in("admin", "reforge")
        console.check(record.generation.lock, firmware)
        assert console.ask("hostname") == "golden"
        assert console.ask("readlink /etc/localtime") == "/usr/share/zoneinfo/Europe/Berlin"
        assert "console=tty0 console=ttyS0" in console.ask("cat /proc/cmdline")
        assert "sudo" in console.ask("id -Gn").split()
        assert console.ask("ls /etc/ssh/ssh_host_ed25519_key") == "/etc/ssh/ssh_host_ed25519_key"


def test_no_trace_of_the_attempts_is_left(done: Summary, home: Path, ports: Ports) -> None:
    """Work folders, reservations, unfinished uploads, intents and attempt locks are gone."""
    assert done.state == "complete"
    assert list((home / "work").iterdir()) == []
    assert list((home / "reservations").glob("*.reservation")) == []
    assert list((home / "attempts").iterdir()) == []
    assert ports.store.unfinished() == ()
    assert ports.catalog.intents.pending() == []
