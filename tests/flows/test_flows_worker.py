"""A worker of a work pool on the production manifests: catalog on PostgreSQL, store on S3, both from blocks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from blocks.admission import admit
from blocks.errors import QuotaExceeded
from blocks.model.request import Regeneration
from blocks.ports import Ports
from tests.flows.conftest import USER, small
from tests.servers.postgresql import Postgresql
from tests.servers.rclone import CREDENTIALS, SECRET, rclone
from tests.waiting import wait_until

pytestmark = [pytest.mark.flow, pytest.mark.build]
_BIN = Path(sys.executable).parent
_ROOT = Path(__file__).parents[2]
_MANIFEST = "deployments/production/prefect.yaml"
_IN_BLOCKS = ("catalog", "store", "builder")


def _run(*argv: str) -> str:
    done = subprocess.run([str(_BIN / argv[0]), *argv[1:]], capture_output=True, text=True, check=False, cwd=_ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def shared(api: str, home: Path, postgresql: Postgresql, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    """The ports that the blocks `main` name, with a user and an appliance."""
    from blocks.collection import ReforgeBuilder, ReforgeCatalog, ReforgeStore  # noqa: PLC0415 (Prefect comes later)
    from blocks.configured import configured  # noqa: PLC0415

    assert api, home
    keys = {"access_key": CREDENTIALS.access_key, "secret_key": CREDENTIALS.secret_key}
    with postgresql.database() as database, rclone(tmp_path_factory.mktemp("worker-s3") / "buckets") as server:
        ReforgeCatalog(url=SecretStr(postgresql.url(database))).save("main", overwrite=True)
        ReforgeStore(url=server.bucket("images"), **keys).save("main", overwrite=True)
        ReforgeBuilder().save("main", overwrite=True)
        with Ports.open(configured(*["main"] * 3), prepare=True) as opened:
            opened.catalog.users.add(USER, ("image_generate", "appliance_create"))
            opened.catalog.appliances.add(USER, small())
            yield opened


@pytest.fixture(scope="module")
def worker(shared: Ports, tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[bytes]]:
    """A process worker of the pool that the manifest names."""
    assert shared.home
    _run("prefect", "work-pool", "create", "reforge", "--type", "process", "--overwrite")
    _run("prefect", "--no-prompt", "deploy", "--all", "--prefect-file", _MANIFEST)
    log = tmp_path_factory.mktemp("worker") / "worker.log"
    # The worker ends by the interrupt, which whoever runs the tests may have been told to ignore.
    argv = [
        "/usr/bin/env",
        "--default-signal=INT",
        str(_BIN / "prefect"),
        "worker",
        "start",
        "--pool",
        "reforge",
        "--type",
        "process",
    ]
    environment = {**os.environ, "PREFECT_WORKER_QUERY_SECONDS": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, env=environment
        )
    try:
        wait_until(lambda: process.poll() is not None or "started!" in log.read_text("utf-8"), "the worker listens", 60)
        assert process.poll() is None, log.read_text("utf-8")
        yield process
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        assert SECRET not in log.read_text("utf-8")
    finally:
        process.kill()
        process.wait()


def _deployed(flow: str, **given: object) -> Any:
    from prefect.deployments import run_deployment  # noqa: PLC0415

    return run_deployment(f"{flow}/on-demand", parameters={"user": USER, **given}, timeout=240, poll_interval=0.5)


def test_a_worker_builds_on_the_blocks_of_the_deployment(worker: subprocess.Popen[bytes], shared: Ports) -> None:
    """`prefect deploy` as the manifest is, then two runs: the image is in the bucket, and no run holds a secret."""
    (appliance,) = shared.catalog.appliances.list(USER)
    first = _deployed("generate-image", appliance=appliance.id)
    assert first.state.is_completed(), first.state
    (image,) = shared.catalog.tickets.list()
    again = _deployed("regenerate-image", appliance=appliance.id, image=image.id, rebuild=True)
    assert again.state.is_completed(), again.state
    assert again.work_pool_name == "reforge"
    assert {again.parameters[block] for block in _IN_BLOCKS} == {"main"}
    assert SECRET not in json.dumps(again.parameters)
    records = [
        record for ticket in shared.catalog.tickets.list() if (record := shared.catalog.tickets.record(ticket.id))
    ]
    assert len(records) == 2
    files = {record.generation.file.sha256: record.generation.file.size for record in records if record.generation.file}
    ((sha256, size),) = files.items()
    shared.store.verify(sha256, size, lambda: None)
    assert shared.store.unfinished() == ()
    assert "tree packed" in shared.store.log(records[1].ticket, 1, "rootfs")
    assert worker.poll() is None


def test_a_ticket_of_a_quota_that_is_used_up_when_it_runs_ends_in_error(
    worker: subprocess.Popen[bytes], shared: Ports
) -> None:
    """Asked while there was room and run when there is none: the ticket says why, and so does the run."""
    from tasks.dispatch import dispatch  # noqa: PLC0415 (Prefect is imported after its server is named)

    image = shared.catalog.tickets.list()[0]
    request = Regeneration(user=USER, appliance=image.appliance, image=image.id)
    ticket, _ = admit(shared, request)
    shared.catalog.quotas.set(USER, "diskusage", 1)
    with pytest.raises(QuotaExceeded):
        admit(shared, request)
    dispatch(shared, ticket.id, dict.fromkeys(_IN_BLOCKS, "main"))
    wait_until(lambda: shared.catalog.tickets.get(ticket.id).terminal, "the ticket ends", 60)
    ended = shared.catalog.tickets.get(ticket.id)
    assert (ended.state, "diskusage" in ended.error) == ("error", True)
    shared.catalog.quotas.set(USER, "diskusage", None)
    assert worker.poll() is None


def test_deploying_again_keeps_what_was_added(worker: subprocess.Popen[bytes]) -> None:
    """A schedule that was added to the deployment is there after the next `prefect deploy`."""
    from tests.flows.serving import schedule  # noqa: PLC0415

    schedule("kept", {"user": USER, "appliance": 1, "image": 1}, 3600)
    _run("prefect", "--no-prompt", "deploy", "--all", "--prefect-file", _MANIFEST)
    assert "kept" in _run("reforge", "schedule", "list")
    _run("reforge", "schedule", "remove", "kept")
    assert worker.poll() is None
