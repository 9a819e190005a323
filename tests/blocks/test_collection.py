"""The collection is found by its entry point, and whoever doesn't ask for it doesn't import Prefect."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

_PROBE = """
import sys
import blocks, blocks.catalog, blocks.store, blocks.builder, blocks.ports
import blocks.settings, blocks.configured, blocks.health
sys.exit("prefect" in sys.modules)
"""


def test_a_prefect_server_finds_the_collection() -> None:
    """By the installed project's entry point: install it anew if this fails after a change of pyproject.toml."""
    assert [each.value for each in entry_points(group="prefect.collections", name="reforge")] == ["blocks.collection"]


def test_the_ports_do_without_prefect() -> None:
    """Their Prefect blocks are modules beside them."""
    subprocess.run([sys.executable, "-c", _PROBE], check=True)
