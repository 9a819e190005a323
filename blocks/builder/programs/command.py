"""Running a tool inside the sandbox: an argv list, its lines to our own output, a failure ends the program."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

_UNPRIVILEGED = ("setpriv", "--ambient-caps=-all", "--inh-caps=-all", "--bounding-set=-sys_admin,-net_admin")


def run(
    argv: Sequence[str], *, data: str = "", environment: Mapping[str, str] | None = None, name: str | None = None
) -> None:
    """Run a tool, its output going to ours; a status other than 0 ends the program with the tool's name."""
    sys.stdout.flush()
    done = subprocess.run(argv, input=data, text=True, env=environment, check=False)
    if done.returncode != 0:
        fail(f"{name or argv[0]} ended with status {done.returncode}")


def output(argv: Sequence[str]) -> str:
    """What a tool prints."""
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def inside(root: Path, argv: Sequence[str], *, data: str = "", environment: Mapping[str, str] | None = None) -> None:
    """Run a program of the tree `root` in that tree, with a fixed environment and the build's clock.

    It may not mount: where the sandbox has no user namespace, that would open the host to a build script.
    """
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    clock = {name: value for name, value in os.environ.items() if name == "SOURCE_DATE_EPOCH"}
    fixed = {"PATH": path, "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": "/root", **clock, **(environment or {})}
    run([*_UNPRIVILEGED, "chroot", str(root), *argv], data=data, environment=fixed, name=argv[0])


def fail(reason: str) -> NoReturn:
    """End the program, the reason on its last line."""
    sys.stdout.flush()
    raise SystemExit(f"reforge: {reason}")
