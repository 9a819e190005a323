"""Where the gateway listens: on the loopback, or with TLS, or because it was told to do without."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from blocks.errors import InvalidInput, MachineUnfit

LOOPBACK = "127.0.0.1"
_BACKLOG = 1024


@dataclass(frozen=True)
class Listening:
    """Host and port (0 for a free one), and by what it is kept secret on the way; `plain` is to do without."""

    host: str = LOOPBACK
    port: int = 0
    certificate: Path | None = None
    key: Path | None = None
    plain: bool = False

    def check(self) -> None:
        """Raises InvalidInput if passwords would travel in the clear, or if certificate and key are none."""
        if (self.certificate is None) != (self.key is None):
            raise InvalidInput("TLS needs both, a certificate and its key", "Name --tls-certificate and --tls-key")
        if self.certificate is not None:
            self._check_certificate(self.certificate)
        elif not self.plain and not _is_loopback(self.host):
            raise InvalidInput(
                f"At {self.host} passwords would travel in the clear",
                "Name --tls-certificate and --tls-key, or listen on the loopback behind a proxy with TLS; "
                "--plain-http does without",
            )

    def bound(self) -> socket.socket:
        """A socket that listens there; raises InvalidInput, MachineUnfit."""
        self.check()
        family, kind, protocol, _, place = _resolved(self.host, self.port)
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            raise MachineUnfit(
                f"Port {self.port} of {self.host} can't be had: {error.strerror}",
                "Name another one, or end what listens there",
            ) from error
        return listener

    def address(self, listener: socket.socket) -> str:
        """The URL of the API at the socket."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.certificate else 'http'}://{host}:{listener.getsockname()[1]}/api"

    def _check_certificate(self, certificate: Path) -> None:
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, self.key)
        except OSError as error:
            raise InvalidInput(
                f"{certificate} and {self.key} are no certificate with its key: {error}",
                "Name files in PEM that this user may read, the certificate with its chain",
            ) from error


def _is_loopback(host: str) -> bool:
    return ip_address(str(_resolved(host, 0)[4][0])).is_loopback


def _resolved(
    host: str, port: int
) -> tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise InvalidInput(f"{host} is no address of a machine: {error.strerror}", "Name one with --host") from error
    return found[0]  # type: ignore[return-value]  # a build of Python without IPv6 gives other tuples
