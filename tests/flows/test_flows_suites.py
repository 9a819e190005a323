"""The suites besides the demo's: an appliance of each is generated through the flow, and the image boots."""

from __future__ import annotations

import re

import pytest
import yaml

from blocks.model import Appliance
from blocks.model.summary import Summary
from blocks.ports import Ports
from deployments.demo import example
from tests.flows.conftest import USER
from tests.flows.machine import Firmware, booted, path

pytestmark = [pytest.mark.flow, pytest.mark.build, pytest.mark.boot]


@pytest.fixture(scope="module")
def made(api: str, ports: Ports) -> Summary:
    """An image of Debian 13 that speaks German, and is otherwise the demo's."""
    from flows.generate import generate_image  # noqa: PLC0415 (Prefect is imported after its server is named)

    assert api
    told = yaml.safe_load(example.APPLIANCE.read_bytes())
    told["name"] = "Debian 13 server"
    told["os_profile"]["suite"] = "trixie"
    told["install_profile"] |= {"locale": "de_DE.UTF-8", "keyboard": {"layout": "de", "variant": "nodeadkeys"}}
    done = generate_image(USER, ports.catalog.appliances.add(USER, Appliance.parse(told)))
    assert isinstance(done, Summary)
    return done


@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_debian_13_boots_and_is_what_the_lock_says(made: Summary, ports: Ports, firmware: Firmware) -> None:
    """With both firmwares it comes to a login, holds the lock's packages and is Debian 13, without an apt source."""
    record = ports.catalog.tickets.record(made.ticket)
    assert record is not None
    assert {row.suite for row in record.generation.evidence.archives} >= {"trixie", "trixie-updates"}
    with booted(path(made), "qcow2", firmware) as console:
        console.log_in("admin", "reforge")
        console.check(record.generation.lock, firmware)
        assert console.ask("cut -d. -f1 /etc/debian_version") == "13"
        assert console.ask("cat /etc/apt/sources.list; ls /etc/apt/sources.list.d") == ""
        assert console.ask("findmnt -no FSTYPE /tmp") == "tmpfs"
        assert 'LC_TIME="de_DE.UTF-8"' in console.ask("locale")
        assert console.ask("LC_ALL= date -d 2026-03-01 +%B") == "März"
        assert {"LANG=de_DE.UTF-8", "Layout: de", "Variant: nodeadkeys"} <= set(
            re.findall(r"LANG=\S+|Layout: \S+|Variant: \S+", console.ask("localectl status --no-pager | cat"))
        )
        assert "= +z" in console.ask("sudo -S dumpkeys -C /dev/tty1 <<< reforge | grep '^keycode *21 '")
        assert console.ask("systemctl is-active systemd-networkd systemd-resolved ssh") == "active\nactive\nactive"
