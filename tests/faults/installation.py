"""The installation under test: everything an operator would run, each in processes of its own that may be killed.

Catalog and Prefect's database on a PostgreSQL each, rclone's S3 as the store, one Prefect server, and two workers with
separate home folders on one work pool. All of it on the loopback, all logs in one folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import httpx
import psutil
from psycopg import sql
from pydantic import SecretStr

from blocks.model import Script, Ticket
from blocks.ports import Ports
from blocks.settings import Settings
from tests.faults.observation import Observation
from tests.flows.conftest import USER, small
from tests.servers import postgresql, prefect
from tests.servers.postgresql import Postgresql
from tests.servers.rclone import ACCESS, CREDENTIALS, SECRET, command, free_port, listens
from tests.servers.relay import Cuttable, cuttable
from tests.waiting import wait_until

_BIN = Path(sys.executable).parent
_ROOT = Path(__file__).parents[2]
_POOL = "reforge"
_DEPLOY = ("deploy", "--all", "--prefect-file", "deployments/production/prefect.yaml")
_DISCONNECT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'catalog_%'"
_TIED = ("setpriv", "--pdeathsig=KILL", "--")
_CACHES = ("apt", "pool", "tools", "index")


@dataclass
class Store:
    """rclone's S3 server, always at one port and on one folder."""

    folder: Path
    log: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Serve, and wait until it listens."""
        with self.log.open("ab") as log:
            argv = [*_TIED, *command(self.folder, self.port)]
            self.process = subprocess.Popen(argv, stdout=log, stderr=log)
        wait_until(lambda: listens(self.port), "the store listens", 30)

    def kill(self) -> None:
        """End it at once; what it has not written is lost."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@dataclass
class Worker:
    """`reforge worker` with a home of its own."""

    name: str
    home: Path
    log: Path
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    _before: int = 0

    def start(self) -> None:
        """Begin it; whether it is ready is to be waited for."""
        argv = [*_TIED, "/usr/bin/env", "--default-signal=INT", str(_BIN / "reforge")]
        self._before = self._said()
        argv += ["worker", "--pool", _POOL, "--name", self.name, "--limit", "3", "--blocks", "main"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(self.environment), cwd=_ROOT
            )

    def await_ready(self) -> None:
        """Wait until it asks for work."""
        wait_until(self._begun, f"worker {self.name} begins, see {self.log}", 180)

    def lives(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def own(self) -> list[psutil.Process]:
        """Its processes without those of runs and what these started: itself and the worker of Prefect."""
        return [process for process in self.tree() if not any(map(run_of, _line(process)))]

    def tree(self) -> list[psutil.Process]:
        """Its processes with all that descend from them."""
        if not self.lives() or self.process is None:
            return []
        leader = psutil.Process(self.process.pid)
        return [leader, *leader.children(recursive=True)]

    def kill(self, *, runs: bool) -> None:
        """End it at once, with the runs or without them."""
        _kill(self.tree() if runs else self.own())
        if self.process is not None:
            self.process.wait()
            self.process = None

    def tell_to_end(self) -> None:
        """Have it end as by a service's restart."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    def await_end(self, seconds: float = 60) -> int:
        """The status it ends with, once it has."""
        assert self.process is not None
        status = self.process.wait(seconds)
        self.kill(runs=False)
        return status

    def runs(self, pid: int) -> bool:
        """Whether that process descends from it, and not from one that was killed before."""
        return pid in {process.pid for process in self.tree()}

    def _begun(self) -> bool:
        assert self.lives(), self.log.read_text("utf-8", "replace")[-4000:]
        return self._said() > self._before

    def _said(self) -> int:
        """How often a worker has said that it begins."""
        return self.log.read_text("utf-8", "replace").count("started!") if self.log.exists() else 0


@dataclass
class Client:
    """The process that speaks to Prefect for the harness."""

    process: subprocess.Popen[str]

    def ask(self, do: str, **given: object) -> Any:
        """Have it done; the answer."""
        requests, answers = cast("IO[str]", self.process.stdin), cast("IO[str]", self.process.stdout)
        requests.write(json.dumps({"do": do, **given}) + "\n")
        requests.flush()
        answer = json.loads(answers.readline() or '{"error": "the client has ended"}')
        assert "error" not in answer, answer["error"]
        return answer["answer"]


@dataclass
class Installation:
    """All of it, and what tests do with it."""

    folder: Path
    observation: Observation
    database: Postgresql
    server: prefect.Server
    store: Store
    relay: Cuttable
    workers: tuple[Worker, ...]
    client: Client
    ports: Ports
    environment: Mapping[str, str]
    catalog: str

    def appliance(self, name: str, *scripts: Script) -> int:
        """A small appliance of that name."""
        return self.ports.catalog.appliances.add(USER, small(*scripts, name=name))

    def generate(self, appliance: int) -> int:
        """Have its image made by the deployment; the ticket."""
        return int(self.client.ask("generate", user=USER, appliance=appliance))

    def regenerate(self, appliance: int, image: int, **given: object) -> int:
        """Have an image made again likewise."""
        return int(self.client.ask("regenerate", user=USER, appliance=appliance, image=image, **given))

    def ticket(self, number: int) -> Ticket:
        """The ticket, unsettled: whoever keeps the installation going must see to it, not the harness."""
        return self.ports.catalog.tickets.get(number)

    def await_end(self, number: int, seconds: float = 600) -> Ticket:
        """The ticket, once it has ended."""
        wait_until(lambda: self.ticket(number).terminal, f"ticket {number} ends", seconds)
        return self.ticket(number)

    def pause(self, deployment: str) -> None:
        """Have a deployment's schedules plan nothing."""
        found = httpx.get(f"{self.server.address}/deployments/name/{deployment}").json()
        change = {"paused": True}
        httpx.patch(f"{self.server.address}/deployments/{found['id']}", json=change).raise_for_status()

    def image(self, number: int) -> str | None:
        """The sha256 of a complete ticket's file."""
        record = self.ports.catalog.tickets.record(number)
        return record.generation.file.sha256 if record and record.generation.file else None

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Have no worker take up a run for the length of the context."""
        pool = f"{self.server.address}/work_pools/{_POOL}"
        httpx.patch(pool, json={"is_paused": True}).raise_for_status()
        yield
        httpx.patch(pool, json={"is_paused": False}).raise_for_status()

    def cancel_run(self, run: str | None) -> None:
        """Cancel a run in Prefect, as the button in its UI does."""
        wanted = {"state": {"type": "CANCELLING", "name": "Cancelling"}, "force": False}
        httpx.post(f"{self.server.address}/flow_runs/{run}/set_state", json=wanted).raise_for_status()

    def disconnect(self) -> None:
        """End every connection to the catalog's database."""
        self.database.execute(sql.SQL(_DISCONNECT))

    def worker_of(self, pid: int) -> Worker:
        """The worker whose home a run's process works in."""
        home = psutil.Process(pid).environ()["REFORGE_HOME"]
        return next(worker for worker in self.workers if str(worker.home) == home)

    def run_state(self, run: str | None) -> str:
        """The type of the run's state in Prefect."""
        return str(httpx.get(f"{self.server.address}/flow_runs/{run}").json()["state"]["type"])

    def command(self, *arguments: object, home: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Call the command line as an operator of this installation."""
        environment = {**self.environment, **({"REFORGE_HOME": str(home)} if home else {})}
        argv = [str(_BIN / "reforge"), *map(str, arguments)]
        return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)

    def housekeep(self) -> None:
        """Run housekeeping once, on one of the workers' machines."""
        done = self.command("housekeeping", home=self.workers[0].home)
        assert done.returncode == 0, done.stderr

    def wipe(self) -> None:
        """Forget every stage's output, on both machines and in the store; package files stay."""
        for worker in self.workers:
            for stage in ("rootfs", "disk", "pack"):
                shutil.rmtree(worker.home / "cache" / "checkpoints" / stage, ignore_errors=True)
        catalog = self.ports.catalog
        for digest in catalog.checkpoints.excess(0):
            for sha256 in catalog.checkpoints.drop(digest):
                self.ports.store.remove(sha256)
                catalog.blobs.forget(sha256)

    def equalise(self, told_by: str = "pool/*/*", caches: Iterable[str] = _CACHES) -> None:
        """Give every worker what one of them has most of: the packages and tools that it has fetched."""
        full = max(self.workers, key=lambda worker: len(list((worker.home / "cache").glob(told_by))))
        for worker in self.workers:
            for name in caches if worker is not full else ():
                (worker.home / "cache" / name).mkdir(parents=True, exist_ok=True)
                argv = ["cp", "-a", f"{full.home}/cache/{name}/.", f"{worker.home}/cache/{name}"]
                subprocess.run(argv, check=True)


def run_of(process: psutil.Process) -> str | None:
    """The flow run that a process works for."""
    try:
        return process.environ().get("PREFECT__FLOW_RUN_ID")
    except psutil.Error:
        return None


def _line(process: psutil.Process) -> list[psutil.Process]:
    """The process and those that it descends from; a sandbox keeps no environment, so its starter's tells the run."""
    try:
        return [process, *process.parents()]
    except psutil.NoSuchProcess:
        return [process]


@contextmanager
def installed(folder: Path) -> Iterator[Installation]:
    """Set all of it up in the folder, and take it down."""
    folder.mkdir(parents=True, exist_ok=True)
    observation = Observation(folder / "observation")
    with ExitStack() as ending:
        ending.callback(_end_observed, observation)
        database, own = (ending.enter_context(postgresql.serving()) for _ in range(2))
        name = ending.enter_context(database.database())
        url = own.url(ending.enter_context(own.database())).replace("psycopg", "asyncpg")
        store = Store(folder / "buckets", folder / "store.log")
        (store.folder / "images").mkdir(parents=True)
        store.start()
        ending.callback(store.kill)
        relay = ending.enter_context(cuttable(store.port))
        address = f"s3://images/reforge?endpoint=http://127.0.0.1:{relay.port}"
        served = ending.enter_context(prefect.one(folder / "prefect", {"PREFECT_API_DATABASE_CONNECTION_URL": url}))
        server = served.servers[0]
        common = _environment(folder, server.address)
        operator = common | {
            "REFORGE_HOME": str(folder / "operator"),
            "REFORGE_CATALOG_URL": database.url(name),
            "REFORGE_STORE_URL": address,
            "AWS_ACCESS_KEY_ID": ACCESS,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }
        settings = Settings(
            home=folder / "harness", catalog_url=SecretStr(database.url(name)), store_url=address
        ).with_store_keys(CREDENTIALS)
        ports = ending.enter_context(Ports.open(settings, prepare=True))
        ports.catalog.users.add(USER, ("image_generate", "appliance_create"))
        client = Client(ending.enter_context(_client(operator, folder / "client.log")))
        client.ask("prepare", pool=_POOL)
        workers = tuple(_worker(folder, name, {**common, **observation.environment()}) for name in ("one", "two"))
        for worker in workers:
            worker.start()
            ending.callback(worker.kill, runs=True)
        _prefect(operator, *_DEPLOY)
        for worker in workers:
            worker.await_ready()
        yield Installation(
            folder, observation, database, server, store, relay, workers, client, ports, operator, database.url(name)
        )


def _environment(folder: Path, address: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT_", "REFORGE_", "AWS_"))}
    own = {"PREFECT_HOME": str(folder / "prefect-client"), "PREFECT_API_URL": address, "DO_NOT_TRACK": "1"}
    return {**kept, **own, "PREFECT_WORKER_QUERY_SECONDS": "1", "PYTHONUNBUFFERED": "1"}


def _worker(folder: Path, name: str, common: Mapping[str, str]) -> Worker:
    own = {"REFORGE_HOME": str(folder / f"home-{name}"), "PREFECT_HOME": str(folder / f"prefect-{name}")}
    return Worker(name, folder / f"home-{name}", folder / f"worker-{name}.log", {**common, **own})


@contextmanager
def _client(environment: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[str]]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*_TIED, sys.executable, "-m", "tests.faults.client"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            env=dict(environment),
            cwd=_ROOT,
            text=True,
        )
    with process:
        yield process
        process.kill()


def _prefect(environment: Mapping[str, str], *arguments: str) -> None:
    argv = [str(_BIN / "prefect"), "--no-prompt", *arguments]
    done = subprocess.run(argv, env=dict(environment), cwd=_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=10)


def _end_observed(observation: Observation) -> None:
    """End whatever process of this installation is still there, known by its environment."""
    _kill([process for process in psutil.process_iter() if _observed(process, observation)])


def _observed(process: psutil.Process, observation: Observation) -> bool:
    try:
        return process.environ().get("FAULTS_FOLDER") == str(observation.folder)
    except psutil.Error:
        return False
