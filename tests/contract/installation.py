"""A whole installation, and its clients over HTTP: the gateway, and `reforge up` that works on what is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import httpx
from pydantic import SecretStr

from blocks.model import Appliance, InstallProfile, OSProfile, Script
from blocks.ports import Ports
from blocks.settings import Settings
from tests.contract import sequences
from tests.servers.gateway import gateway
from tests.servers.up import up
from tests.waiting import wait_until

PASSWORD = "correct horse battery staple"  # noqa: S105 (of users that exist for a test only)
USER = "ada"
_ENTITLED = ("image_generate", "appliance_create", "api_key_access")
_SLOW = Script(name="slow", content="#!/bin/sh\nsleep 300\n")
_PATIENCE = 240
BUILD = """<a:image xmlns:a="http://www.usharesoft.com/uforge">
<compress>true</compress><targetFormat><name>RAW</name></targetFormat></a:image>"""


@dataclass(frozen=True)
class Client:
    """Somebody who asks, by name and password; nobody without a name."""

    address: str
    user: str | None = USER

    def ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        """The answer, whatever it is."""
        if self.user is not None:
            given.setdefault("auth", (self.user, PASSWORD))
        return httpx.request(method, f"{self.address}/{path}", timeout=30, **given)

    def xml(self, method: str, path: str, status: int = 200, **given: Any) -> ET.Element:
        """The document of the answer, which must be one of the contract."""
        return document(self.ask(method, path, **given), status)

    def json(self, path: str, status: int = 200) -> dict[str, Any]:
        """The same document in JSON, a member named like the root and nothing beside it."""
        answer = self.ask("GET", path, headers={"Accept": "application/json"})
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json"), answer.text
        told = json.loads(answer.text)
        assert len(told) == 1
        return dict(told)

    def status(self, image: str) -> dict[str, str]:
        """The words of an image's status."""
        found = self.xml("GET", f"{image}/status")
        return {child.tag: child.text or "" for child in found}

    def post(self, path: str, body: str | None = BUILD, **query: str) -> str:
        """The URI of the image that is made from now on."""
        headers = {"Content-Type": "application/xml"}
        ticket = self.xml("POST", path, 201, content=body, params=query, headers=headers)
        return text(ticket, "uri")

    def ended(self, image: str) -> dict[str, str]:
        """The status of an image once its generation has ended."""
        wait_until(lambda: _has_ended(self.status(image)), f"{image} ends", _PATIENCE)
        return self.status(image)


@dataclass(frozen=True)
class Installation:
    """Its ports as an operator opens them, the gateway's URL, an appliance that is quick, and one that waits."""

    ports: Ports
    address: str
    small: int
    slow: int
    guests: int

    def client(self, user: str | None = USER) -> Client:
        """Somebody who asks."""
        return Client(self.address, user)

    def images(self, appliance: int | None = None) -> str:
        """The path of the small appliance's images, or of another one's."""
        return f"users/{USER}/appliances/{appliance or self.small}/images"


@contextmanager
def installed(folder: Path) -> Iterator[Installation]:
    """An installation in the folder, without Prefect: what is asked for waits."""
    home = folder / "home"
    settings = Settings(home=home, catalog_url=None, store_url=None)
    with Ports.open(settings, prepare=True) as ports, gateway(home, folder / "gateway.log") as serving:
        ports.catalog.users.add(USER, _ENTITLED, password=SecretStr(PASSWORD))
        ports.catalog.users.add("mallory", _ENTITLED, password=SecretStr(PASSWORD))
        ports.catalog.users.add("guest", (), password=SecretStr(PASSWORD))
        ports.catalog.users.add("root", (), SecretStr(PASSWORD), roles=("platform_administrator",))
        own = [(USER, appliance()), (USER, appliance(_SLOW, name="slow")), ("guest", appliance())]
        yield Installation(ports, serving.address, *(ports.catalog.appliances.add(*each) for each in own))


@contextmanager
def working(folder: Path) -> Iterator[Installation]:
    """The same, and what is asked for is worked on."""
    with installed(folder) as made, up(made.ports.home, folder / "up.log", "--no-gateway"):
        yield made


def appliance(*scripts: Script, name: str = "small") -> Appliance:
    """A template that builds in seconds: no kernel, nothing but the base."""
    profile = InstallProfile(disk_size=1024, hostname=name, build_scripts=scripts)
    return Appliance(name=name, version="1.0", os_profile=OSProfile(suite="bookworm"), install_profile=profile)


def document(answer: httpx.Response, status: int = 200) -> ET.Element:
    """The XML of an answer, which must have this status and be a document of the contract."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/xml"
    root = ET.fromstring(answer.content)  # noqa: S314 (our own answer)
    sequences.check(root)
    return root


def text(element: ET.Element, path: str) -> str:
    """What stands in an element that must be there."""
    found = element.findtext(path)
    assert found is not None, f"{element.tag} has no {path}"
    return found


def flags(status: Mapping[str, str]) -> tuple[str, str, str]:
    """Complete, error and cancelled."""
    return status["complete"], status["error"], status["cancelled"]


def _has_ended(status: Mapping[str, str]) -> bool:
    return "true" in flags(status)
