"""Nobody who runs the tests names a Prefect API for them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from deployments.embedded.client import _refresh


@pytest.fixture(scope="module", autouse=True)
def _no_api_named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Neither environment, nor profile, nor project file of who runs the tests takes part in them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PREFECT_")]:
            patch.delenv(name)
        patch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("prefect")))
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        yield
    _refresh()


@pytest.fixture(autouse=True)
def _settings_afresh() -> Iterator[None]:
    """Prefect, once imported here, forgets the environment of the test before."""
    yield
    _refresh()
