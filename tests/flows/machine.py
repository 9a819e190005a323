"""A virtual machine under QEMU with its serial console, to log in on and ask."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlparse

import pexpect

from blocks.model import Lock
from blocks.model.summary import Summary

Firmware = Literal["bios", "uefi"]
_FIRMWARE = "/usr/share/OVMF/OVMF_{part}_4M.fd"
_LONG = 240


class Console:
    """The serial console of a machine that has booted to its login prompt."""

    def __init__(self, child: pexpect.spawn[str]) -> None:
        self._child = child

    def log_in(self, user: str, password: str) -> None:
        """Wait for the prompt, log in, and make the shell's own prompt unmistakable."""
        self._child.expect("login: ", timeout=_LONG)
        self._child.sendline(user)
        self._child.expect("Passw(ord|ort): ", timeout=60)
        self._child.sendline(password)
        self._child.expect(r"\$ ", timeout=60)
        self._child.sendline("stty -echo cols 400; exec env PS1='READY''> ' bash --norc --noediting")
        self._child.expect("READY> ", timeout=60)

    def ask(self, command: str) -> str:
        """What a command prints."""
        self._child.sendline(command)
        self._child.expect("READY> ", timeout=120)
        return str(self._child.before or "").replace("\r", "").strip("\n")

    def check(self, lock: Lock, firmware: Firmware) -> None:
        """It holds exactly the packages of the lock, all configured, every unit is up, this firmware started it."""
        listed = self.ask("dpkg-query -W -f='${Package} ${Version} ${Architecture}\\n'").split("\n")
        wanted = {f"{row.name} {row.version} {row.architecture}" for row in lock.packages}
        assert set(filter(None, listed)) == wanted
        assert self.ask("dpkg --audit") == ""
        assert self.ask("systemctl is-system-running --wait") == "running"
        assert self.ask("test -d /sys/firmware/efi && echo uefi || echo bios") == firmware


@contextmanager
def booted(image: Path, kind: Literal["raw", "qcow2"], firmware: Firmware) -> Iterator[Console]:
    """A machine that boots the image, its changes thrown away; ended by its own process id."""
    argv = ["-M", "q35", "-smp", "2", "-accel", "tcg,thread=multi", "-m", "512", "-nodefaults", "-display", "none"]
    argv += ["-serial", "mon:stdio", "-drive", f"file={image},format={kind},if=virtio,snapshot=on"]
    if firmware == "uefi":
        code, variables = _FIRMWARE.format(part="CODE"), _FIRMWARE.format(part="VARS")
        argv += ["-drive", f"if=pflash,format=raw,readonly=on,file={code}"]
        argv += ["-drive", f"if=pflash,format=raw,file={variables},snapshot=on"]
    child: pexpect.spawn[str] = pexpect.spawn("qemu-system-x86_64", argv, encoding="utf-8", codec_errors="replace")
    child.delaybeforesend = None
    try:
        yield Console(child)
    finally:
        child.close(force=True)
        assert not child.isalive(), shlex.join(argv)


def path(summary: Summary) -> Path:
    """Where the image file of a generation lies in a store that is a folder."""
    assert summary.file is not None
    return Path(unquote(urlparse(summary.file.uri).path))
