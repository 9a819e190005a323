"""Servers that tests of several rooms talk to, each started when a test first asks for it; what runs together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.servers.postgresql import Postgresql, serving

_LONG = {"contract", "faults", "flows"}
_TOGETHER = {"contract", "faults"}


class _Rooms(LoadScopeScheduling):
    """A module is run by one process, and so is a room whose modules share an installation."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        room = Path(module).parent
        return str(room) if room.name in _TOGETHER else module


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """How the processes of this run share its tests."""
    return _Rooms(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The rooms of long modules come first, so that processes that share the work end together."""
    items.sort(key=lambda item: item.path.parent.name not in _LONG)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """A PostgreSQL server of this run's own."""
    with serving() as server:
        yield server
