"""One installation for all tests of faults, with an image that was made undisturbed."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator

import pytest

from tests.faults.cases import Reference, reference
from tests.faults.installation import Installation, installed


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Workers, servers and homes; housekeeping runs when a test wants it, not by itself."""
    folder = tmp_path_factory.mktemp(f"faults-{secrets.token_hex(4)}")  # by which its processes are known
    with installed(folder) as made:
        made.pause("housekeeping/scheduled")
        yield made
    shutil.rmtree(folder)


@pytest.fixture(scope="package")
def known(site: Installation) -> Reference:
    """An appliance and its image."""
    return reference(site)
