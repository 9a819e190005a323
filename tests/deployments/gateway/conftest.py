"""The real application over a home of its own for each test: users, an appliance, and an image with its file."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import httpx
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from argon2 import PasswordHasher
from fastapi import FastAPI
from pydantic import SecretStr

from blocks.builder import identities
from blocks.catalog import TicketRequest
from blocks.model import (
    Appliance,
    Evidence,
    Generation,
    ImageFile,
    Lock,
    Origin,
    OSProfile,
    Package,
    Recipe,
    Record,
    StageResult,
)
from blocks.ports import Ports
from blocks.settings import Settings
from deployments.gateway.application import application

BYTES = bytes(range(256)) * 4096
PASSWORD = "the password"  # noqa: S105 - of users that exist for a moment
PROFILE = OSProfile(suite="bookworm", packages=("dash",))
APPLIANCE = Appliance(name="server", version="12", os_profile=PROFILE)
RECIPE = Recipe.of(APPLIANCE, PROFILE, "qcow2", compress=True)
NAMESPACE = "{http://www.usharesoft.com/uforge}"


class Client:
    """Asks an application, as a user or as nobody; each answer is whole when it is given."""

    def __init__(self, portal: BlockingPortal, app: FastAPI) -> None:
        self._portal = portal
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    def ask(
        self,
        method: str,
        path: str,
        user: str | None = "alice",
        *,
        password: str = PASSWORD,
        content: bytes | None = None,
        **headers: str,
    ) -> httpx.Response:
        """The answer to one request; `path` is below the API's root, and names of headers have `_` for `-`."""
        return self._portal.call(self._ask, method, path, user, password, content, headers)

    def get(self, path: str, user: str | None = "alice", **headers: str) -> httpx.Response:
        """The answer to a GET."""
        return self._portal.call(self._ask, "GET", path, user, PASSWORD, None, headers)

    async def _ask(
        self,
        method: str,
        path: str,
        user: str | None,
        password: str,
        content: bytes | None,
        headers: dict[str, str],
    ) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx.AsyncClient(transport=self._transport, base_url="http://gateway") as client:
            url = path if path.startswith("/") else f"/api/{path}"
            login = None if user is None else (user, password)
            return await client.request(method, url, content=content, headers=named, auth=login)


@dataclass(frozen=True)
class Made:
    """The numbers of what is there from the beginning."""

    appliance: int
    image: int

    @property
    def uri(self) -> str:
        """The image's address."""
        return f"users/alice/appliances/{self.appliance}/images/{self.image}"


def root(answer: httpx.Response, status: int = 200) -> Element:
    """The document of an answer in XML, of the status that it must have."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/xml"
    return fromstring(answer.content)  # noqa: S314 - our own


def error(answer: httpx.Response, status: int) -> str:
    """What a `uforgeError` of that status says."""
    found = root(answer, status)
    assert found.tag == f"{NAMESPACE}uforgeError"
    assert found.findtext("statusCode") == str(status)
    assert found.findtext("requestMethod") == answer.request.method
    assert found.findtext("requestUri") == answer.request.url.path.removeprefix("/api").strip("/")
    return found.findtext("localizedErrorMsg/message") or ""


def document(answer: httpx.Response, status: int = 200) -> Any:
    """The document of an answer in JSON."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    return json.loads(answer.content)


def lock(*names: str) -> Lock:
    """A lock of these packages."""
    packages = []
    for name in names:
        origin = Origin(archive="Debian", suite="bookworm", component="main", filename=f"pool/{name}_1-2_amd64.deb")
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        made = {"name": name, "version": "1:1-2", "architecture": "amd64", "size": 10, "sha256": sha256}
        packages.append(Package(**made, origin=origin))
    return Lock(packages=tuple(packages), index="a" * 64, tools=())


def record(appliance: int, recipe: Recipe = RECIPE) -> Record:
    """The record of a complete generation whose image is BYTES."""
    sha256, content = hashlib.sha256(BYTES).hexdigest(), lock("dash", "libc6")
    stages = tuple(
        StageResult(name=stage, digest=digest, sha256=sha256, size=len(BYTES), seconds=1.5, reused=False)
        for stage, digest in identities(recipe, content).items()
    )
    generation = Generation(
        recipe=recipe,
        lock=content,
        evidence=Evidence(archives=()),
        policy="refresh",
        stages=stages,
        file=ImageFile(name="server.qcow2", format="qcow2", compression="zstd", size=len(BYTES), sha256=sha256),
        outcome="rebuilt",
        reason="There is no earlier image to compare with",
        created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )
    return Record(ticket=1, appliance=appliance, user="alice", generation=generation)


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Made]:
    """A home with users, an appliance and an image, to be copied; its passwords are hashed quickly."""
    home = tmp_path_factory.mktemp("template") / "home"
    quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    with pytest.MonkeyPatch.context() as patch, Ports.open(Settings(home=home), prepare=True) as ports:
        patch.setattr("blocks.catalog.users._HASHER", quick)
        ports.catalog.organizations.add("acme")
        for name, role, organization in (
            ("alice", "developer", "default"),
            ("bob", "developer", "default"),
            ("guest", "builder", "default"),
            ("chief", "administrator", "default"),
            ("eve", "administrator", "acme"),
        ):
            ports.catalog.users.add(name, (), SecretStr(PASSWORD), roles=[role], organization=organization)
        appliance = ports.catalog.appliances.add("alice", APPLIANCE)
        ports.store.put(BYTES)
        image = ports.catalog.tickets.adopt(record(appliance), has_file=True)
        return home, Made(appliance, image.id)


@pytest.fixture
def made(furnished: tuple[Path, Made]) -> Made:
    """What is there."""
    return furnished[1]


@pytest.fixture
def ports(furnished: tuple[Path, Made], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ports]:
    """The ports of the test's own home."""
    for name in [name for name in os.environ if name.startswith("REFORGE_")]:
        monkeypatch.delenv(name)
    shutil.copytree(furnished[0], tmp_path / "home")
    with Ports.open(Settings(home=tmp_path / "home")) as opened:
        yield opened


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    """An event loop for all applications."""
    with start_blocking_portal() as opened:
        yield opened


@pytest.fixture
def serve(ports: Ports, portal: BlockingPortal) -> Callable[..., Client]:
    """Makes clients of an application that is made so; what was asked for isn't started."""

    def make(**options: Any) -> Client:
        return Client(portal, application(ports, **options))

    return make


@pytest.fixture
def client(serve: Callable[..., Client]) -> Client:
    """Asks the usual application."""
    return serve()


@pytest.fixture
def live(ports: Ports, made: Made) -> int:
    """An image of alice's that nobody works on yet."""
    wanted = TicketRequest(user="alice", appliance=made.appliance, policy="refresh", recipe=RECIPE)
    return ports.catalog.tickets.create(wanted).id
