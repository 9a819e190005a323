"""Servers that tests of several rooms talk to, each started when a test first asks for it; the order of the rooms."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.postgresql import Postgresql, serving

_LONG = {"contract", "faults", "flows"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The rooms of long modules come first, so that processes that share the modules end together."""
    items.sort(key=lambda item: item.path.parent.name not in _LONG)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """A PostgreSQL server of this run's own."""
    with serving() as server:
        yield server
