"""The one sandbox command that every stage runs in.

`run` ends the tree when our thread dies, `unshare` makes the user and pid namespaces with a /proc of their own, `bwrap`
lays out the file system: the unpacked tools as `/`, the pool and the inputs read-only, a work folder at one fixed
place, an output folder. It has a pid namespace of its own, for its outer process keeps the host's root, which /proc
would show. No network, no sight of the home folder, a fixed host name and environment. As root the user namespace is
left out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blocks.builder.job import Job
from blocks.builder.process import ProgramFailed, find, run
from blocks.errors import NoSandbox

PROGRAMS = Path(__file__).parent / "programs"
_INSIDE = "/reforge/blocks/builder/programs"
_ALLOWED = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "SETFCAP"),
    *("KILL", "SETGID", "SETUID", "SETPCAP", "SYS_CHROOT", "SYS_ADMIN", "NET_ADMIN", "AUDIT_WRITE"),
)
_TEMPORARY = ("--perms", "1777", "--tmpfs", "/tmp")  # noqa: S108 (the sandbox's own)

_SETTINGS = ("--ro-bind", "/proc/sys", "/proc/sys")  # the host's own where there is no user namespace


@dataclass(frozen=True)
class Layout:
    """What a program sees: `inputs` by name below /input, `output` at /output, `work` a folder or a tmpfs's bytes."""

    tools: Path
    output: Path
    work: Path | int
    pool: Path | None = None
    inputs: Mapping[str, Path] = field(default_factory=dict)


def execute(program: str, specification: Mapping[str, Any], layout: Layout, job: Job) -> tuple[str, ...]:
    """Run one of `programs/` with its JSON specification on standard input; returns its lines."""
    argv = [*_namespaces(), *_view(layout), "--", "python3", "-E", "-s", "-m", f"blocks.builder.programs.{program}"]
    return run(argv, job, data=json.dumps(specification).encode())


def check(job: Job) -> None:
    """Make the namespaces once; raises NoProgram or NoSandbox that says how to allow it."""
    if os.geteuid() != 0:
        find("newuidmap")
    try:
        run([*_namespaces(), *_frame(), "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--", "true"], job)
    except ProgramFailed as error:
        raise NoSandbox(
            f"This machine gives no namespaces to build in: {' '.join(error.tail)}",
            "Allow unprivileged user namespaces (sysctl user.max_user_namespaces), "
            "give the user ranges in /etc/subuid and /etc/subgid, and install uidmap and bubblewrap",
        ) from error


def remove(path: Path, job: Job) -> None:
    """Remove a work folder whatever user ids of the namespace its files have."""
    if path.exists():
        argv = [*_namespaces(), "rm", "-rf", "--one-file-system", "--", str(path)]
        run(argv, Job(report=job.report))


def _namespaces() -> list[str]:
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user", "--map-auto"]
    find("bwrap")
    return ["unshare", *user, "--mount", "--mount-proc", "--pid", "--fork", "--kill-child", "--"]


def _frame() -> list[str]:
    capabilities = [part for name in _ALLOWED for part in ("--cap-add", f"CAP_{name}")]
    return [
        "bwrap",
        "--unshare-net",
        "--unshare-ipc",
        "--unshare-pid",
        *("--unshare-uts", "--hostname", "localhost"),
        "--cap-drop",
        "ALL",
        *capabilities,
        "--clearenv",
    ]


def _view(layout: Layout) -> list[str]:
    environment = {"PATH": "/usr/sbin:/usr/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONDONTWRITEBYTECODE": "1"}
    argv = [*_frame(), "--ro-bind", str(layout.tools), "/", "--proc", "/proc", *_SETTINGS, "--dev", "/dev"]
    argv += [*_TEMPORARY, "--chdir", "/reforge"]
    argv += [
        "--tmpfs",
        "/input",
        "--tmpfs",
        "/reforge",
        "--ro-bind",
        str(PROGRAMS),
        _INSIDE,
        "--bind",
        str(layout.output),
        "/output",
    ]
    if isinstance(layout.work, Path):
        argv += ["--bind", str(layout.work), "/build"]
    else:
        argv += ["--size", str(layout.work), "--perms", "0755", "--tmpfs", "/build"]
    if layout.pool is not None:
        argv += ["--ro-bind", str(layout.pool), "/pool"]
    for name, path in layout.inputs.items():
        argv += ["--ro-bind", str(path), f"/input/{name}"]
    for name, value in environment.items():
        argv += ["--setenv", name, value]
    return argv
