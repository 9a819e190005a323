"""The gateway in one process: polls and lists among many images, and downloads beside nginx."""

from __future__ import annotations

import base64
import hashlib
import os
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlparse

from pydantic import SecretStr
from rich.table import Table
from sqlalchemy import insert, select

from blocks.builder import identities
from blocks.catalog.tables import TICKETS
from blocks.model import Appliance, Evidence, Generation, ImageFile, Lock, OSProfile, Recipe, Record, StageResult
from blocks.ports import Ports
from blocks.settings import Settings
from tests.servers import postgresql
from tests.servers.gateway import Gateway, gateway
from tests.servers.nginx import nginx

_IMAGES = 100_000
_LISTED = 100
_SECONDS = 5.0
_CLIENTS = 4
_LISTS = 20
_ROUNDS = 3
_FILE = 256 * 1024**2
_PART = 1024**2
_USER, _PASSWORD = "bench", "bench"


def wire(folder: Path) -> tuple[Table, Table]:
    """Two tables: polls and lists on SQLite and PostgreSQL, downloads beside nginx."""
    folder.mkdir()
    columns = ("polls a second", "p50, ms", "p99, ms", "CPU each, ms", f"list of {_LISTED}, p50, ms", "p99, ms")
    polls = Table("catalog", *columns)
    with _installed(folder / "sqlite", {}) as (serving, image):
        polls.add_row(f"SQLite, {_IMAGES} images", *_asked(serving, image))
        downloads = _downloads(folder, serving.address, image)
    with postgresql.serving() as server, server.database() as name:
        url = {"REFORGE_CATALOG_URL": server.url(name)}
        with _installed(folder / "postgresql", url) as (serving, image):
            polls.add_row(f"PostgreSQL, {_IMAGES} images", *_asked(serving, image))
    return polls, downloads


@contextmanager
def _installed(folder: Path, settings: dict[str, str]) -> Iterator[tuple[Gateway, str]]:
    """A gateway, and the path of one of its images."""
    folder.mkdir()
    url = settings.get("REFORGE_CATALOG_URL")
    options = Settings(home=folder / "home", catalog_url=SecretStr(url) if url else None, store_url=None)
    with Ports.open(options, prepare=True) as ports:
        image = _filled(ports)
    with gateway(folder / "home", folder / "log", settings=settings) as serving:
        yield serving, image


def _filled(ports: Ports) -> str:
    """Many images of one user, of which one appliance has the listed ones; each with the same file."""
    ports.catalog.users.add(_USER, ("image_generate", "appliance_create"), SecretStr(_PASSWORD))
    profile = OSProfile(suite="bookworm")
    appliance = Appliance(name="bench", version="1", os_profile=profile)
    number = ports.catalog.appliances.add(_USER, appliance)
    content = os.urandom(_PART) * (_FILE // _PART)
    ports.store.put(content)
    record = _record(number, Recipe.of(appliance, profile, "raw", compress=True), hashlib.sha256(content).hexdigest())
    first = ports.catalog.tickets.adopt(record, has_file=True).id
    with ports.catalog.database.writing() as connection:
        row = dict(connection.execute(select(TICKETS).where(TICKETS.c.id == first)).one()._mapping)
        for begin in range(1, _IMAGES, 1000):
            rows = [
                row | {"id": first + each, "appliance": number + each // _LISTED, "token": f"t{each}"}
                for each in range(begin, min(begin + 1000, _IMAGES))
            ]
            connection.execute(insert(TICKETS), rows)
    return f"users/{_USER}/appliances/{number}/images/{first}"


def _record(appliance: int, recipe: Recipe, sha256: str) -> Record:
    lock = Lock(packages=(), index="a" * 64, tools=())
    stages = tuple(
        StageResult(name=stage, digest=digest, sha256=sha256, size=_FILE, seconds=1, reused=False)
        for stage, digest in identities(recipe, lock).items()
    )
    generation = Generation(
        recipe=recipe,
        lock=lock,
        evidence=Evidence(archives=()),
        policy="refresh",
        stages=stages,
        file=ImageFile(name="bench.raw.zst", format="raw", compression="zstd", size=_FILE, sha256=sha256),
        outcome="rebuilt",
        created=datetime.now(UTC),
    )
    return Record(ticket=1, appliance=appliance, user=_USER, generation=generation)


def _asked(serving: Gateway, image: str) -> list[str]:
    """Polls in a row by some clients, then lists by one; not before the process has begun everything it does."""
    url = f"{serving.address}/{image}"
    _timed(f"{url}/status", 2 * _SECONDS, None)
    before = _worked(serving)
    with ThreadPoolExecutor(_CLIENTS) as pool:
        answers = [pool.submit(_timed, f"{url}/status", _SECONDS, None) for _ in range(_CLIENTS)]
        polls = [seconds for each in answers for seconds in each.result()]
    each = (_worked(serving) - before) / len(polls)
    lists = _timed(url.rpartition("/")[0], None, _LISTS)
    return [f"{len(polls) / _SECONDS:.0f}", *_percentiles(polls), f"{each * 1000:.1f}", *_percentiles(lists)]


def _worked(serving: Gateway) -> float:
    """The seconds of a core that its processes have taken by now."""
    times = [process.cpu_times() for process in serving.processes()]
    return sum(each.user + each.system for each in times)


def _percentiles(seconds: list[float]) -> tuple[str, str]:
    cuts = statistics.quantiles(seconds, n=100)
    return f"{cuts[49] * 1000:.1f}", f"{cuts[98] * 1000:.1f}"


def _timed(url: str, seconds: float | None, times: int | None) -> list[float]:
    """How long each of the requests took, one after the other on one connection: for some seconds, or so many."""
    took: list[float] = []
    with _asking(url) as ask:
        ask()
        end = time.monotonic() + (seconds or 0)
        while time.monotonic() < end if seconds else len(took) < (times or 0):
            began = time.perf_counter()
            ask()
            took.append(time.perf_counter() - began)
    return took


@contextmanager
def _asking(url: str) -> Iterator[Callable[[], int]]:
    """Asks for the URL on one connection, reads the answer, and tells how many bytes it had."""
    found = urlparse(url)
    login = base64.b64encode(f"{_USER}:{_PASSWORD}".encode()).decode()
    with closing(HTTPConnection(str(found.hostname), found.port, timeout=60)) as connection:
        yield partial(_read, connection, found.path, {"Authorization": f"Basic {login}"})


def _read(connection: HTTPConnection, path: str, headers: dict[str, str]) -> int:
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    size = 0
    while part := answer.read(_PART):
        size += len(part)
    return size


def _rate(url: str) -> float:
    """The megabytes a second of one download."""
    with _asking(url) as ask:
        began = time.perf_counter()
        assert ask() == _FILE
        return _FILE / 1e6 / (time.perf_counter() - began)


def _downloads(folder: Path, address: str, image: str) -> Table:
    """The same bytes by both, in turn; the best of each counts."""
    files = (path for path in (folder / "sqlite" / "home" / "store").rglob("*") if path.is_file())
    stored = next(path for path in files if path.stat().st_size == _FILE)
    rates: dict[str, list[float]] = {"ours": [], "nginx": []}
    with nginx(folder / "nginx", stored.parent) as usual:
        both = {"ours": f"{address}/{image}/downloads", "nginx": f"{usual}/{stored.name}"}
        for name in [*both] * _ROUNDS:
            rates[name].append(_rate(both[name]))
    ours, theirs = max(rates["ours"]), max(rates["nginx"])
    table = Table("download", "ours, MB/s", "nginx, MB/s", "ours / its")
    table.add_row(f"{_FILE // 10**6} MB on the loopback", f"{ours:.0f}", f"{theirs:.0f}", f"{ours / theirs:.2f}")
    return table
