"""The connection test of whatever the settings come to."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.catalog import Catalog
from blocks.errors import CatalogUnavailable, MachineUnfit, StoreUnavailable
from blocks.health import checks
from blocks.settings import Settings


def test_what_works_is_told_in_a_sentence_each(tmp_path: Path) -> None:
    """The embedded ports of a prepared home."""
    settings = Settings(home=tmp_path)
    Catalog.prepare(settings.catalog()).close()
    told = {port: check() for port, check in checks(settings).items()}
    assert f"{tmp_path}/catalog.sqlite answers; its schema" in told["catalog"]
    assert told["store"] == f"The store file://{tmp_path}/store can be listed, written, read and cleared"
    assert f"GB are free at {tmp_path}" in told["builder"]
    assert not list((tmp_path / "reservations").glob("*.reservation"))


def test_each_failure_is_the_error_that_a_run_would_meet(tmp_path: Path) -> None:
    """A catalog nobody prepared, and a store whose folder is a file."""
    (tmp_path / "store").write_text("no folder", "utf-8")
    tests = checks(Settings(home=tmp_path))
    with pytest.raises(CatalogUnavailable, match="is not prepared"):
        tests["catalog"]()
    with pytest.raises((MachineUnfit, StoreUnavailable), match=str(tmp_path)):
        tests["store"]()
