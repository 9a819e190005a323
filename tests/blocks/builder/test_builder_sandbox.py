from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from blocks.builder import Built, Job, sandbox
from blocks.builder.process import ProgramFailed, ended, find, run
from blocks.errors import Stopped
from blocks.stop import StopToken
from tests.blocks.builder.builder_child import CHILD
from tests.blocks.builder.conftest import Start, Workshop, gone, reachable

_LOOK = """
import json, os, socket, sys
from pathlib import Path

wanted = json.load(sys.stdin)

def refused(path):
    try:
        Path(path).write_text("x")
    except OSError:
        return True
    return False

print(json.dumps({
    "environment": dict(os.environ),
    "root": sorted(os.listdir("/")),
    "interfaces": [name for _, name in socket.if_nameindex()],
    "uid": os.getuid(),
    "host": socket.gethostname(),
    "processes": [name for name in os.listdir("/proc") if name.isdigit()],
    "refused": [path for path in wanted["write"] if refused(path)],
    "seen": [path for path in wanted["see"] if os.path.exists(path)],
    "input": Path("/input/file").read_text(),
    "output": Path("/output/made").write_text("made"),
}))
"""
_WAIT = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(1000)
print("ready", flush=True)
time.sleep(1000)
"""


@pytest.fixture
def layout(
    workshop: Workshop, plain: dict[str, Built], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> sandbox.Layout:
    """A sandbox over the real tools, with a file as input; the programs are the test's own."""
    assert plain
    for name in ("output", "pool", "programs"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").write_text("the input", "utf-8")
    (tmp_path / "programs" / "look.py").write_text(_LOOK, "utf-8")
    (tmp_path / "programs" / "wait.py").write_text(_WAIT, "utf-8")
    monkeypatch.setattr(sandbox, "PROGRAMS", tmp_path / "programs")
    tools = workshop.home / "cache" / "tools" / workshop.lock.toolset()
    return sandbox.Layout(tools, tmp_path / "output", 2**20, tmp_path / "pool", {"file": tmp_path / "file"})


@pytest.mark.build
def test_a_program_sees_what_it_is_given_and_nothing_else(
    layout: sandbox.Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside there is no network, no home folder, process, name or environment of ours; tools and input are fixed."""
    monkeypatch.setenv("REFORGE_SECRET", "secret")
    closed = ["/proc/sys/kernel/domainname", "/usr/bin/x", "/x", "/pool/x", "/input/file"]
    closed += ["/reforge/blocks/builder/programs/look.py"]
    opened = ["/build/x", "/output/x", "/tmp/x"]  # noqa: S108 (inside)
    ours = [str(tmp_path), str(CHILD), str(Path.home() / ".profile"), "/etc/passwd", "/sys/kernel"]
    seen = [*ours, *(f"/proc/{process}/root{path}" for process in (1, 2, "self") for path in ours)]
    found = json.loads(sandbox.execute("look", {"write": closed + opened, "see": seen}, layout, Job())[-1])
    assert found["refused"] == closed
    assert found["seen"] == []
    assert found["interfaces"] == ["lo"]
    assert found["uid"] == 0
    assert found["host"] == "localhost"
    assert len(found["processes"]) <= 2
    assert found["environment"].pop("PWD", "/reforge") == "/reforge"
    assert found["environment"] == {
        "PATH": "/usr/sbin:/usr/bin",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    assert found["input"] == "the input"
    assert (layout.output / "made").read_text("utf-8") == "made"
    assert (layout.output / "made").stat().st_uid == os.geteuid()


@pytest.mark.build
def test_work_may_be_a_folder(layout: sandbox.Layout, tmp_path: Path) -> None:
    """A folder given for the work is what the program finds at /work."""
    (tmp_path / "work").mkdir()
    placed = replace(layout, work=tmp_path / "work")
    sandbox.execute("look", {"write": ["/build/x"], "see": []}, placed, Job())
    assert (tmp_path / "work" / "x").read_text("utf-8") == "x"


@pytest.mark.build
def test_a_stop_ends_everything_inside(layout: sandbox.Layout) -> None:
    """The stop token ends the sandbox with every process in it, daemons too, before `execute` comes back."""
    stop = StopToken()
    others = set(psutil.Process().children(recursive=True))  # servers of other tests
    tree: list[psutil.Process] = []

    def report(line: str) -> None:
        if line == "ready":
            tree.extend(set(psutil.Process().children(recursive=True)) - others)
            stop.set("cancelled")

    with pytest.raises(Stopped):
        sandbox.execute("wait", {}, layout, Job(stop, report))
    assert len(tree) >= 3
    assert all(map(ended, tree))


_PARENT = """
import json, sys
from pathlib import Path
from blocks.builder import Job, sandbox
tools, folder = Path(sys.argv[1]), Path(sys.argv[2])
sandbox.PROGRAMS = folder / "programs"
layout = sandbox.Layout(tools, folder / "output", 2**20)
sandbox.execute("wait", {}, layout, Job(report=lambda line: print(line, flush=True)))
"""


@pytest.mark.build
def test_a_killed_parent_leaves_nothing_inside(layout: sandbox.Layout, tmp_path: Path, start: Start) -> None:
    """When our process is killed the kernel ends the sandbox with every process in it."""
    child = start("-c", _PARENT, str(layout.tools), str(tmp_path))
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    tree = psutil.Process(child.pid).children(recursive=True)
    assert len(tree) >= 3
    child.kill()
    child.wait()
    assert gone(tree)


def test_a_fit_machine_passes() -> None:
    """On this machine the check finds everything it needs."""
    sandbox.check(Job())


def test_a_work_folder_goes_whatever_it_holds(tmp_path: Path) -> None:
    """A work folder is removed with what other users of the namespace own in it; one that isn't there is no error."""
    folder = tmp_path / "work"
    folder.mkdir()
    make = "mkdir -m 700 $0/deep && touch $0/deep/file && chown -R 33:33 $0/deep && chmod 500 $0/deep"
    run([*sandbox._namespaces(), "sh", "-c", make, str(folder)], Job())
    sandbox.remove(folder, Job())
    assert not folder.exists()
    sandbox.remove(folder, Job())


def test_a_set_token_keeps_no_folder(tmp_path: Path) -> None:
    """Clearing up works on when the work was told to stop."""
    stop = StopToken()
    stop.set("cancelled")
    (tmp_path / "work").mkdir()
    sandbox.remove(tmp_path / "work", Job(stop))
    assert not (tmp_path / "work").exists()


_CHECK = """
from blocks.builder import Job, sandbox
from blocks.errors import NoSandbox
try:
    sandbox.check(Job())
except NoSandbox as error:
    print("NoSandbox", error.what, error.hint)
"""


def test_a_machine_without_namespaces_is_told() -> None:
    """Where the kernel gives no namespaces, the check says so in the tools' words, and how to allow them."""
    limited = 'echo 0 > /proc/sys/user/max_mnt_namespaces && exec "$@"'
    argv = [find("unshare"), "--user", "--map-root-user", "sh", "-c", limited, "sh", sys.executable, "-c", _CHECK]
    told = subprocess.run(argv, cwd=CHILD.parents[3], capture_output=True, text=True, check=True).stdout
    assert told.startswith("NoSandbox This machine gives no namespaces to build in: unshare: unshare failed")
    assert "max_user_namespaces" in told


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming a user without subordinate ids takes root")
def test_a_user_without_subordinate_ids_is_told() -> None:
    """A user who has no range in /etc/subuid is told that this is what is missing."""
    nobody = (find("runuser"), "-u", "nobody", "--")
    argv = [*nobody, *reachable(nobody), "-c", _CHECK]
    done = subprocess.run(argv, cwd=CHILD.parents[3], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("NoSandbox")
    assert "/etc/subuid" in done.stdout


def test_the_sandbox_is_never_left_out() -> None:
    """A sandbox that can't be made is an error: the program isn't run without it."""
    argv = [*sandbox._namespaces(), *sandbox._frame(), "--ro-bind", "/no-such-folder", "/", "--", "true"]
    with pytest.raises(ProgramFailed, match="no-such-folder"):
        run(argv, Job())
