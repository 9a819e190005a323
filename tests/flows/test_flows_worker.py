"""A worker of a work pool on the production manifests: the runs take catalog and store from blocks."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from blocks.model.summary import Summary
from blocks.ports import Ports
from blocks.settings import Settings
from tests.flows.conftest import USER
from tests.waiting import wait_until

pytestmark = [pytest.mark.flow, pytest.mark.build]
_BIN = Path(sys.executable).parent
_ROOT = Path(__file__).parents[2]
_MANIFEST = "deployments/production/prefect.yaml"


def _prefect(*arguments: str) -> str:
    done = subprocess.run(
        [str(_BIN / "prefect"), "--no-prompt", *arguments], capture_output=True, text=True, check=False, cwd=_ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def worker(api: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[bytes]]:
    """A process worker of the pool that the manifest names."""
    from blocks.collection import ReforgeBuilder, ReforgeCatalog, ReforgeStore  # noqa: PLC0415 (Prefect comes later)

    assert api
    settings = Settings()
    ReforgeCatalog(url=SecretStr(settings.catalog())).save("main", overwrite=True)
    ReforgeStore(url=settings.store()).save("main", overwrite=True)
    ReforgeBuilder().save("main", overwrite=True)
    _prefect("work-pool", "create", "reforge", "--type", "process", "--overwrite")
    _prefect("deploy", "--all", "--prefect-file", _MANIFEST)
    log = tmp_path_factory.mktemp("worker") / "worker.log"
    argv = [str(_BIN / "prefect"), "worker", "start", "--pool", "reforge", "--type", "process"]
    with log.open("wb") as output:
        process = subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        wait_until(lambda: process.poll() is not None or "started!" in log.read_text("utf-8"), "the worker listens", 60)
        assert process.poll() is None, log.read_text("utf-8")
        yield process
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    finally:
        process.kill()
        process.wait()


def test_a_worker_regenerates_on_the_blocks_of_the_deployment(
    worker: subprocess.Popen[bytes], first: Summary, ports: Ports
) -> None:
    """`prefect deploy` as the manifest is, then a run: its ticket is complete, and the run holds no secret."""
    from prefect.deployments import run_deployment  # noqa: PLC0415

    appliance = ports.catalog.tickets.get(first.ticket).appliance
    given = {"user": USER, "appliance": appliance, "image": first.ticket, "policy": "exact"}
    run: Any = run_deployment("regenerate-image/on-demand", parameters=given, timeout=180, poll_interval=0.5)
    assert run.state.is_completed(), run.state
    assert run.work_pool_name == "reforge"
    assert {run.parameters[block] for block in ("catalog", "store", "builder")} == {"main"}
    ticket = ports.catalog.tickets.list(parent=first.ticket)[-1]
    assert (ticket.flow_run, ticket.state) == (str(run.id), "complete")
    assert worker.poll() is None


def test_deploying_again_keeps_what_was_added(worker: subprocess.Popen[bytes], first: Summary, ports: Ports) -> None:
    """A schedule that was added to the deployment is there after the next `prefect deploy`."""
    appliance = ports.catalog.tickets.get(first.ticket).appliance
    argv = [str(_BIN / "reforge"), "schedule", "add", USER, str(appliance), str(first.ticket), "--cron", "0 3 * * *"]
    subprocess.run([*argv, "--name", "kept"], check=True, capture_output=True)
    _prefect("deploy", "--all", "--prefect-file", _MANIFEST)
    listed = subprocess.run([str(_BIN / "reforge"), "schedule", "list"], check=True, capture_output=True, text=True)
    assert "kept" in listed.stdout
    subprocess.run([str(_BIN / "reforge"), "schedule", "remove", "kept"], check=True, capture_output=True)
    assert worker.poll() is None
