"""Generations from the command line: their one document, their end, whatever happens to Prefect or the terminal."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from blocks.model import Ticket
from blocks.ports import Ports
from deployments.command_line.interruption import REASON, Interruption
from deployments.command_line.progress import _lines, followed
from tests.calling import Call
from tests.deployments.command_line.conftest import PROGRAM, eventually

_KEYS = ["ticket", "parent", "state", "verdict", "reason", "policy", "digest", "file", "packages", "stages", "flow_run"]
_NOWHERE = "http://127.0.0.1:9/api"


def test_without_prefect_the_ticket_ends_in_error(program: Call, ports: Ports, appliance: int, image: int) -> None:
    """Exit code 1, the whole document, the reason in the catalog; asking again with the same key changes nothing."""
    arguments = ("regenerate", "alice", appliance, image, "--key", "once", "--json")
    answer = program(*arguments, PREFECT_API_URL=_NOWHERE)
    assert (answer.code, list(answer.document)) == (1, _KEYS)
    assert (answer.document["state"], answer.document["parent"]) == ("error", image)
    ticket = ports.catalog.tickets.get(answer.document["ticket"])
    assert ticket.state == "error"
    assert _NOWHERE in ticket.error
    assert "Traceback" not in answer.err
    again = program(*arguments)
    assert (again.code, again.document) == (1, answer.document)


def test_a_first_generation_ends_likewise(program: Call, ports: Ports, appliance: int) -> None:
    """The same document, without a parent; the ticket was told at once, and how to watch and cancel it."""
    answer = program("generate", "alice", appliance, "--format", "raw", "--json", PREFECT_API_URL=_NOWHERE)
    assert (answer.code, list(answer.document), answer.document["parent"]) == (1, _KEYS, None)
    number = answer.document["ticket"]
    assert answer.err.startswith(f"Ticket {number}: requested\n")
    assert f"reforge status alice {appliance} {number}" in answer.err
    assert f"reforge cancel alice {appliance} {number}" in answer.err
    assert ports.catalog.tickets.recipe(number).format == "raw"


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_prefect_starts_cancels_the_ticket(
    ports: Ports, home: Path, appliance: int, image: int, told: signal.Signals
) -> None:
    """Exit code 5, the document, no server left."""
    arguments = [str(PROGRAM), "regenerate", "alice", str(appliance), str(image), "--json"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any("Starting the Prefect server" in line for line in process.stderr)
        eventually((home / "server.json").exists)
        process.send_signal(told)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 5, err
    assert f'"reason": "{REASON}"' in out
    assert [ticket.state for ticket in ports.catalog.tickets.list()] == ["complete", "cancelled"]
    assert not (home / "server.json").exists()


@pytest.mark.flow
def test_a_regeneration_on_a_real_server_answers_unchanged(
    program: Call, ports: Ports, appliance: int, image: int
) -> None:
    """The same lock, the same stages, the file there: complete on the same bytes, with exit code 0."""
    answer = program("regenerate", "alice", appliance, image, "--policy", "exact", "--json")
    assert answer.code == 0, answer.err
    document = answer.document
    assert (list(document), document["verdict"], document["state"]) == (_KEYS, "unchanged", "complete")
    assert list(document["file"]) == ["name", "format", "compression", "size", "sha256", "uri"]
    assert [list(stage) for stage in document["stages"]] == [["name", "seconds", "reused"]] * 3
    assert list(document["packages"]) == ["added", "removed", "upgraded", "downgraded", "unchanged"]
    assert ports.catalog.tickets.get(document["ticket"]).flow_run == document["flow_run"]
    assert document["flow_run"] is not None


@pytest.mark.flow
def test_the_error_that_a_run_ends_in_decides_the_exit_code(
    program: Call, ports: Ports, appliance: int, image: int
) -> None:
    """A plan for another state of the archive: told once, without Prefect's own log, exit code 2 as if asked before."""
    arguments = ("regenerate", "alice", appliance, image, "--policy", "exact", "--plan", "0123456789abcdef", "--json")
    answer = program(*arguments)
    assert (answer.code, answer.document["state"], answer.document["verdict"]) == (2, "error", None)
    assert answer.err.count("The archive has moved") == 1
    assert "Traceback" not in answer.err
    assert "0123456789abcdef" in ports.catalog.tickets.get(answer.document["ticket"]).error


def test_a_signal_breaks_off_what_has_not_begun() -> None:
    """Both signals raise, and are heard as before afterwards."""
    before = signal.getsignal(signal.SIGTERM)
    interruption = Interruption()
    for each in (signal.SIGINT, signal.SIGTERM):
        with pytest.raises(KeyboardInterrupt), interruption.heard():
            os.kill(os.getpid(), each)
    assert signal.getsignal(signal.SIGTERM) is before
    assert not interruption.pending


def test_the_first_signal_is_only_noted_while_a_run_works() -> None:
    """The run ends in good order; the second signal breaks it off."""
    interruption = Interruption()
    with interruption.heard(), interruption.gently():
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.pending
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_whoever_follows_a_ticket_cancels_it_when_interrupted(ports: Ports, live: Ticket) -> None:
    """The catalog is the cancel channel."""
    interruption = Interruption()
    with followed(ports, live.id, interruption):
        interruption.pending = True
        eventually(lambda: ports.catalog.tickets.get(live.id).state == "cancelled")
    assert ports.catalog.tickets.get(live.id).message == REASON


def test_progress_is_one_line_for_each_change(live: Ticket, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal nothing is repeated."""
    show = _lines()
    building = live.model_copy(update={"state": "building", "stage": "rootfs", "percent": 30, "message": "Stage 1"})
    for ticket in (live, live, building, building.model_copy(update={"percent": 40})):
        show(ticket)
    assert capsys.readouterr().err.splitlines() == ["  0 % requested", " 30 % building: Stage 1"]
