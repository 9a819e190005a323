"""The demo: import the example and its record, regenerate the image, and tell what came of it and what to do next."""

from __future__ import annotations

import shlex
from pathlib import Path
from urllib.parse import unquote, urlparse

from blocks.model import Record, Ticket
from blocks.ports import Ports
from deployments import embedded
from deployments.command_line.generations import regenerate
from deployments.command_line.home import opened
from deployments.command_line.images import diff
from deployments.command_line.output import tell
from deployments.demo import example


def run() -> int:
    """Regenerate the example's newest image; returns the command's exit code."""
    with opened() as ports:
        tell(f"Importing the example appliance and the record of its earlier generation into {ports.home}")
        appliance, image = example.prepare(ports)
        tell(f"Regenerating image {image} of appliance {appliance}: the same recipe with the newest packages")
        with embedded.server(ports.home, tell) as address:
            code = regenerate(example.USER, appliance, image)
            if code == 0:
                ticket = ports.catalog.tickets.list(example.USER, appliance)[-1]
                _differences(ticket, image)
                _next(ports, ticket, address)
    return code


def _differences(ticket: Ticket, image: int) -> None:
    print(f"\nPackage differences against image {image}:")  # noqa: T201 (the demo's result)
    diff(example.USER, ticket.appliance, image, ticket.id)


def _next(ports: Ports, ticket: Ticket, address: str) -> None:
    record = ports.catalog.tickets.record(ticket.id)
    if record is None:
        return
    page = f"{address.removesuffix('/api')}/runs/flow-run/{ticket.flow_run}"
    print(  # noqa: T201 (the demo's result)
        f"\nThe run in Prefect's UI:  {page}\n"
        "  (the server ends with this command; keep one with: .venv/bin/reforge up)\n"
        f"Boot the image:           {_boot(ports, record)}\n"
        "  (log in as admin with the password reforge; Ctrl-A X ends the machine)\n"
        f"Once more, on demand:     .venv/bin/reforge regenerate {example.USER} {ticket.appliance} {ticket.id}"
    )


def _boot(ports: Ports, record: Record) -> str:
    file = record.generation.file
    path = Path(unquote(urlparse(ports.store.uri(file.sha256)).path)) if file else Path()
    argv = ["qemu-system-x86_64", "-m", str(record.generation.recipe.install_profile.memory_size), "-nographic"]
    return shlex.join([*argv, "-snapshot", "-drive", f"file={path},format=qcow2,if=virtio"])
