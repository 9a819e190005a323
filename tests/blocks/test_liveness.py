"""Whether an attempt lives: a free lock tells at once that it is dead, all else is left to the lease."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
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
print("over", flush=True)
sys.stdin.read()
"""
LEASE = Lease(ticket=7, number=1, home="here", flow_run=None, in_process=True)


@contextlib.contextmanager
def _holding(home: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the attempt."""
    argv = [sys.executable, "-c", _HOLD, str(home)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_an_attempt_is_dead_at_once_when_its_process_is_killed(tmp_path: Path) -> None:
    """The file lock tells that, without waiting for the lease; who held it is known until then."""
    with _holding(tmp_path) as process:
        assert liveness.judge(tmp_path, "here")(LEASE) is None
        assert liveness.lives(tmp_path, 7, 1)
        assert liveness.holder(tmp_path, LEASE) == process.pid
        process.kill()
        process.wait()
    assert liveness.judge(tmp_path, "here")(LEASE) is False
    assert liveness.holder(tmp_path, LEASE) is None


def test_a_stopped_process_is_left_to_its_lease_and_can_be_ended(tmp_path: Path) -> None:
    """It holds its lock, so whoever gave its attempt up ends it; the attempt is dead then."""
    with _holding(tmp_path) as process:
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        assert liveness.judge(tmp_path, "here")(LEASE) is None
        assert liveness.end(tmp_path, LEASE) == process.pid
        assert process.wait(30) == -signal.SIGKILL
        assert liveness.judge(tmp_path, "here")(LEASE) is False
        assert liveness.end(tmp_path, LEASE) is None


def test_a_process_that_let_go_is_not_ended(tmp_path: Path) -> None:
    """Neither it nor one that the file names without holding it, while somebody else does."""
    with _holding(tmp_path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        innocent = liveness._path(tmp_path, 8, 1)
        other = LEASE.model_copy(update={"ticket": 8})
        with liveness.holding(tmp_path, other):
            assert liveness.end(tmp_path, other) is None
            innocent.write_text(f"{process.pid}\n", "utf-8")
            assert liveness.end(tmp_path, other) is None
        kept = liveness._path(tmp_path, 7, 1).read_text("utf-8")
        process.stdin.close()
        assert process.stdout.readline() == "over\n"
        innocent.write_text(kept, "utf-8")
        assert liveness.end(tmp_path, other) is None
        assert liveness.end(tmp_path, LEASE) is None
        assert process.wait(30) == 0


def test_an_attempt_that_has_just_begun_or_ended_is_left_to_its_lease(tmp_path: Path) -> None:
    """Without a file nothing is certain, and a dead one is never taken for it."""
    assert liveness.judge(tmp_path, "here")(LEASE) is None
    with liveness.holding(tmp_path, LEASE):
        assert liveness.lives(tmp_path, 7, 1)
    assert liveness.judge(tmp_path, "here")(LEASE) is None
    assert not liveness.lives(tmp_path, 7, 1)
    assert liveness.end(tmp_path, LEASE) is None


def test_an_attempt_of_another_machine_is_left_to_its_lease(tmp_path: Path) -> None:
    """A lock file here says nothing about a process elsewhere."""
    liveness._path(tmp_path, 7, 1).parent.mkdir()
    liveness._path(tmp_path, 7, 1).touch()
    assert liveness.judge(tmp_path, "there")(LEASE) is None
    assert liveness.judge(tmp_path, "here")(LEASE) is False
