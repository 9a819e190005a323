"""Who starts the embedded server, who joins it, who ends it. Starts are shared, for each takes many seconds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Protocol, cast
from uuid import UUID

import httpx
import psutil
import pytest

from blocks.errors import PrefectUnavailable
from deployments.embedded import entry as entries
from deployments.embedded import process, server
from deployments.embedded.entry import Entry

pytestmark = pytest.mark.flow

COMMAND = Path(__file__).with_name("command.py")


class Command:
    """A running command that uses, or is about to use, the server of a home."""

    def __init__(self, home: Path, *words: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(COMMAND), str(home), *words],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def said(self) -> dict[str, Any]:
        """What it says once it uses the server."""
        return cast("dict[str, Any]", json.loads(cast("IO[bytes]", self.process.stdout).readline()))

    def leave(self) -> bytes:
        """Let it end by itself; what it still said."""
        rest, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0
        return rest

    def end(self, how: signal.Signals) -> None:
        """End it by a signal to all that its terminal would reach."""
        os.killpg(self.process.pid, how)
        self.process.communicate(timeout=60)


class Begin(Protocol):
    """Begins a command."""

    def __call__(self, home: Path, *words: str, **environment: str) -> Command:
        """A command of the home."""


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Begins commands; those that still run after the test are ended."""
    with ExitStack() as stack:

        def begin(home: Path, *words: str, **environment: str) -> Command:
            command = Command(home, *words, **environment)
            stack.callback(_end, command)
            return command

        yield begin


def _end(command: Command) -> None:
    if command.process.poll() is None:
        command.leave()


@pytest.fixture(scope="module")
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is none of ours."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        yield other
        other.kill()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, bystander: subprocess.Popen[bytes]) -> Path:
    """A home whose `server.json` is left from a crash; the bystander bears its process id by now."""
    folder = tmp_path_factory.mktemp("shared") / "home"
    folder.mkdir()
    entries.write(folder, Entry(pid=bystander.pid, started=1.0, port=4200))
    return folder


@pytest.fixture(scope="module")
def keeper(home: Path) -> Iterator[dict[str, Any]]:
    """What the command said that started the home's server and uses it throughout the module."""
    command = Command(home, "flow")
    yield command.said()
    entry = entries.read(home)
    assert command.leave() == b""
    assert entry is not None
    assert nothing_is_left(home, entry)


@pytest.fixture
def entry(home: Path, keeper: dict[str, Any]) -> Iterator[Entry]:
    """The keeper's server, which is still the same and alive after the test."""
    entry = entries.read(home)
    assert entry is not None
    assert entry.address == keeper["address"]
    yield entry
    assert entries.read(home) == entry
    assert entry.process() is not None
    assert healthy(entry)


def healthy(entry: Entry) -> bool:
    """Whether the server answers."""
    return process._healthy(entry)


def eventually(condition: Callable[[], object]) -> bool:
    """Whether the condition comes true in time."""
    end = time.monotonic() + 30
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return bool(condition())


def nothing_is_left(home: Path, entry: Entry) -> bool:
    """Whether process, entry and users are gone."""
    return not psutil.pid_exists(entry.pid) and not entries.read(home) and not list((home / "server-users").iterdir())


def test_a_stale_entry_harms_nobody(entry: Entry, bystander: subprocess.Popen[bytes]) -> None:
    """A process that bears the id of a former server is left alone, and the entry is replaced."""
    assert bystander.poll() is None
    assert entry.pid != bystander.pid


def test_prefect_is_imported_late_and_lives_below_the_home(home: Path, keeper: dict[str, Any]) -> None:
    """The server comes first, then Prefect with its home below ours."""
    assert keeper["early"] is False
    assert keeper["result"] == str(home / "prefect")


def test_the_server_is_private(home: Path, entry: Entry) -> None:
    """It listens on loopback only, tells nobody about us, shows the right port to its UI, and has no terminal."""
    living = entry.process()
    assert living is not None
    environment = living.environ()
    assert [each.laddr.ip for each in living.net_connections("tcp") if each.status == "LISTEN"] == ["127.0.0.1"]
    assert environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert environment["DO_NOT_TRACK"] == "1"
    assert environment["PREFECT_SERVER_API_PORT"] == str(entry.port)
    assert os.getsid(entry.pid) == entry.pid
    assert (home / "prefect").stat().st_mode & 0o077 == 0


def test_a_flow_of_this_process(home: Path, entry: Entry) -> None:
    """A flow runs on the shared server, though Prefect may be imported already, and is seen there completed."""
    with server(home, print) as address:
        from prefect.client.orchestration import get_client  # noqa: PLC0415 - not before the environment is set

        run_id = run_flow()
        with get_client(sync_client=True) as client:
            assert str(client.api_url).rstrip("/") == address == entry.address
            state = client.read_flow_run(run_id).state
        assert state is not None
        assert state.is_completed()


def test_what_is_left_in_this_process(home: Path, entry: Entry) -> None:
    """Afterwards the environment and Prefect's settings are as before, and the flow's log is with the server."""
    before = dict(os.environ)
    with server(home, print):
        from prefect.settings import get_current_settings  # noqa: PLC0415 - not before the environment is set

        run_id = run_flow()
    assert dict(os.environ) == before
    assert get_current_settings().api.url is None
    logs = httpx.post(f"{entry.address}/logs/filter", json={"logs": {"flow_run_id": {"any_": [str(run_id)]}}}).json()
    assert "a line of the log" in [line["message"] for line in logs]


def run_flow() -> UUID:
    """Run a trivial flow; its run's id."""
    from prefect import flow, get_run_logger  # noqa: PLC0415 - not before the environment is set

    @flow
    def trivial() -> None:
        get_run_logger().info("a line of the log")

    state = trivial(return_state=True)
    assert state.state_details.flow_run_id is not None
    return state.state_details.flow_run_id


def test_a_second_command_joins(home: Path, entry: Entry, begin: Begin) -> None:
    """It uses the same server, which lives on when it leaves."""
    second = begin(home)
    assert second.said()["address"] == entry.address
    assert second.leave() == b""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_command_that_is_ended(home: Path, entry: Entry, begin: Begin, how: signal.Signals) -> None:
    """Ctrl-C or kill -9 of one user doesn't touch the server that another still needs."""
    second = begin(home)
    assert second.said()["address"] == entry.address
    second.end(how)


def test_a_proxy_is_passed_by(home: Path, entry: Entry, begin: Begin) -> None:
    """A proxy for the world, here a dead one, doesn't stand between a flow and its server."""
    command = begin(home, "flow", HTTP_PROXY="http://127.0.0.1:9", http_proxy="http://127.0.0.1:9", NO_PROXY="example")
    assert command.said()["address"] == entry.address


@pytest.mark.parametrize("word", ["environment", "profile"])
def test_a_named_server_is_used(tmp_path: Path, entry: Entry, begin: Begin, word: str) -> None:
    """An API that environment or profile names is used, and nothing is started."""
    profiles = tmp_path / "profiles.toml"
    profiles.write_text(f'active = "mine"\n[profiles.mine]\nPREFECT_API_URL = "{entry.address}"')
    named = {"environment": {"PREFECT_API_URL": entry.address}, "profile": {"PREFECT_PROFILES_PATH": str(profiles)}}
    command = begin(tmp_path / "home", **named[word])
    assert command.said()["address"] == entry.address
    command.leave()
    assert not (tmp_path / "home").exists()


def test_the_last_user_ends_it(tmp_path: Path, begin: Begin) -> None:
    """Two commands at once start one server; one is killed, a third joins; when all are gone, nothing is left."""
    home = tmp_path / "home"
    one, two = begin(home), begin(home)
    assert one.said() == two.said()
    entry = entries.read(home)
    assert entry is not None
    one.end(signal.SIGKILL)
    two.end(signal.SIGKILL)
    assert entry.process() is not None
    with server(home, print) as address:
        assert address == entry.address
    assert eventually(lambda: nothing_is_left(home, entry))


def test_a_server_that_ends_while_it_starts(tmp_path: Path) -> None:
    """The error carries the end of its log, and nothing is left."""
    (tmp_path / "prefect" / "prefect.db").mkdir(parents=True)
    with pytest.raises(PrefectUnavailable, match="unable to open database file") as caught, server(tmp_path, print):
        pytest.fail("there can be no server")
    assert str(tmp_path / "prefect" / "server.log") in caught.value.hint
    assert entries.read(tmp_path) is None
    assert not list((tmp_path / "server-users").iterdir())
