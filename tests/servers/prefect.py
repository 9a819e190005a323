"""Prefect's server as an operator runs it: in one process on SQLite, or in several on PostgreSQL with Redis between.

Whatever it is told by the environment of who starts it doesn't count; each process can be killed and started again.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from secrets import SystemRandom

from tests.servers.manifests import variables
from tests.waiting import wait_until

_PRIVATE = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1", "PYTHONUNBUFFERED": "1"}
# Below those that the kernel hands out to connections: the port stays free while a server is down.
_PORTS = range(20000, 32768)
_REDIS = ("PREFECT_REDIS_MESSAGING_URL", "PREFECT_REDIS_WORKER_CLEANUP_QUEUE_URL", "PREFECT_SERVER_DOCKET_URL")


@dataclass
class Program:
    """A process of Prefect's command, its output in a log."""

    argv: tuple[str, ...]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin it; whether it is ready is to be waited for."""
        assert self.process is None
        ends_with_us = ("/usr/bin/setpriv", "--pdeathsig=KILL", "--")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*ends_with_us, sys.executable, "-m", "prefect", *self.argv],
                cwd=self.log.parent,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """End it at once, as a power failure would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def lives(self) -> bool:
        """True while it runs; a process that ended by itself fails the test with its log."""
        assert self.process is None or self.process.poll() is None, self.log.read_text("utf-8")[-4000:]
        return self.process is not None


@dataclass
class Server(Program):
    """A process that serves the API and the UI, always at the same port."""

    port: int = 0

    @property
    def address(self) -> str:
        """The API's URL."""
        return f"http://127.0.0.1:{self.port}/api"

    def await_health(self) -> None:
        """Wait until it answers."""
        wait_until(lambda: self.lives() and _answers(self.port), f"Prefect's server answers, see {self.log}", 150)


@dataclass(frozen=True)
class Prefect:
    """Server processes of one database; the services are in a process of their own if there are several."""

    servers: tuple[Server, ...]
    services: Program | None = None

    @property
    def address(self) -> str:
        """The API's URL at the first one."""
        return self.servers[0].address


@contextmanager
def one(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Prefect]:
    """One process with everything in it, on SQLite in the folder."""
    environment = _environment(folder, dict(settings or {}))
    server = _server(folder, "server", environment)
    with ExitStack() as ending:
        _begin(ending, server)
        server.await_health()
        yield Prefect((server,))


@contextmanager
def several(
    folder: Path, database: str, redis: str, servers: int = 2, settings: Mapping[str, str] | None = None
) -> Iterator[Prefect]:
    """Processes on an empty database (a URL for asyncpg) and one for the services, who share what happens by Redis.

    They are told what the production manifest tells them. The types of our blocks are registered when one is saved.
    """
    shared = {**variables("servers.env"), "PREFECT_API_DATABASE_CONNECTION_URL": database}
    environment = _environment(folder, {**shared, **dict.fromkeys(_REDIS, redis), **(settings or {})})
    argv = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "-y"]
    done = subprocess.run(argv, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    services = Program(("server", "services", "start"), environment, folder / "services.log")
    all_of_them = tuple(_server(folder, f"server-{n}", environment, "--no-services") for n in range(1, servers + 1))
    with ExitStack() as ending:
        for program in (*all_of_them, services):
            _begin(ending, program)
        for server in all_of_them:
            server.await_health()
        assert services.lives()
        yield Prefect(all_of_them, services)


def _begin(ending: ExitStack, program: Program) -> None:
    program.start()
    ending.callback(program.kill)


def _server(folder: Path, name: str, environment: dict[str, str], *options: str) -> Server:
    port = _free_port()
    argv = ("server", "start", "--host", "127.0.0.1", "--port", str(port), *options)
    home = folder / name  # which blocks are registered is noted there, for each process anew
    home.mkdir()
    return Server(argv, {**environment, "PREFECT_HOME": str(home)}, folder / f"{name}.log", port=port)


def _environment(folder: Path, settings: dict[str, str]) -> dict[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
    return {**inherited, **_PRIVATE, "PREFECT_HOME": str(folder), **settings}


def _answers(port: int) -> bool:
    with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        try:
            connection.request("GET", "/api/health")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False


def _free_port() -> int:
    return next(port for port in SystemRandom().sample(_PORTS, k=len(_PORTS)) if _free(port))


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
