"""Servers that tests of several rooms talk to: each started once, when a test first asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.postgresql import Postgresql, serving


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """A PostgreSQL server of this run's own."""
    with serving() as server:
        yield server
