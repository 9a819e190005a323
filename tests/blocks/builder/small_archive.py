"""A small signed package archive on this machine, which a test can move, damage and end."""

from __future__ import annotations

import hashlib
import http.server
import os
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

from blocks.builder.process import ENVIRONMENT, find
from tests.waiting import wait_until

GPG = ("gpg", "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", "")


def tool(*argv: str, data: bytes = b"", environment: Mapping[str, str] | None = None) -> bytes:
    """What a program of this machine prints; a failure fails the test."""
    done = subprocess.run(
        [find(argv[0]), *argv[1:]],
        input=data,
        env={**ENVIRONMENT, **(environment or {})},
        check=False,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


class Signer:
    """A throw-away key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = {"GNUPGHOME": str(folder)}
        tool(*GPG, "--quick-generate-key", "archive", "ed25519", "sign", "never", environment=self._environment)

    def public(self) -> str:
        """The public key, armoured."""
        return tool(*GPG, "--export", "--armor", environment=self._environment).decode()

    def sign(self, text: bytes) -> bytes:
        """The text with its signature in it."""
        return tool(*GPG, "--clearsign", data=text, environment=self._environment)

    def sign_apart(self, text: bytes) -> bytes:
        """The signature alone."""
        return tool(*GPG, "--detach-sign", "--armor", data=text, environment=self._environment)

    def end(self) -> None:
        """End the agent that gpg has started; its sockets go after it has answered."""
        tool("gpgconf", "--kill", "all", environment=self._environment)
        wait_until(lambda: not list(self._folder.glob("S.*")), "the agent's sockets are gone")


@dataclass(frozen=True)
class Deb:
    """A package to be made; `fields` are further rows of its control file."""

    name: str
    version: str = "1.0"
    fields: Mapping[str, str] | None = None

    @property
    def file(self) -> str:
        """Its path in the archive."""
        return f"pool/{self.name}_{self.version}_amd64.deb"

    def control(self) -> str:
        """Its control file."""
        rows = {
            "Package": self.name,
            "Version": self.version,
            "Architecture": "amd64",
            "Maintainer": "Nobody <nobody@example.org>",
            "Description": "a test's package",
            "Priority": "optional",
            **(self.fields or {}),
        }
        return "".join(f"{name}: {value}\n" for name, value in rows.items())


BASE = (Deb("base", fields={"Essential": "yes", "Priority": "required"}), Deb("apt"))


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    status = 0
    cuts = 0


class _Handler(http.server.SimpleHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Give a file, or the answer that the test wants."""
        if self.server.status:
            self.send_error(self.server.status)
        elif self.server.cuts and self.path.endswith(".deb"):
            self.server.cuts -= 1
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(bytes(10))
            self.close_connection = True
        else:
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


class SmallArchive:
    """Suites of tiny packages, served on a port of their own; `folder` is what is served."""

    def __init__(self, folder: Path, signer: Signer) -> None:
        self.folder = folder
        self._signer = signer
        self._clock = int(time.time()) - 3600
        (folder / "pool").mkdir(parents=True)
        handler = lambda *rest: _Handler(*rest, directory=str(folder))  # noqa: E731
        self._server = _Server(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def port(self) -> int:
        """The port on which it is served."""
        return int(self._server.server_address[1])

    @property
    def address(self) -> str:
        """Where it is served."""
        return f"http://127.0.0.1:{self.port}"

    def answer(self, status: int) -> None:
        """Answer this status to everything; files again with 0."""
        self._server.status = status

    def cut(self, times: int) -> None:
        """Break off in the middle of so many package files that are asked for next."""
        self._server.cuts = times

    def key(self) -> str:
        """The public key, armoured."""
        return self._signer.public()

    def publish(
        self,
        suite: str,
        *debs: Deb,
        origin: str = "Debian",
        label: str = "Debian",
        signer: Signer | None = None,
        release: Mapping[str, str | None] | None = None,
    ) -> None:
        """Have exactly these packages in the suite; its Release is newer than all before, `release` among its rows."""
        self._clock += 1
        binary = self.folder / "dists" / suite / "main" / "binary-amd64"
        binary.mkdir(parents=True, exist_ok=True)
        index = "\n".join(self._entry(deb) for deb in debs).encode()
        (binary / "Packages").write_bytes(index)
        text = "".join(
            f"{name}: {value}\n"
            for name, value in {
                "Origin": origin,
                "Label": label,
                "Suite": suite,
                "Codename": suite,
                "Date": formatdate(self._clock, usegmt=True),
                "Architectures": "amd64",
                "Components": "main",
                "SHA256": f"\n {hashlib.sha256(index).hexdigest()} {len(index)} main/binary-amd64/Packages",
                **(release or {}),
            }.items()
            if value is not None
        )
        signed = (signer or self._signer).sign(text.encode())
        (self.folder / "dists" / suite / "InRelease").write_bytes(signed)
        os.utime(self.folder / "dists" / suite / "InRelease", (self._clock, self._clock))

    def _entry(self, deb: Deb) -> str:
        path = self.folder / deb.file
        if not path.exists():
            self._make(deb, path)
        data = path.read_bytes()
        return f"{deb.control()}Filename: {deb.file}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"

    def _make(self, deb: Deb, path: Path) -> None:
        tree = self.folder.parent / f"{deb.name}-{deb.version}"
        (tree / "DEBIAN").mkdir(parents=True)
        tree.chmod(0o755)
        (tree / "DEBIAN").chmod(0o755)
        (tree / "DEBIAN" / "control").write_text(deb.control(), "utf-8")
        tool("dpkg-deb", "--root-owner-group", "--build", str(tree), str(path))

    def damage(self, deb: Deb) -> None:
        """Change a byte in the middle of a package file; its size stays."""
        damage(self.folder / deb.file)

    def remove(self, deb: Deb) -> None:
        """Drop a package file."""
        (self.folder / deb.file).unlink()

    def end(self) -> None:
        """Serve nothing any more; the port is closed."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def damage(path: Path) -> None:
    """Change a byte in the middle of a file; its size and time stay."""
    times = path.stat()
    with path.open("r+b") as file:
        file.seek(times.st_size // 2)
        byte = file.read(1)[0]
        file.seek(times.st_size // 2)
        file.write(bytes([byte ^ 0xFF]))
    os.utime(path, (times.st_atime, times.st_mtime))
