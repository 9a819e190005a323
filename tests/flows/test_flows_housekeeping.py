"""Housekeeping: each kind of leftover is given back and told, what is live is left alone, alone or several at once."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from blocks import liveness
from blocks.admission import admit
from blocks.builder.job import Job
from blocks.builder.locks import exclusive
from blocks.builder.space import Space
from blocks.catalog.checkpoints import SharedCheckpoint
from blocks.catalog.tables import METADATA, TICKETS
from blocks.deed import Done
from blocks.model import Appliance, OSProfile, Ticket
from blocks.model.request import FirstGeneration
from blocks.model.summary import Summary
from blocks.ports import Ports
from blocks.store import names
from deployments.command_line.application import main
from tests.flows.conftest import USER

pytestmark = pytest.mark.flow
_KINDS = (
    "ticket",
    "run",
    "work folder",
    "half-made entry",
    "reservation",
    "attempt",
    "unfinished lock",
    "1 empty lock files",
    "unfinished upload",
    "shared stage",
    "what ticket",
    "stored file",
    "idempotency key",
    "stage logs",
)


@dataclass(frozen=True)
class Scene:
    """An installation after an accident: what was lost, what has ended, and a ticket, files, a blob that live.

    `large` is the blob of the shared stage that is too large.
    """

    ports: Ports
    lost: Ticket
    over: Ticket
    live: Ticket
    kept: tuple[Path, ...]
    blob: str
    large: str


@pytest.fixture
def own(api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ports]:
    """A home that nobody else works in, which may share one kilobyte."""
    assert api
    monkeypatch.setenv("REFORGE_HOME", str(tmp_path))
    monkeypatch.setenv("REFORGE_SHARED_GIGABYTES", "0.000001")
    with Ports.open(prepare=True) as opened:
        opened.catalog.users.add("alice", roles=["developer"])
        opened.catalog.appliances.add("alice", Appliance(name="server", os_profile=OSProfile(suite="bookworm")))
        yield opened


@pytest.fixture
def scene(own: Ports, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Something of each kind that is to be given back, and something of each kind that is live."""
    from prefect import flow  # noqa: PLC0415 (Prefect is imported after its server is named)
    from prefect.client.orchestration import get_client  # noqa: PLC0415
    from prefect.states import Running  # noqa: PLC0415

    from tasks import close  # noqa: PLC0415

    monkeypatch.setattr(close, "GRACE", timedelta(0))
    with get_client(sync_client=True) as client:
        runs = [client.create_flow_run(flow(_left), state=Running()).id for _ in range(2)]
    with contextlib.ExitStack() as living:
        old, over, live, lost = (_asked(own, key) for key in ("old", "over", "live", "lost"))
        for ticket, run in ((over, runs[0]), (live, runs[1])):
            own.catalog.attempts.begin(ticket.id, own.home_id, str(run), in_process=True)
        for ticket in (old, lost):
            own.catalog.attempts.begin(ticket.id, own.home_id, in_process=True)
        large = _share(own, lost)
        _leave(own, old, over, live)
        own.catalog.tickets.cancel(over.id, "the test asked for it")
        _end_long_ago(own, old)
        kept = _hold(own, live, living)
        _wreck(own, lost)
        yield Scene(own, lost, over, live, kept, _stored(own, old, over, live), large)


def test_a_dry_run_tells_what_a_real_one_does_then(scene: Scene) -> None:
    """It changes nothing; after the real one nothing is left to tell, and what is live is as it was."""
    before = _state(scene.ports)
    dry = _keep_house(dry_run=True)
    assert _state(scene.ports) == before
    assert not any(row.done for row in dry)
    for kind in _KINDS:
        assert any(row.what.startswith(kind) for row in dry), kind
    real = _keep_house()
    assert all(row.done and row.why for row in real)
    then = {f"ticket {scene.lost.id}: error", f"stored file {scene.large}"}
    assert {row.what for row in real} - {row.what for row in dry} == then
    assert {row.what for row in dry} - {row.what for row in real} == {f"ticket {scene.lost.id}: attempt 1 is lost"}
    assert _keep_house() == ()
    _is_right(scene)


def test_two_at_once_do_everything_once(scene: Scene) -> None:
    """Step by step at the same moment: neither fails, and what counts is done by one of them."""
    both = Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        told = [what for each in pool.map(lambda _: _in_step(scene.ports, both), range(2)) for what in each]
    for kind in _KINDS:
        assert any(what.startswith(kind) for what in told), kind
    for kind in ("idempotency key", "stored file"):
        once = [what for what in told if what.startswith(kind)]
        assert len(once) == len(set(once))
    events = [event.state for event in scene.ports.catalog.events.list(scene.lost.id)]
    assert events.count("error") == 1
    _is_right(scene)


def test_the_command_tells_it_as_json(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    """Each thing with the reason, and whether it was done."""
    assert main(["housekeeping", "--dry-run", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"what", "why", "done"} == set(rows[0])
    assert not any(row["done"] for row in rows)
    assert scene.ports.catalog.tickets.get(scene.lost.id).state == "planning"


def test_an_empty_catalog_costs_no_store_anything(scene: Scene) -> None:
    """What the store has of tickets that the catalog doesn't know may be all that is left of them."""
    fresh = scene.ports.home / "new.sqlite"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFORGE_CATALOG_URL", f"sqlite:///{fresh}")
        with Ports.open(prepare=True):
            told = _keep_house()
    assert not [row for row in told if row.what.startswith(("stage logs", "stored file"))]
    assert scene.ports.store.has(scene.blob)
    assert len(list(scene.ports.store.logs())) == 3


@pytest.mark.build
def test_a_rebuilt_catalog_regenerates(
    first: Summary, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the store alone: once its user may again, the image is found unchanged, and its next number is a new one."""
    from flows.regenerate import regenerate_image  # noqa: PLC0415

    store = tmp_path / "store"
    for part in ("blobs", f"records/{first.ticket}"):
        shutil.copytree(home / "store" / part, store / part, copy_function=os.link)
    monkeypatch.setenv("REFORGE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("REFORGE_STORE_URL", store.as_uri())
    assert main(["housekeeping", "--rebuild-catalog", "--json"]) == 0
    assert f"image {first.ticket} of {USER}" in capsys.readouterr().out
    assert main(["housekeeping", "--rebuild-catalog"]) == 2
    assert main(["user", "change", USER, "--active", "--entitlement", "image_generate"]) == 0
    with Ports.open() as there:
        ticket = there.catalog.tickets.get(first.ticket)
        again = regenerate_image(USER, ticket.appliance, ticket.id)
    assert isinstance(again, Summary)
    assert again.file is not None
    assert first.file is not None
    assert (again.verdict, again.digest) == ("unchanged", first.digest)
    assert (again.file.sha256, again.file.uri.startswith(store.as_uri())) == (first.file.sha256, True)
    assert again.ticket >= first.ticket + 1000


def _keep_house(*, dry_run: bool = False) -> tuple[Done, ...]:
    from flows.housekeeping import housekeeping  # noqa: PLC0415

    return housekeeping(dry_run=dry_run, thorough=True)


def _left() -> None:
    """What a worker that died was about to run."""


def _in_step(ports: Ports, both: Barrier) -> list[str]:
    """Every step of housekeeping, each begun together with the other one; tells what was done."""
    from tasks import housekeep  # noqa: PLC0415

    told = []
    for step in (
        housekeep.settle_lost,
        housekeep.start_waiting,
        housekeep.end_deserted,
        housekeep.sweep_machine,
        housekeep.release_ended,
        housekeep.abort_uploads,
        housekeep.finish_deletions,
        housekeep.trim_shared,
        housekeep.remove_files,
        housekeep.forget_keys,
        housekeep.prune_logs,
    ):
        both.wait(60)
        told += [row.what for row in step.fn(ports)]
    return told


def _asked(ports: Ports, key: str) -> Ticket:
    return admit(ports, FirstGeneration(user="alice", appliance=1, key=f"{key}-{secrets.token_hex(4)}"))[0]


def _end_long_ago(ports: Ports, ticket: Ticket) -> None:
    ports.catalog.tickets.cancel(ticket.id, "the test asked for it")
    change = update(TICKETS).where(TICKETS.c.id == ticket.id)
    with ports.catalog.database.writing() as connection:
        connection.execute(change.values(finished=datetime.now(UTC) - timedelta(days=100)))


def _share(ports: Ports, ticket: Ticket) -> str:
    """A stage in the store that is greater than all of them may be, used longest ago, and one that fits."""
    large, small = (ports.store.put(content) for content in (b"large" * 1000, b"small"))
    lease = ports.catalog.attempts.current(ticket.id)
    assert lease is not None
    for blob in (large, small):
        shared = SharedCheckpoint(
            digest=blob.sha256,
            stage="rootfs",
            sha256=blob.sha256,
            size=blob.size,
            content=blob.sha256,
            content_size=blob.size,
            facts={},
        )
        assert ports.catalog.checkpoints.add(shared, lease)
    return large.sha256


def _wreck(ports: Ports, ticket: Ticket) -> None:
    """What a process that was killed leaves on its machine."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    for folder in (f"work/{ticket.id}-1", f"cache/checkpoints/partial-{process.pid}-ab"):
        (ports.home / folder).mkdir(parents=True)
    (ports.home / "attempts").mkdir(exist_ok=True)
    for file in (
        "reservations/ab.reservation",
        f"attempts/{ticket.id}-1.lock",
        f"attempts/{ticket.id}-2.{process.pid}",
        f"cache/checkpoints/locks/{'a' * 64}.lock",
    ):
        (ports.home / file).touch()


def _leave(ports: Ports, old: Ticket, over: Ticket, live: Ticket) -> None:
    """Unfinished uploads and logs: of tickets that have ended and of one that lives, with an intent and without."""
    for ticket in (over, live):
        ports.catalog.intents.open(f"{ticket.id}/1/image.raw", "upload", ticket.id, 1)
    now = datetime.now(UTC)
    for key, age in (
        (f"{over.id}/1/image.raw", timedelta(0)),
        (f"{over.id}/1/other.raw", timedelta(hours=2)),
        (f"{over.id}/1/young.raw", timedelta(minutes=30)),
        (f"{live.id}/1/image.raw", timedelta(hours=2)),
        ("blobs/sha256/ab/old", timedelta(days=2)),
        ("blobs/sha256/ab/young", timedelta(hours=2)),
    ):
        (ports.home / "store/uploads").mkdir(parents=True, exist_ok=True)
        (ports.home / "store/uploads" / names.upload(key, now - age, secrets.token_hex(8))).touch()
    for ticket in (old, over, live):
        ports.store.put_log(ticket.id, 1, "rootfs", ["one"])


def _hold(ports: Ports, live: Ticket, living: contextlib.ExitStack) -> tuple[Path, ...]:
    """What a living process holds on its machine."""
    lease = ports.catalog.attempts.current(live.id)
    assert lease is not None
    living.enter_context(liveness.holding(ports.home, lease))
    living.enter_context(Space(ports.home / "reservations").reserved(1))
    lock = ports.home / "cache/checkpoints/locks/b.lock"
    living.enter_context(exclusive(lock, Job()))
    work, half = ports.home / f"work/{live.id}-1", ports.home / f"cache/checkpoints/partial-{os.getpid()}-ab"
    for folder in (work, half):
        folder.mkdir(parents=True)
    (reservation,) = ports.home.glob("reservations/*.reservation")
    return work, half, lock, reservation, ports.home / f"attempts/{live.id}-1.lock"


def _stored(ports: Ports, old: Ticket, over: Ticket, live: Ticket) -> str:
    """A blob that three tickets needed and one still does, and one that nobody does any more."""
    shared, own = ports.store.put(b"both need it"), ports.store.put(b"one needed it")
    ports.catalog.blobs.take(over.id, {blob.sha256: blob.size for blob in (shared, own)})
    for ticket in (old, live):
        ports.catalog.blobs.take(ticket.id, {shared.sha256: shared.size})
    ports.catalog.blobs.drop(over.id)
    return shared.sha256


def _state(ports: Ports) -> dict[str, Any]:
    """All that the catalog knows and all files of the home, but for the database's own."""
    with ports.catalog.database.reading() as connection:
        rows = {table.name: connection.execute(select(table)).all() for table in METADATA.sorted_tables}
    kept = ("cache", "store", "work", "attempts", "reservations")
    return rows | {"files": sorted(path for part in kept for path in (ports.home / part).rglob("*"))}


def _is_right(scene: Scene) -> None:
    ports = scene.ports
    assert ports.catalog.tickets.get(scene.lost.id).state == "error"
    assert ports.catalog.tickets.get(scene.live.id) == scene.live.model_copy(
        update={"state": "planning", "attempt": 1, "flow_run": ports.catalog.tickets.get(scene.live.id).flow_run}
    )
    assert all(path.exists() for path in scene.kept)
    keys = {upload.key for upload in ports.store.unfinished()}
    assert keys == {f"{scene.over.id}/1/young.raw", f"{scene.live.id}/1/image.raw", "blobs/sha256/ab/young"}
    assert [intent.ticket for intent in ports.catalog.intents.pending()] == [scene.live.id]
    assert sorted(ports.store.logs()) == [(scene.over.id, 1), (scene.live.id, 1)]
    assert {blob.size for blob in ports.store.blobs()} == {len(b"both need it"), len(b"small")}
    assert ports.store.has(scene.blob)
    assert ports.catalog.receipts.missing(60) == ()
    assert [_prefect(ports, each) for each in (scene.over, scene.live)] == ["Cancelled", "Running"]


def _prefect(ports: Ports, ticket: Ticket) -> str:
    from prefect.client.orchestration import get_client  # noqa: PLC0415

    with get_client(sync_client=True) as client:
        state = client.read_flow_run(UUID(ports.catalog.tickets.get(ticket.id).flow_run)).state
    assert state is not None
    return str(state.name)
