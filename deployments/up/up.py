"""Prefect's server and UI with all deployments served, kept running until interrupted."""

from __future__ import annotations

import fcntl
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from blocks.errors import PrefectUnavailable
from blocks.ports import Ports
from deployments import embedded
from deployments.command_line.output import tell
from deployments.embedded.named import named_address, shown
from deployments.gateway.listening import Listening
from deployments.gateway.serve import Serving
from deployments.gateway.serve import served as served_gateway

_LOCK = "up.lock"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_MOMENT = 0.2
_PAUSE = 1.0


def up(ports: Ports, port: int | None = None, gateway: int | None = None) -> None:
    """Serve until SIGINT or SIGTERM, if nobody serves this home already; commands of the same home join the server.

    `port` is that of Prefect's server, if it is started here; `gateway` that of the gateway, 0 for a free one, None for
    no gateway.
    """
    with _alone(ports.home) as alone:
        if alone:
            _serve(ports, port, gateway)
        else:
            tell(f"It is up already. {_where(embedded.address(ports.home))}")


@contextmanager
def served(home: Path) -> Iterator[str]:
    """The URL of a Prefect API whose deployments somebody serves; raises PrefectUnavailable if nobody does."""
    if named_address() is None and not _is_up(home):
        raise PrefectUnavailable(
            "Nobody serves the deployments of this home",
            "Start `reforge up` in another terminal, or name a Prefect API with workers in PREFECT_API_URL",
        )
    with embedded.server(home, tell) as address:
        yield address


def _is_up(home: Path) -> bool:
    """Whether somebody serves this home; looking is shared, so that two who look don't take each other for it."""
    try:
        with (home / _LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _serve(ports: Ports, port: int | None, gateway: int | None) -> None:
    own = named_address() is None
    told = threading.Event()
    before = {each: signal.signal(each, lambda *_: told.set()) for each in _SIGNALS}
    try:
        with embedded.server(ports.home, tell, port=port) as address, _minded(ports.home if own else None):
            from deployments.keeping import kept  # noqa: PLC0415 - Prefect is imported after its server is named

            with kept(ports, tell), _answering(gateway):
                _serve_again(ports, told, address)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def _answering(port: int | None) -> Iterator[None]:
    """Have the gateway answer on the loopback at the port; None for no gateway."""
    if port is None:
        yield
        return
    with served_gateway(Serving(Listening(port=port)), tell) as address:
        tell(f"The gateway answers at {address}")
        yield


def _serve_again(ports: Ports, told: threading.Event, address: str) -> None:
    """Serve until told to end; a runner that can't go on is replaced once the API answers again."""
    from deployments.up.runner import serving  # noqa: PLC0415 - Prefect is imported after its server is named

    served_before = False
    while not told.is_set():
        try:
            with serving(ports) as (names, broken):
                tell(f"Serving {', '.join(names)}. {_where(address)} (Ctrl-C ends it)")
                served_before = True
                _wait(told, broken)
                tell("Ending …" if told.is_set() else "The runner has ended")
        except PrefectUnavailable as error:
            if not served_before:
                raise
            tell(str(error))
            told.wait(_PAUSE)


def _wait(told: threading.Event, broken: Callable[[], bool]) -> None:
    while not told.wait(_MOMENT) and not broken():
        pass


@contextmanager
def _minded(home: Path | None) -> Iterator[None]:
    """Have the home's own server started again whenever it dies; None if it is somebody else's."""
    ended = threading.Event()
    thread = threading.Thread(target=_mind, args=(home, ended), name="mind the server", daemon=True)
    if home is not None:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if home is not None:
            thread.join()


def _mind(home: Path, ended: threading.Event) -> None:
    while not ended.wait(_PAUSE):
        try:
            embedded.mend(home, tell)
        except PrefectUnavailable as error:
            tell(str(error))


def _where(address: str | None) -> str:
    if address is None:
        raise PrefectUnavailable("It is up but has no server yet", "Wait a moment, then look again")
    return f"Prefect's UI: {shown(address).removesuffix('/api')}, its API: {shown(address)}"


@contextmanager
def _alone(home: Path) -> Iterator[bool]:
    lock = FileLock(home / _LOCK)
    try:
        lock.acquire(timeout=1)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
