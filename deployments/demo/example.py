"""What the demo ships, brought into a catalog: a user, an appliance, and the record of its earlier generation."""

from __future__ import annotations

from pathlib import Path

import yaml

from blocks import portable
from blocks.errors import UnknownUser
from blocks.model import Appliance
from blocks.ports import Ports

USER = "demo"
_FOLDER = Path(__file__).parent
APPLIANCE = _FOLDER / "debian-server.yaml"
RECORD = _FOLDER / "debian-server.record.json"


def prepare(ports: Ports) -> tuple[int, int]:
    """The appliance and its newest complete image; what is missing is imported first."""
    try:
        ports.catalog.users.get(USER)
    except UnknownUser:
        ports.catalog.users.add(USER, ("image_generate", "appliance_create"))
    appliance = ports.catalog.appliances.add(USER, Appliance.parse(yaml.safe_load(APPLIANCE.read_bytes())))
    complete = [ticket.id for ticket in ports.catalog.tickets.list(USER, appliance) if ticket.state == "complete"]
    return appliance, complete[-1] if complete else portable.import_record(ports, RECORD, USER, appliance).id
