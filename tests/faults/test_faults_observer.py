"""The observer of the tests: it stops whom it is told to, once, and is not there for anybody else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.observation import OBSERVER, Observation, go_on

pytestmark = pytest.mark.fault
_PROGRAM = """
import sys
for point in ("begin", "working", "working", "end"):
    sys.audit("reforge.stage", 7, 2, "disk", point)
print("through")
"""


@contextmanager
def _program(observation: Observation) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, **observation.environment()}
    with subprocess.Popen([sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, text=True, env=environment) as run:
        try:
            yield run
        finally:
            run.kill()


def test_a_process_stands_still_at_its_point_and_goes_on(tmp_path: Path) -> None:
    """It stops where it comes for the second time, tells who it is, and the next process isn't stopped any more."""
    observation = Observation(tmp_path / "observation")
    others = [observation.arm("pack"), observation.arm("disk", ticket=8), observation.arm("disk", "working", nth=3)]
    stop = observation.arm("disk", "working", nth=2, ticket=7)
    with _program(observation) as run:
        stopped = stop.await_process(20)
        assert (stopped.pid, stopped.ticket, stopped.attempt) == (run.pid, 7, 2)
        assert [entry.point for entry in observation.journal(7)] == ["begin", "working", "working"]
        go_on(run.pid)
        assert run.communicate(timeout=20)[0] == "through\n"
    with _program(observation) as run:
        assert run.communicate(timeout=20)[0] == "through\n"
    assert not any(other.met() for other in others)
    assert len(observation.journal(7)) == 8


def test_a_stop_comes_later_if_it_shall_and_can_be_a_death(tmp_path: Path) -> None:
    """A process that has gone on is stopped where it is by then; one that stands still can be killed."""
    observation = Observation(tmp_path / "observation")
    stop = observation.arm("disk", after=0.1)
    environment = {**os.environ, **observation.environment()}
    program = f"{_PROGRAM}\nimport time\ntime.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.DEVNULL) as run:
        stop.await_process(20)
        run.kill()
        assert run.wait(20) == -signal.SIGKILL
    assert [entry.point for entry in observation.journal(7)] == ["begin", "working", "working", "end"]


def test_a_stop_that_was_to_come_later_can_be_taken_back(tmp_path: Path) -> None:
    """Whether or not a process has come there yet; one that stands still is told of."""
    observation = Observation(tmp_path / "observation")
    later, never, now = observation.arm("disk", after=60), observation.arm("pack"), observation.arm("disk", "end")
    with _program(observation) as run:
        now.await_process(20)
        assert [stop.disarm() for stop in (later, never, now)] == [True, True, False]
        go_on(run.pid)
        assert run.communicate(timeout=20)[0] == "through\n"
    assert not later.met()
    assert list((tmp_path / "observation" / "claimed").iterdir()) == []


def test_it_does_nothing_unasked_and_hides_no_other(tmp_path: Path) -> None:
    """Without the variable no hook is there, and the interpreter's own sitecustomize is run all the same."""
    (tmp_path / "sitecustomize.py").write_text("import os\nos.environ['HIDDEN'] = 'was run'\n", "utf-8")
    program = f"import os\n{_PROGRAM}\nprint(os.environ.get('HIDDEN'))"
    kept = {name: value for name, value in os.environ.items() if name != "FAULTS_FOLDER"}
    environment = {**kept, "PYTHONPATH": f"{OBSERVER}:{tmp_path}"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("through\nwas run\n", "")
