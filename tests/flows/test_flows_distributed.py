"""Beyond one machine, by the production manifests: two machines, each with a server process and a worker of its own.

What they share is PostgreSQL (Prefect's database and the catalog), Redis and a store on S3; no folder. The first one
dies in the middle of a build; while the lease of that build runs out, the other server process is deployed to.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from blocks import portable
from blocks.admission import admit
from blocks.errors import QuotaExceeded
from blocks.model import Ticket
from blocks.model.request import Regeneration
from blocks.model.summary import Summary
from blocks.ports import Ports
from deployments.embedded.client import pointed
from tests.faults.observation import Observation
from tests.flows.conftest import USER
from tests.flows.worker import BIN, Worker, working
from tests.servers.manifests import MANIFESTS
from tests.servers.postgresql import Postgresql
from tests.servers.prefect import Prefect, several
from tests.servers.rclone import CREDENTIALS, SECRET, rclone
from tests.servers.redis import redis
from tests.waiting import wait_until

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

pytestmark = [pytest.mark.flow, pytest.mark.build]
_ROOT = Path(__file__).parents[2]
_MANIFEST = str(MANIFESTS.relative_to(_ROOT) / "prefect.yaml")
_BLOCKS = {"catalog": "main", "store": "main", "builder": "main"}
_STAGES = [("rootfs", True), ("disk", False), ("pack", False)]


@dataclass(frozen=True)
class Installation:
    """The servers, what the blocks `main` name (with an image to regenerate), and what stands still where."""

    prefect: Prefect
    ports: Ports
    image: Ticket
    observation: Observation
    folder: Path

    def worker(self, number: int) -> Any:
        """The worker of a machine, which talks to its own server process."""
        api = self.prefect.servers[number - 1].address
        return working(self.folder / f"machine-{number}", api, self.observation.environment())


@dataclass(frozen=True)
class Interrupted:
    """The ticket whose first attempt was interrupted, and the worker that is left."""

    ticket: int
    worker: Worker


def _run(*argv: str) -> str:
    done = subprocess.run([str(BIN / argv[0]), *argv[1:]], capture_output=True, text=True, check=False, cwd=_ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def exported(first: Summary, ports: Ports, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The record, with its packages, of an image that was made undisturbed, in another home."""
    path = tmp_path_factory.mktemp("undisturbed") / "record.tar"
    portable.export_record(ports, first.ticket, path, with_packages=True)
    return path


@pytest.fixture(scope="module")
def prefect(postgresql: Postgresql, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    """Two server processes and the services; this process talks to the second one."""
    folder = tmp_path_factory.mktemp("servers")
    with redis(folder / "redis") as between, postgresql.database() as database:
        address = postgresql.url(database).replace("+psycopg:", "+asyncpg:")
        with several(folder / "prefect", address, between.url) as servers:
            with pointed(servers.servers[1].address, folder):
                yield servers
            assert servers.services is not None
            assert servers.services.lives()


@pytest.fixture(scope="module")
def installation(
    exported: Path, prefect: Prefect, postgresql: Postgresql, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """Blocks `main` and deployments as the documentation has them, and a record that was imported."""
    from blocks.collection import ReforgeBuilder, ReforgeCatalog, ReforgeStore  # noqa: PLC0415 (Prefect comes later)
    from blocks.configured import configured  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("installation")
    keys = {"access_key": CREDENTIALS.access_key, "secret_key": CREDENTIALS.secret_key}
    served = rclone(folder / "buckets", listing="100ms")
    with postgresql.database() as database, served as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFORGE_HOME", str(folder / "operator"))
        ReforgeCatalog(url=SecretStr(postgresql.url(database))).save("main", overwrite=True)
        ReforgeStore(url=server.bucket("images"), **keys).save("main", overwrite=True)
        ReforgeBuilder().save("main", overwrite=True)
        _run("prefect", "work-pool", "create", "reforge", "--type", "process")
        _run("prefect", "--no-prompt", "deploy", "--all", "--prefect-file", _MANIFEST)
        with Ports.open(configured(*["main"] * 3), prepare=True) as opened:
            opened.catalog.users.add(USER, ("image_generate", "appliance_create"))
            image = portable.import_record(opened, exported, USER)
            yield Installation(prefect, opened, image, Observation(folder / "observed"), folder)


@pytest.fixture(scope="module")
def interrupted(installation: Installation) -> Iterator[Interrupted]:
    """A regeneration whose machine goes down in the stage disk: server process, worker, run and builder."""
    from flows import start  # noqa: PLC0415

    stop = installation.observation.arm("disk", "working")
    with installation.worker(1) as one:
        image = installation.image
        ticket = start.regenerate(
            USER, image.appliance, image.id, policy="exact", catalog="main", store="main", builder="main"
        )
        wait_until(lambda: installation.ports.catalog.tickets.get(ticket.id).attempt == 1, "the run has begun", 300)
        with installation.worker(2) as two:
            there = stop.await_process(300)
            assert there.pid in {process.pid for process in one.tree()}
            one.kill()
            installation.prefect.servers[0].kill()
            two.await_readiness()
            yield Interrupted(ticket.id, two)
            assert two.stop() == 0
            assert SECRET not in one.said() + two.said()


def test_deploying_again_keeps_what_was_added(interrupted: Interrupted) -> None:
    """A schedule that was added to the deployment is there after the next `prefect deploy`, here by the server left."""
    from tests.flows.serving import schedule  # noqa: PLC0415

    schedule("kept", {"user": USER, "appliance": 1, "image": 1}, 3600)
    _run("prefect", "--no-prompt", "deploy", "--all", "--prefect-file", _MANIFEST)
    assert "kept" in _run("reforge", "schedule", "list")
    _run("reforge", "schedule", "remove", "kept")
    assert interrupted.worker.lives()


def test_a_run_goes_on_where_the_machine_that_died_left_it(
    interrupted: Interrupted, installation: Installation, first: Summary
) -> None:
    """Ticket and run stay the same, the finished stage comes from the store, the image is as if undisturbed."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415

    tickets, store = installation.ports.catalog.tickets, installation.ports.store
    wait_until(lambda: tickets.get(interrupted.ticket).terminal, f"the end, see {interrupted.worker.log}", 300)
    ended, record = tickets.get(interrupted.ticket), tickets.record(interrupted.ticket)
    assert (ended.state, ended.attempt) == ("complete", 2), ended
    assert record is not None
    assert [(stage.name, stage.reused) for stage in record.generation.stages] == _STAGES
    assert "tree packed" in store.log(ended.id, 1, "rootfs")
    assert "tree packed" not in store.log(ended.id, 2, "rootfs")
    assert record.generation.file is not None
    assert first.file is not None
    assert record.generation.file.sha256 == first.file.sha256
    store.verify(first.file.sha256, first.file.size, lambda: None)
    assert store.unfinished() == ()
    with get_client(sync_client=True) as client:
        wait_until(lambda: _completed(client.read_flow_run(UUID(ended.flow_run))), "the run is completed")
        run = client.read_flow_run(UUID(ended.flow_run))
    assert (run.run_count, run.work_pool_name) == (2, "reforge")
    assert {name: run.parameters[name] for name in _BLOCKS} == _BLOCKS
    assert SECRET not in json.dumps(run.parameters)


def _completed(run: FlowRun) -> bool:
    return run.state is not None and run.state.is_completed()


def test_a_ticket_of_a_quota_that_is_used_up_when_it_runs_ends_in_error(
    interrupted: Interrupted, installation: Installation
) -> None:
    """Asked while there was room and run when there is none: the ticket says why, and so does the run."""
    from tasks.dispatch import dispatch  # noqa: PLC0415 (Prefect is imported after its server is named)

    catalog, image = installation.ports.catalog, installation.image
    request = Regeneration(user=USER, appliance=image.appliance, image=image.id)
    ticket, _ = admit(installation.ports, request)
    catalog.quotas.set(USER, "diskusage", 1)
    with pytest.raises(QuotaExceeded):
        admit(installation.ports, request)
    dispatch(installation.ports, ticket.id, _BLOCKS)
    wait_until(lambda: catalog.tickets.get(ticket.id).terminal, "the ticket ends", 120)
    ended = catalog.tickets.get(ticket.id)
    assert (ended.state, "diskusage" in ended.error) == ("error", True)
    catalog.quotas.set(USER, "diskusage", None)
    assert interrupted.worker.lives()
