"""`reforge up` as a process of its own, ended by its process id, and schedules as the UI makes them."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

DEPLOYMENT = "regenerate-image/on-demand"


@contextmanager
def serving(*arguments: str) -> Iterator[list[str]]:
    """The lines that it says, as they come; it must end in good order when the context does."""
    argv = [str(Path(sys.executable).parent / "reforge"), "up", "--no-gateway", *arguments]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    lines: list[str] = []
    reader = threading.Thread(target=_read, args=(process, lines))
    reader.start()
    try:
        yield lines
        assert process.poll() is None, lines
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, lines
    finally:
        process.kill()
        process.wait()
        reader.join()


def _read(process: subprocess.Popen[str], lines: list[str]) -> None:
    assert process.stderr is not None
    with process.stderr as stream:
        lines.extend(stream)


def schedule(name: str, parameters: dict[str, Any], seconds: int) -> None:
    """Make a schedule as the UI does."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415
    from prefect.client.schemas.actions import DeploymentScheduleCreate  # noqa: PLC0415
    from prefect.client.schemas.schedules import IntervalSchedule  # noqa: PLC0415

    rhythm = IntervalSchedule(interval=timedelta(seconds=seconds))
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(DEPLOYMENT)
        wanted = DeploymentScheduleCreate(schedule=rhythm, parameters=parameters, slug=name)
        client.create_deployment_schedules(deployment.id, [wanted])
