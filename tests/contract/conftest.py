"""The published client that all tests of the contract share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from filelock import FileLock

from tests.contract.installation import Installation, flags, working
from tests.contract.sdk import Sdk, load


@pytest.fixture(scope="session")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Sdk:
    """The published client, fetched and converted once for all processes of this run."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    with FileLock(folder / "sdk.lock"):
        return load(folder / "sdk")


@pytest.fixture(scope="package")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation with everything running, for all tests of one process, and gone with the last of them."""
    with working(tmp_path_factory.mktemp("installation")) as made:
        yield made


@pytest.fixture(scope="package")
def image(installation: Installation) -> str:
    """The URI of a complete image, really built; whoever uses it leaves it as it is."""
    made = installation.client().post(installation.images())
    assert flags(installation.client().ended(made)) == ("true", "false", "false")
    return made
