from __future__ import annotations

import pickle
import threading

import psutil
import pytest

from blocks.builder import Job, process
from blocks.errors import NoProgram, ReforgeError, Stopped
from blocks.stop import StopToken
from tests.blocks.builder.conftest import Lines, Start, gone


def test_output_comes_line_by_line(lines: Lines) -> None:
    """Standard output and error are reported line by line in their order, and returned; a last line needs no end."""
    told = process.run(["sh", "-c", "echo one; echo two >&2; echo; printf 'a\\rthree'"], lines.job())
    assert told == ("one", "two", "three")
    assert lines.told == ["one", "two", "three"]


def test_output_is_bounded(lines: Lines) -> None:
    """A line that never ends is cut, so that no program fills our memory, and only the last lines are returned."""
    script = "head -c 3000000 /dev/zero | tr '\\0' a; echo; seq 30000"
    told = process.run(["sh", "-c", script], lines.job())
    assert max(map(len, lines.told)) < 10**5
    assert sum(row.count("a") for row in lines.told) == 3_000_000
    assert len(told) == 20_000
    assert len(process.run(["sh", "-c", "head -c 10000 /dev/zero | tr '\\0' a"], Job())[0]) == 2000
    assert told[-1] == "30000"


def test_output_controls_no_terminal(lines: Lines) -> None:
    """Control characters never reach a terminal or a database: those but the tabulator are replaced."""
    process.run(["printf", r"\033]0;owned\007 nul\0 a\tb \302\233m\n"], lines.job())
    assert lines.told == ["\ufffd]0;owned\ufffd nul\ufffd a\tb \ufffdm"]


def test_a_failure_carries_status_and_end() -> None:
    """A failed program raises with its status and the end of what it printed, also across processes."""
    with pytest.raises(process.ProgramFailed, match=r"sh ended with status 3: .*99 \| 100") as caught:
        process.run(["sh", "-c", "seq 100; exit 3"], Job())
    assert caught.value.status == 3
    assert caught.value.tail == tuple(str(number) for number in range(61, 101))
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert (again.program, again.status, again.tail) == ("sh", 3, caught.value.tail)


def test_an_absent_program_is_named_with_its_package() -> None:
    """A program that isn't installed is named, with what to install."""
    with pytest.raises(NoProgram, match="no-such-program") as caught:
        process.run(["no-such-program"], Job())
    assert "apt-get install" in caught.value.hint


def test_the_environment_is_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of our environment reaches a program but what is given to it."""
    monkeypatch.setenv("REFORGE_SECRET", "secret")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    told = process.run(["env"], Job(), environment={"GIVEN": "yes"})
    assert set(told) == {*(f"{name}={value}" for name, value in process.ENVIRONMENT.items()), "GIVEN=yes"}


def test_the_umask_is_fixed() -> None:
    """A program's umask is 022 whatever ours is."""
    assert process.run(["sh", "-c", "umask"], Job()) == ("0022",)


def test_large_input_arrives_whole() -> None:
    """Input of any size reaches a program that prints before it reads."""
    assert process.run(["sh", "-c", "seq 50000; wc -c"], Job(), data=b"x" * 10**7)[-1] == str(10**7)


def test_input_nobody_reads_is_no_obstacle() -> None:
    """A program may end without having read its input."""
    assert process.run(["true"], Job(), data=b"x" * 10**7) == ()


def test_who_stays_behind_is_ended() -> None:
    """A descendant that keeps the output open when the program has ended doesn't hold us up, and is ended."""
    told = process.run(["sh", "-c", "sleep 1000 & echo $!"], Job())
    left = [row for row in psutil.process_iter() if row.pid == int(told[0])]
    assert gone(left)


STUBBORN = "trap '' TERM; (trap '' TERM; setsid sleep 1000) & (trap '' TERM; sleep 1001) & echo ready; sleep 1002"


def test_a_stop_ends_the_whole_tree() -> None:
    """The stop token ends a program with all its descendants, also those that ignore signals or left its group."""
    stop = StopToken()
    tree: list[psutil.Process] = []

    def report(line: str) -> None:
        if line == "ready":
            tree.extend(psutil.Process().children(recursive=True))
            stop.set("cancelled")

    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(Stopped, match="cancelled"):
        process.run(["sh", "-c", STUBBORN], Job(stop, report))
    started = [child for child in tree if child not in before]
    assert started
    assert all(map(process.ended, started))


def test_a_set_token_starts_nothing(lines: Lines) -> None:
    """Nothing is started once the stop token is set."""
    stop = StopToken()
    stop.set("cancelled")
    with pytest.raises(Stopped):
        process.run(["echo", "started"], Job(stop, lines.told.append))
    assert lines.told == []


def test_a_stop_from_another_thread_is_heard() -> None:
    """A program that prints nothing is ended as well when another thread sets the token."""
    stop = StopToken()
    threading.Timer(0.1, stop.set, ["cancelled"]).start()
    with pytest.raises(Stopped):
        process.run(["sleep", "1000"], Job(stop))


def test_a_failing_reporter_ends_the_program() -> None:
    """If the reporter raises its error comes through and the program is ended."""

    def report(line: str) -> None:
        raise ReforgeError(line)

    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(ReforgeError, match="hello"):
        process.run(["sh", "-c", "echo hello; sleep 1000"], Job(report=report))
    assert set(psutil.Process().children(recursive=True)) <= before


_PARENT = """
import sys
from blocks.builder import Job, process
process.run(sys.argv[1:], Job(report=lambda line: print(line, flush=True)))
"""


@pytest.mark.parametrize("program", [["sh", "-c", "echo ready; exec sleep 1000"]])
def test_a_killed_parent_leaves_no_program(start: Start, program: list[str]) -> None:
    """When our process is killed the program it runs is ended by the kernel."""
    child = start("-c", _PARENT, *program)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    tree = psutil.Process(child.pid).children(recursive=True)
    assert tree
    child.kill()
    child.wait()
    assert gone(tree)
