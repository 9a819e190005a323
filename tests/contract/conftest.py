"""The published client that all tests of the contract share."""

from __future__ import annotations

import os

import pytest
from filelock import FileLock

from tests.contract.sdk import Sdk, load


@pytest.fixture(scope="session")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Sdk:
    """The published client, fetched and converted once for all processes of this run."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    with FileLock(folder / "sdk.lock"):
        return load(folder / "sdk")
