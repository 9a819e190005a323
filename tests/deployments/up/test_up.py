"""`reforge up`: Prefect's server and UI with all deployments served, as long as it runs."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.waiting import wait_until

pytestmark = pytest.mark.flow
_NAMES = ("regenerate-image/on-demand", "generate-image/on-demand", "housekeeping/scheduled")
_PROGRAM = str(Path(sys.executable).parent / "reforge")


@contextmanager
def _up(home: Path, ending: signal.Signals, *arguments: str) -> Iterator[tuple[str, int]]:
    """The API's address and the process that serves the home; it must end in good order, with all that it started."""
    environment = {**os.environ, "REFORGE_HOME": str(home)}
    argv = [_PROGRAM, "up", *arguments]
    with subprocess.Popen(
        argv, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        assert process.stderr is not None
        told = next(line for line in process.stderr if line.startswith("Serving "))
        assert all(name in told for name in _NAMES)
        found = re.search(r"its API: (\S+)", told)
        assert found is not None
        started = psutil.Process(process.pid).children(recursive=True)
        try:
            yield found[1], process.pid
            process.send_signal(ending)
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()
    _, alive = psutil.wait_procs(started, timeout=10)
    assert alive == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(found[1])
    assert not (home / "server.json").exists()


def _deployment(address: str) -> Any:
    return httpx.get(f"{address}/deployments/name/{_NAMES[0]}").json()


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health").is_success
    except httpx.TransportError:
        return False


def test_it_serves_until_it_is_told_to_end_and_keeps_what_people_changed(tmp_path: Path) -> None:
    """Started twice it tells where it is; what people made outlives its end and start, and its server's death."""
    with _up(tmp_path, signal.SIGTERM) as (address, _):
        assert "Prefect" in httpx.get(address.removesuffix("/api")).text
        twice = subprocess.run(
            [_PROGRAM, "up"],
            capture_output=True,
            text=True,
            env={**os.environ, "REFORGE_HOME": str(tmp_path)},
            check=False,
        )
        assert (twice.returncode, address in twice.stderr) == (0, True)
        made = {"schedule": {"interval": 3600}, "active": True, "slug": "by-hand", "parameters": {"user": "ada"}}
        deployment = _deployment(address)
        assert httpx.post(f"{address}/deployments/{deployment['id']}/schedules", json=[made]).is_success
        assert not deployment["paused"]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with _up(tmp_path, signal.SIGINT, "--port", str(port)) as (address, _):
        assert f":{port}/" in address
        psutil.Process(json.loads((tmp_path / "server.json").read_text("utf-8"))["pid"]).kill()
        wait_until(lambda: _answers(address), "the server that was killed is there again, at its port", 120)
        again = _deployment(address)
        assert (again["id"], again["paused"]) == (deployment["id"], False)
        assert [(each["slug"], each["parameters"]) for each in again["schedules"]] == [("by-hand", {"user": "ada"})]


def test_nothing_is_handed_over_if_nobody_serves(tmp_path: Path) -> None:
    """`--detach` without `up` says what to do, and makes no ticket."""
    environment = {**os.environ, "REFORGE_HOME": str(tmp_path)}
    for argv in (["user", "add", "alice"], ["regenerate", "alice", "1", "1", "--detach"], ["images", "alice"]):
        done = subprocess.run([_PROGRAM, *argv], capture_output=True, text=True, env=environment, check=False)
        if "--detach" in argv:
            assert (done.returncode, "reforge up" in done.stderr) == (1, True)
        else:
            assert done.returncode == 0
