"""A store in a fresh folder and one in a fresh bucket of a real server, and what the tests put into them."""

from __future__ import annotations

import hashlib
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from blocks.model import Evidence, Generation, InstallProfile, Lock, OSProfile, Recipe, Record
from blocks.store import Store, open_store
from blocks.store.bucket import Bucket
from blocks.store.s3 import S3Store
from tests.servers.rclone import CREDENTIALS, Rclone, rclone

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rclone]:
    """An S3 server on a folder."""
    with rclone(tmp_path_factory.mktemp("s3") / "buckets") as running:
        yield running


@pytest.fixture(scope="package")
def client(server: Rclone) -> S3Client:
    """A client of that server; making one takes longer than most tests."""
    return Bucket("any", endpoint=server.endpoint).client(CREDENTIALS)


@pytest.fixture
def bucket(server: Rclone) -> str:
    """The URL of a store in a fresh bucket."""
    return server.bucket(f"test-{secrets.token_hex(6)}")


@pytest.fixture(params=["directory", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store."""
    return str(request.getfixturevalue("bucket")) if request.param == "s3" else (tmp_path / "store").as_uri()


@pytest.fixture
def root(url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The folder in which the store, or its server, keeps everything."""
    if url.startswith("file:"):
        return tmp_path / "store"
    made: Rclone = request.getfixturevalue("server")
    return made.folder / url.split("/")[2] / "images"


@pytest.fixture
def store(url: str, request: pytest.FixtureRequest) -> Store:
    """An empty store."""
    if url.startswith("file:"):
        return open_store(url)
    return S3Store(request.getfixturevalue("client"), Bucket.parse(url))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of three chunks, none like the other."""
    path = tmp_path / "image.raw"
    path.write_bytes(b"".join(bytes([letter]) * (4 * 1024 * 1024) for letter in b"abc"))
    return path


@pytest.fixture
def place(root: Path) -> Callable[[str], Path]:
    """Where the store, or its server, keeps a blob."""
    return lambda sha256: root / "blobs" / "sha256" / sha256[:2] / sha256


@pytest.fixture
def make_record() -> Callable[..., Record]:
    """A valid record of a ticket and an attempt."""

    def make(ticket: int, attempt: int = 1, reason: str = "") -> Record:
        recipe = Recipe(
            name="server",
            version="1.0",
            revision=1,
            os_profile=OSProfile(suite="bookworm"),
            install_profile=InstallProfile(),
        )
        generation = Generation(
            recipe=recipe,
            lock=Lock(packages=(), index=hashlib.sha256(b"").hexdigest(), tools=()),
            evidence=Evidence(archives=()),
            policy="refresh",
            reason=reason,
            created=datetime(2026, 1, 2, tzinfo=UTC),
        )
        return Record(ticket=ticket, attempt=attempt, appliance=1, user="ada", generation=generation)

    return make


@pytest.fixture
def run_python() -> Run:
    """Run a program text in a Python process of its own, below a prefix command if there is one."""

    def run(text: str, *arguments: object, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        command = [*prefix, sys.executable, "-c", text, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run
