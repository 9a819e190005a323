"""Prefect in this process: told its API by environment before it is imported, and anew if it already is."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from deployments.embedded.entry import HOST
from deployments.embedded.process import PRIVATE, folder

_DRAIN = 10.0


@contextmanager
def pointed(address: str, home: Path) -> Iterator[None]:
    """Flows of this process use the API at the address; their logs and events have arrived there when this ends."""
    settings = {"PREFECT_API_URL": address, "PREFECT_HOME": str(folder(home))}
    try:
        with _environment(settings | PRIVATE | _without_proxy()), _override(settings):
            try:
                yield
            finally:
                _drain()
    finally:
        _refresh()


@contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    """The changed environment; profiles are out of force in it, for they lie in another Prefect home."""
    before = dict(os.environ)
    for name in ("PREFECT_PROFILE", "PREFECT_PROFILES_PATH"):
        os.environ.pop(name, None)
    os.environ.update(changes)
    try:
        yield
    finally:
        for name in {*changes, "PREFECT_PROFILE", "PREFECT_PROFILES_PATH"}:
            _put_back(name, before.get(name))


def _put_back(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _without_proxy() -> dict[str, str]:
    """Our server is on this machine, whatever proxy leads to the world."""
    names = [name for name in ("NO_PROXY", "no_proxy") if name in os.environ] or ["NO_PROXY"]
    return {name: ",".join(filter(None, (os.environ.get(name), HOST))) for name in names}


@contextmanager
def _override(settings: Mapping[str, str]) -> Iterator[None]:
    """If Prefect is imported already, its settings follow: those of all threads, and those in force right here."""
    if not _refresh():
        yield
        return
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings  # noqa: PLC0415 - heavy

    with temporary_settings({PREFECT_API_URL: settings["PREFECT_API_URL"], PREFECT_HOME: settings["PREFECT_HOME"]}):
        yield


def _refresh() -> bool:
    if "prefect" not in sys.modules:
        return False
    from prefect.context import refresh_global_settings_context  # noqa: PLC0415 - heavy

    refresh_global_settings_context()
    return True


def _drain() -> None:
    if "prefect" not in sys.modules:
        return
    from prefect.events.worker import EventsWorker  # noqa: PLC0415 - heavy
    from prefect.logging.handlers import APILogWorker  # noqa: PLC0415 - heavy

    for worker in (APILogWorker, EventsWorker):
        # It would warn that it isn't done yet, which is what we wait for.
        logging.getLogger(worker.__name__).setLevel(logging.ERROR)
        worker.drain_all(timeout=_DRAIN)
