"""How long a hand-over takes: from `run_deployment` to the first stage, with `reforge up` running."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

from rich.table import Table

from blocks.model import Appliance, InstallProfile, OSProfile
from blocks.ports import Ports
from blocks.settings import Settings
from tests.flows.serving import serving
from tests.waiting import wait_until

_ROUNDS = 3
_LIMIT = 5.0
_USER = "bench"


def handover(home: Path) -> Table:
    """The waits of a few runs in seconds; the first stage begins with the ticket's first attempt."""
    os.environ["REFORGE_HOME"] = str(home)
    with serving() as lines:
        wait_until(lambda: any(line.startswith("Serving ") for line in lines), "the deployments are served", 120)
        os.environ["PREFECT_API_URL"] = re.findall(r"its API: (\S+)", "".join(lines))[0]
        try:
            waits = _waits(home)
        finally:
            del os.environ["PREFECT_API_URL"]
    table = Table("hand-over", *(f"run {number}, s" for number in range(1, _ROUNDS + 1)), "at most, s")
    table.add_row("run_deployment to first stage", *(f"{wait:.2f}" for wait in waits), f"{_LIMIT:.2f}")
    return table


def _waits(home: Path) -> list[float]:
    from flows import start  # noqa: PLC0415 (Prefect is imported after its server is named)

    with Ports.open(Settings(home=home), prepare=True) as ports:
        ports.catalog.users.add(_USER, ("image_generate", "appliance_create"))
        profile = InstallProfile(disk_size=1024)
        made = Appliance(name="small", os_profile=OSProfile(suite="bookworm"), install_profile=profile)
        appliance = ports.catalog.appliances.add(_USER, made)
        image = start.wait(start.generate(_USER, appliance)).ticket
        return [_wait(ports, appliance, image) for _ in range(_ROUNDS)]


def _wait(ports: Ports, appliance: int, image: int) -> float:
    from prefect.deployments import run_deployment  # noqa: PLC0415

    asked = time.time()
    parameters = {"user": _USER, "appliance": appliance, "image": image}
    run: Any = run_deployment("regenerate-image/on-demand", parameters=parameters, poll_interval=0.5)
    assert run.state.is_completed(), run.state
    events = ports.catalog.events.list(ports.catalog.tickets.list()[-1].id)
    return next(event.time for event in events if event.state == "planning").timestamp() - asked
