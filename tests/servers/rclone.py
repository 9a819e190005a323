"""rclone's S3 server on a folder of this machine: real signatures, real multipart uploads, real files."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from blocks.store import Credentials
from tests.waiting import wait_until

ACCESS, SECRET = "reforge-tests", "not-a-secret-0123456789"
CREDENTIALS = Credentials(SecretStr(ACCESS), SecretStr(SECRET))


@dataclass(frozen=True)
class Rclone:
    """A running server: its folder holds a folder for each bucket."""

    folder: Path
    endpoint: str
    process: subprocess.Popen[bytes]

    def bucket(self, name: str) -> str:
        """Make a bucket; gives the URL of a store in it."""
        (self.folder / name).mkdir()
        return f"s3://{name}/images?endpoint={self.endpoint}"


@contextmanager
def rclone(
    folder: Path, *, certificate: Path | None = None, key: Path | None = None, listing: str = "1ms"
) -> Iterator[Rclone]:
    """Serve the folder at a free port of the loopback, over https if there is a certificate.

    What a test changes in the folder itself is seen once a listing has expired. A short one costs a seventh of a core.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    argv = command(folder, port, listing)
    argv += ["--cert", str(certificate), "--key", str(key)] if certificate else []
    with (folder.parent / f"rclone-{port}.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: process.poll() is not None or listens(port), "rclone listens", 30)
        assert process.poll() is None, Path(log.name).read_text("utf-8")
        yield Rclone(folder, f"{'https' if certificate else 'http'}://127.0.0.1:{port}", process)
    finally:
        process.kill()
        process.wait()


def command(folder: Path, port: int, listing: str = "100ms") -> list[str]:
    """The argv that serves the folder at a port of the loopback, and keeps listings of it for a while."""
    argv = [str(Path(sys.executable).parent / "rclone"), "serve", "s3", str(folder), "--config", ""]
    return [*argv, "--addr", f"127.0.0.1:{port}", "--auth-key", f"{ACCESS},{SECRET}", "--dir-cache-time", listing]


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody listens at the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
