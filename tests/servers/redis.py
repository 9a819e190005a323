"""Redis on a port of its own: Debian's program, nothing kept on disk, loopback only."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.waiting import wait_until

_OPTIONS = {"bind": "127.0.0.1", "save": "", "appendonly": "no", "daemonize": "no", "protected-mode": "yes"}


@dataclass
class Redis:
    """A server that may be ended and started again at its port; it forgets everything when it ends."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address of its first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        options = {**_OPTIONS, "port": str(self.port), "dir": str(self.folder)}
        argv = ["redis-server", *(word for name, value in options.items() for word in (f"--{name}", value))]
        with (self.folder / "log").open("ab") as log:  # it ends with this process, however that ends
            self.process = subprocess.Popen(
                ["/usr/bin/setpriv", "--pdeathsig=KILL", "--", *argv], stdout=log, stderr=log
            )
        wait_until(self._answers, f"Redis answers, see {self.folder}/log", 30)

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text("utf-8")
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16) == b"+PONG\r\n"
        except OSError:
            return False


@contextmanager
def redis(folder: Path) -> Iterator[Redis]:
    """Serve at a free port of the loopback, with the folder for its log."""
    folder.mkdir(parents=True, exist_ok=True)
    server = Redis(folder, _free_port())
    server.start()
    try:
        yield server
    finally:
        server.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
