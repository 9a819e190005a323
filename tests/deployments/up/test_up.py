"""`reforge up`: Prefect's server and UI, as long as it runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.flow


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_the_page_until_it_is_told_to_end(tmp_path: Path, ending: signal.Signals) -> None:
    """The UI answers at the address that is told, and ends with the command."""
    argv = [str(Path(sys.executable).parent / "reforge"), "up"]
    environment = {**os.environ, "REFORGE_HOME": str(tmp_path)}
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        told = next(line for line in process.stderr if line.startswith("Prefect's UI: "))
        address = told.split()[2]
        assert "Prefect" in httpx.get(address).text
        process.send_signal(ending)
        assert process.wait(timeout=60) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)
    assert not (tmp_path / "server.json").exists()
