"""Whether an attempt lives: seen at once on its own machine, left to the lease elsewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from blocks import liveness
from blocks.catalog import Lease

_HOLD = """
import sys
from pathlib import Path
from blocks import liveness
from blocks.catalog import Lease
lease = Lease(ticket=7, number=1, home="here", flow_run=None, in_process=True)
with liveness.holding(Path(sys.argv[1]), lease):
    print("held", flush=True)
    sys.stdin.read()
"""
LEASE = Lease(ticket=7, number=1, home="here", flow_run=None, in_process=True)


def test_a_process_that_holds_its_attempt_is_alive_until_it_is_killed(tmp_path: Path) -> None:
    """The file lock tells both, without waiting for the lease."""
    argv = [sys.executable, "-c", _HOLD, str(tmp_path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert liveness.judge(tmp_path, "here")(LEASE) is True
        process.kill()
        process.wait()
    assert liveness.judge(tmp_path, "here")(LEASE) is False


def test_an_attempt_that_has_just_begun_or_ended_is_left_to_its_lease(tmp_path: Path) -> None:
    """Without a file nothing is certain, and a dead one is never taken for it."""
    assert liveness.judge(tmp_path, "here")(LEASE) is None
    with liveness.holding(tmp_path, LEASE):
        assert liveness.lives(tmp_path, 7, 1)
    assert liveness.judge(tmp_path, "here")(LEASE) is None
    assert not liveness.lives(tmp_path, 7, 1)


def test_an_attempt_of_another_machine_is_left_to_its_lease(tmp_path: Path) -> None:
    """A lock file here says nothing about a process elsewhere."""
    with liveness.holding(tmp_path, LEASE):
        assert liveness.judge(tmp_path, "there")(LEASE) is None
