"""Servers that tests of several rooms talk to, each started when a test first asks for it; what runs together."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.postgresql import Postgresql, serving

_LONG = {"contract", "faults", "flows"}
_INSTALLATIONS = {"contract": "installation", "faults": "site"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The rooms of long modules come first, so that processes that share the work end together.

    A module is run by one process, and so is all that shares an installation.
    """
    items.sort(key=lambda item: item.path.parent.name not in _LONG)
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))


def _group(item: pytest.Item) -> str:
    room = item.path.parent.name
    shared = _INSTALLATIONS.get(room) in getattr(item, "fixturenames", ())
    return room if shared else "/".join(item.path.parts[-4:])


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """A PostgreSQL server of this run's own."""
    with serving() as server:
        yield server
