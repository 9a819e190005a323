"""A relay before a server of the loopback, that cuts its connections in the middle."""

from __future__ import annotations

import selectors
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

_PIECE = 65536
_RESET = struct.pack("ii", 1, 0)


class _Relay(socketserver.ThreadingTCPServer):
    def __init__(self, port: int, received: int | None, sent: int | None, *, reset: bool) -> None:
        self.port = port
        self.reset = reset
        self.ending = threading.Event()
        self.cuts = 0
        self.limits = {"received": received, "sent": sent}
        super().__init__(("127.0.0.1", 0), _Connection)


class _Connection(socketserver.BaseRequestHandler):
    request: socket.socket
    server: _Relay

    def handle(self) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self.server.port))
        except OSError:  # the server is down
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            return
        with server, selectors.DefaultSelector() as ready:
            ready.register(server, selectors.EVENT_READ, (self.request, "received"))
            ready.register(self.request, selectors.EVENT_READ, (server, "sent"))
            passed = {"received": 0, "sent": 0}
            cuts = self.server.cuts
            with suppress(OSError):  # the other side has cut it
                while not self._is_cut(cuts) and all(self._pass(key, passed) for key, _ in ready.select(0.05)):
                    pass

    def _is_cut(self, cuts: int) -> bool:
        """Whether the relay ends, or all that were there before so many cuts were reset: then this one is."""
        if self.server.cuts != cuts:
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            return True
        return self.server.ending.is_set()

    def _pass(self, key: selectors.SelectorKey, passed: dict[str, int]) -> bool:
        """Hand one piece over; false at the end, after a reset if it is one of ours."""
        assert isinstance(key.fileobj, socket.socket)
        target, way = key.data
        data = key.fileobj.recv(_PIECE)
        passed[way] += len(data)
        limit = self.server.limits[way]
        if limit is not None and passed[way] > limit:
            if self.server.reset:
                self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            return False
        target.sendall(data)
        return bool(data)


@contextmanager
def relay(port: int, *, received: int | None = None, sent: int | None = None, reset: bool = True) -> Iterator[int]:
    """The port of a relay to `port`; cuts a connection after so many bytes that its client received or sent.

    A reset takes back what the client hasn't read yet; without, it gets all that came before the end.
    """
    with _serving(_Relay(port, received, sent, reset=reset)) as server:
        yield int(server.server_address[1])


@dataclass(frozen=True)
class Cuttable:
    """A relay's port, and what resets every connection through it."""

    port: int
    cut: Callable[[], None]


@contextmanager
def cuttable(port: int) -> Iterator[Cuttable]:
    """A relay to `port` that hands everything over until it is told to cut."""
    with _serving(_Relay(port, None, None, reset=True)) as server:

        def cut() -> None:
            server.cuts += 1

        yield Cuttable(int(server.server_address[1]), cut)


@contextmanager
def _serving(server: _Relay) -> Iterator[_Relay]:
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.ending.set()
            server.shutdown()
            thread.join()
