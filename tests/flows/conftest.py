"""One home, one Prefect server and one small image for all tests of the flows, and gone with the last of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from blocks.model import Appliance, InstallProfile, OSProfile, Script
from blocks.model.summary import Summary
from blocks.ports import Ports
from deployments import embedded

USER = "alice"


def small(*scripts: Script, name: str = "small") -> Appliance:
    """An appliance that builds in seconds: no kernel, nothing but the base."""
    profile = InstallProfile(disk_size=1024, hostname=name, build_scripts=scripts)
    return Appliance(name=name, os_profile=OSProfile(suite="bookworm"), install_profile=profile)


@pytest.fixture(scope="package")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The room's home folder, named by an environment that names no other catalog, store or Prefect API."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("REFORGE_", "PREFECT_"))]:
            patch.delenv(name)
        patch.setenv("REFORGE_HOME", str(folder))
        yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="package")
def api(home: Path) -> Iterator[str]:
    """The address of a Prefect server of our own."""
    with embedded.server(home, print) as address:
        yield address


@pytest.fixture(scope="package")
def ports(home: Path) -> Iterator[Ports]:
    """The ports of the room's home, with a user who may generate."""
    with Ports.open(prepare=True) as opened:
        opened.catalog.users.add(USER, ("image_generate", "appliance_create"))
        opened.catalog.users.add("mallory", ("image_generate",))
        yield opened
    assert home.exists()


@pytest.fixture(scope="package")
def first(api: str, ports: Ports) -> Summary:
    """The first image of a small appliance, made by the flow."""
    from flows.generate import generate_image  # noqa: PLC0415 (Prefect is imported after its server is named)

    assert api
    appliance = ports.catalog.appliances.add(USER, small())
    done = generate_image(USER, appliance)
    assert isinstance(done, Summary)
    return done
