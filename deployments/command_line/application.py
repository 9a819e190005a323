"""The program: its commands, and the one place where an error becomes words and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter
from cyclopts.validators import Number as Limits

from blocks.errors import ReforgeError
from deployments.command_line.appliances import appliance
from deployments.command_line.gateway import gateway
from deployments.command_line.generations import generate, regenerate
from deployments.command_line.images import diff, download, images, packages, verify
from deployments.command_line.keys import key
from deployments.command_line.maintenance import housekeeping
from deployments.command_line.organizations import organization
from deployments.command_line.output import complain
from deployments.command_line.plans import plan
from deployments.command_line.quotas import quota
from deployments.command_line.records import record
from deployments.command_line.schedules import schedule
from deployments.command_line.tickets import cancel, delete, status
from deployments.command_line.users import user

_FAILED, _USAGE, _CANCELLED = 1, 2, 5

application = App(
    name="reforge",
    help="Regenerate machine images from the record of an earlier generation. "
    "Exit codes: 0 done, 1 failed, 2 usage, 3 denied, 4 not found, 5 cancelled.",
    version=lambda: version("reforge"),
    result_action="return_value",
)


@application.command
def demo() -> int:
    """Run the main job on an example: a small Debian server and the record of an earlier generation of it."""
    from deployments.demo import run  # noqa: PLC0415 - heavy

    return run()


@application.command
def up(
    *,
    port: Annotated[int | None, Parameter(validator=Limits(gte=1, lt=2**16))] = None,
    gateway_port: Annotated[int, Parameter(validator=Limits(gte=0, lt=2**16))] = 0,
    gateway: bool = True,
) -> int:
    """Serve all deployments, with Prefect's server and UI, until interrupted; commands of the same home use it.

    Args:
        port: The port of Prefect's server and UI on this machine; a free one unless given.
        gateway_port: The port of the gateway on this machine; 0 for a free one.
        gateway: Whether the gateway is served, too.
    """
    from deployments.command_line.home import opened  # noqa: PLC0415 - heavy
    from deployments.up import up as serve  # noqa: PLC0415 - heavy

    with opened() as ports:
        serve(ports, port, gateway_port if gateway else None)
    return 0


@application.command
def worker(
    *,
    pool: str = "reforge",
    name: str | None = None,
    limit: Annotated[int | None, Parameter(validator=Limits(gte=1))] = None,
    blocks: str | None = None,
) -> int:
    """Run what the deployments of a work pool are asked for on this machine, until interrupted.

    What it works on when it is told to end is given back, and goes on elsewhere or when a worker is there again.

    Args:
        pool: The work pool.
        name: What Prefect calls this worker; the host's name and more unless given.
        limit: How many runs at a time; what cores, memory and free disk space allow unless given.
        blocks: The name of the Prefect blocks with catalog, store and builder; `main` as far as there is one.
    """
    from deployments.worker import work  # noqa: PLC0415 - heavy

    work(pool, name, limit, blocks)
    return 0


for _command in (
    plan,
    generate,
    regenerate,
    status,
    cancel,
    delete,
    images,
    packages,
    diff,
    verify,
    download,
    housekeeping,
    gateway,
):
    application.command(_command)
for _group in (record, appliance, user, key, organization, quota, schedule):
    application.command(_group)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    try:
        return application(arguments, exit_on_error=False) or 0
    except CycloptsError:
        return _USAGE
    except ReforgeError as error:
        complain(error.what, error.hint)
        return error.exit_code
    except KeyboardInterrupt:
        complain("Interrupted")
        return _CANCELLED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
    except OSError as error:
        complain(str(error))
        return _FAILED
