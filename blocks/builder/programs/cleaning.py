"""Removing what tells of the build and not of the image: logs, caches, host traces, and the times of folders."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from blocks.builder.programs.tree import place, within, write

_EMPTIED = ("var/log", "var/cache/apt", "var/lib/apt/lists", "var/cache/debconf", "tmp", "run", "var/tmp")
_FILES = (
    "etc/resolv.conf.dpkg-bak",
    "etc/apt/apt.conf.d/99mmdebstrap",
    "etc/dpkg/dpkg.cfg.d/99mmdebstrap",
    "var/cache/ldconfig/aux-cache",
    "var/lib/dbus/machine-id",
    "var/lib/systemd/random-seed",
    "var/lib/systemd/catalog/database",
    "var/lib/urandom/random-seed",
    "var/lib/dpkg/lock",
    "var/lib/dpkg/lock-frontend",
    "var/lib/dpkg/triggers/Lock",
    "var/lib/apt/extended_states",
    "root/.bash_history",
)
_PATTERNS = ("etc/*-", "var/lib/dpkg/*-old", "var/cache/debconf/*-old", "etc/ssh/ssh_host_*")


def clean(root: Path, epoch: int) -> None:
    """Empty logs and caches, remove host traces, give every folder that was touched a fixed time."""
    for name in _EMPTIED:
        _empty(within(root, name))
    for name in _FILES:
        place(root, name).unlink(missing_ok=True)
    for pattern in _PATTERNS:
        folder, _, name = pattern.rpartition("/")
        for path in within(root, folder).glob(name):
            _drop(path)
    write(root, "etc/machine-id", "", 0o444)
    _resolver(root)
    _times(root, epoch)


def _empty(folder: Path) -> None:
    """Remove the files below a folder; folders stay, as packages own them."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if folder.name not in ("tmp", "run") and path.is_dir() and not path.is_symlink():
            _empty(path)
        else:
            _drop(path)


def _drop(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _resolver(root: Path) -> None:
    path = place(root, "etc/resolv.conf")
    if not path.is_symlink():
        path.unlink(missing_ok=True)
        if (root / "usr/lib/systemd/systemd-resolved").exists() or (root / "lib/systemd/systemd-resolved").exists():
            path.symlink_to("../run/systemd/resolve/stub-resolv.conf")


def _times(root: Path, epoch: int) -> None:
    for name, _, _ in os.walk(root):
        os.utime(name, (epoch, epoch))
