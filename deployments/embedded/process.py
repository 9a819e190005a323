"""The server's process: started apart from our terminal, awaited until it is healthy, ended with all it started."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from secrets import SystemRandom
from typing import IO, cast

import psutil

from blocks.errors import PrefectUnavailable
from deployments.embedded import encryption, registration
from deployments.embedded import entry as entries
from deployments.embedded.entry import HOST, Entry

PRIVATE = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
# The server waits for a word before it begins, so that it never runs without being entered in server.json.
_COMMAND = ("/bin/sh", "-c", 'read -r word && exec "$0" "$@" </dev/null', sys.executable, "-m", "prefect")
# Below the ports that the kernel hands out to connections: the server binds its port seconds after it is chosen.
_PORTS = range(20000, 32768)
_START = 150.0
_REPORT = 5.0
_END = 10.0
_TAIL = 2000
# Started here: kept until they end, for others may use them when we are gone.
_started: list[subprocess.Popen[bytes]] = []


def folder(home: Path) -> Path:
    """Prefect's own home, below ours."""
    return home / "prefect"


def start(home: Path, report: Callable[[str], None], port: int | None = None) -> Entry:
    """A new, healthy server, entered in `server.json`; at a free port unless one is given."""
    first = not (folder(home) / "prefect.db").exists()
    report(f"Starting the Prefect server ({'first start takes about 20 s' if first else 'about 8 s'}) …")
    if port is not None and not _free(port):
        raise PrefectUnavailable(f"Port {port} of this machine is taken", "Name another one, or end what listens there")
    entry = _spawn(home, port or _free_port())
    await_health(home, entry, report)
    return entry


def await_health(home: Path, entry: Entry, report: Callable[[str], None]) -> None:
    """Wait until the server answers; if it ends or takes too long, the error carries the end of its log."""
    begin = reported = time.monotonic()
    while not _healthy(entry):
        now = time.monotonic()
        if entry.process() is None:
            raise _failed(home, "The Prefect server ended while it started")
        if now - begin > _START:
            raise _failed(home, f"The Prefect server doesn't answer at {entry.address} after {_START:.0f} s")
        if now - reported > _REPORT:
            reported = now
            report(f"Waiting for the Prefect server ({now - begin:.0f} s) …")
        time.sleep(0.1)


def end(entry: Entry) -> None:
    """End the server and what it started, by force after a while; a process that only bears its id is left alone."""
    leader = entry.process()
    if leader is None:
        return
    processes = [leader, *leader.children(recursive=True)]
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(processes, timeout=_END)
    for process in stubborn:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=_END)
    _forget_ended()


def _spawn(home: Path, port: int) -> Entry:
    folder(home).mkdir(mode=0o700, parents=True, exist_ok=True)
    log = _log(home)
    with suppress(FileNotFoundError):
        log.replace(log.with_suffix(".log.1"))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*_COMMAND, "server", "start", "--host", HOST, "--port", str(port)],
            cwd=folder(home),
            env=_environment(home, port),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _started.append(process)
    entry = Entry(pid=process.pid, started=psutil.Process(process.pid).create_time(), port=port)
    entries.write(home, entry)
    with cast("IO[bytes]", process.stdin) as word:
        word.write(b"begin\n")
    return entry


def _forget_ended() -> None:
    _started[:] = [process for process in _started if process.poll() is None]


def _environment(home: Path, port: int) -> dict[str, str]:
    """What the server is told: the same whoever starts it, since others will share it."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
    return (
        inherited
        | PRIVATE
        | {
            "PREFECT_HOME": str(folder(home)),
            "PREFECT_SERVER_API_HOST": HOST,
            "PREFECT_SERVER_API_PORT": str(port),
            "PREFECT_SERVER_UI_ENABLED": "true",
            # Also what is added to a schedule's next minutes is planned in time.
            "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "10",
            # Not an hour ahead: whatever is planned and missed must be looked at when runs are served again.
            "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_SCHEDULED_TIME": "PT2M",
            "PREFECT_SERVER_ENCRYPTION_KEY": encryption.key(folder(home)) or "",
            "PREFECT_MEMO_STORE_PATH": str(registration.memo(folder(home))),
            "PYTHONUNBUFFERED": "1",
        }
    )


def _free_port() -> int:
    return next(port for port in SystemRandom().sample(_PORTS, k=len(_PORTS)) if _free(port))


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _healthy(entry: Entry) -> bool:
    return _listens(entry) and _answers(entry.port)


def _listens(entry: Entry) -> bool:
    process = entry.process()
    try:
        connections = process.net_connections("tcp") if process else []
    except psutil.NoSuchProcess:
        return False
    return any(each.status == psutil.CONN_LISTEN and each.laddr.port == entry.port for each in connections)


def _answers(port: int) -> bool:
    with closing(HTTPConnection(HOST, port, timeout=5)) as connection:
        try:
            connection.request("GET", "/api/health")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False


def _failed(home: Path, what: str) -> PrefectUnavailable:
    log = _log(home)
    tail = log.read_bytes()[-_TAIL:].decode(errors="replace").strip()
    return PrefectUnavailable(f"{what}; the end of {log}:\n{tail}\n", f"Look into {log}, then try again")


def _log(home: Path) -> Path:
    return folder(home) / "server.log"
