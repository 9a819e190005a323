"""Faults that pass are waited for with growing delays, and the image completes; those that last end a run at once."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from blocks.builder import Job, mirrors
from blocks.builder.space import Space
from blocks.errors import CatalogUnavailable, MirrorRefused, NoSpace, ReforgeError, StageFailed, StoreRefused
from blocks.model import Appliance, InstallProfile, OSProfile, Source
from blocks.model.summary import Summary
from blocks.ports import Ports
from tests.blocks.builder.small_archive import GPG, Deb, Signer, SmallArchive, tool
from tests.flows.conftest import USER
from tests.flows.observing import at
from tests.servers.postgresql import Postgresql
from tests.servers.rclone import ACCESS, SECRET, command, free_port, listens
from tests.waiting import wait_until

pytestmark = [pytest.mark.flow, pytest.mark.build]

_AWAY = 2.0
_LONG = 300.0


def _appliance(disk_size: int, profile: OSProfile | None = None) -> Appliance:
    """Of the same root file system as the first image, which is in the cache, and a disk that nobody has made yet."""
    install = InstallProfile(disk_size=disk_size, hostname="small")
    return Appliance(name="small", os_profile=profile or OSProfile(suite="bookworm"), install_profile=install)


def _generate(ports: Ports, appliance: Appliance) -> Summary:
    from flows.generate import generate_image  # noqa: PLC0415 (Prefect is imported after its server is named)

    done = generate_image(USER, ports.catalog.appliances.add(USER, appliance))
    assert isinstance(done, Summary)
    assert (done.state, done.file is not None) == ("complete", True)
    return done


def _tries(api: str, ports: Ports, step: str) -> int:
    """How often the newest run has tried a step."""
    run = ports.catalog.tickets.list()[-1].flow_run
    wanted = {"task_runs": {"name": {"any_": [step]}}, "flow_runs": {"id": {"any_": [run]}}}
    wait_until(lambda: bool(httpx.post(f"{api}/task_runs/filter", json=wanted).json()), "the step is known", 20)
    return int(httpx.post(f"{api}/task_runs/filter", json=wanted).json()[0]["run_count"])


@contextlib.contextmanager
def _later(deed: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """What does the deed some seconds after it is called, in a thread that stays: what it starts may go with it."""
    called, over = threading.Event(), threading.Event()

    def act() -> None:
        while not called.wait(0.1):
            if over.is_set():
                return
        time.sleep(_AWAY)
        deed()
        over.wait()

    acting = threading.Thread(target=act)
    acting.start()
    try:
        yield called.set
    finally:
        over.set()
        acting.join()


@contextlib.contextmanager
def _once_told(ports: Ports, reason: str, deed: Callable[[], None]) -> Iterator[None]:
    """Do it as soon as the newest ticket's user is told that a step is tried again, and why; fails if never."""
    told = threading.Event()

    def look() -> None:
        def waiting() -> bool:
            message = ports.catalog.tickets.list()[-1].message
            return reason in message and "Trying again in" in message

        wait_until(waiting, reason, 120)
        told.set()
        deed()

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield
    finally:
        looking.join()
    assert told.is_set()


def test_a_database_that_is_away_in_the_middle_of_a_stage(
    first: Summary, api: str, postgresql: Postgresql, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was made meanwhile counts as made, is recorded once the database is back, and the image completes."""
    assert first
    with postgresql.database() as database, contextlib.ExitStack() as restored:
        restored.callback(postgresql.start)
        start_later = restored.enter_context(_later(postgresql.start))
        restored.callback(postgresql.stop)

        def delay(tries: int) -> float:
            start_later()  # not before the finished stage could not be recorded
            return float(tries)

        monkeypatch.setattr("tasks.step.delay", delay)
        monkeypatch.setenv("REFORGE_CATALOG_URL", postgresql.url(database))
        with Ports.open(prepare=True) as distant:
            distant.catalog.users.add(USER, ("image_generate", "appliance_create"))
            with at("disk", "working", postgresql.stop):
                done = _generate(distant, _appliance(1040))
            assert [stage.reused for stage in done.stages] == [True, False, False]
            assert _tries(api, distant, "build disk") > 1
            record = distant.catalog.tickets.record(done.ticket)
            assert record is not None
            for stage in record.generation.stages[1:]:
                assert distant.catalog.outputs.get(stage.digest) is not None


class _Server:
    """rclone on one folder and one port, that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "bucket").mkdir(parents=True)

    @property
    def url(self) -> str:
        """The store's URL."""
        return f"s3://bucket/images?endpoint=http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serve."""
        self.process = subprocess.Popen(
            command(self.folder, self.port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(lambda: listens(self.port), "rclone listens", 30)

    def kill(self) -> None:
        """Serve no more."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@pytest.fixture
def bucket(first: Summary, ports: Ports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Server]:
    """A store on S3 that has the package files already, named by the environment."""
    assert first
    server = _Server(tmp_path / "s3")
    (server.folder / "bucket" / "images").mkdir()
    tool("cp", "--archive", "--link", str(ports.home / "store" / "blobs"), str(server.folder / "bucket" / "images"))
    server.start()
    monkeypatch.setenv("REFORGE_STORE_URL", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    yield server
    server.kill()


def test_a_store_that_is_killed_during_the_upload(first: Summary, api: str, ports: Ports, bucket: _Server) -> None:
    """The upload begins again once the server is back, and nothing unfinished stays; the stages are shared there."""
    assert first

    with _later(bucket.start) as start_later:

        def kill() -> None:
            bucket.kill()
            start_later()

        with at("upload", "working", kill), Ports.open() as distant:
            done = _generate(distant, _appliance(1044))
            assert distant.store.unfinished() == ()
            assert done.file is not None
            distant.store.verify(done.file.sha256, done.file.size, lambda: None)
            record = distant.catalog.tickets.record(done.ticket)
            assert record is not None
            for stage in record.generation.stages[1:]:
                assert distant.catalog.checkpoints.get(stage.digest) is not None
    assert _tries(api, ports, "upload") > 1
    assert ports.catalog.intents.pending() == []


def test_an_upload_that_broke_off_and_could_not_be_ended(
    first: Summary, api: str, bucket: _Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is away for longer than the upload asks it to end what was begun; the next try sees to that."""
    assert first
    monkeypatch.setenv("REFORGE_SHARE_STAGES", "false")
    with _later(bucket.start) as start_later, Ports.open() as distant:

        def delay(tries: int) -> float:
            start_later()
            return float(tries)

        monkeypatch.setattr("tasks.step.delay", delay)
        with at("upload", "working", bucket.kill, lambda: bool(distant.store.unfinished())):
            assert _generate(distant, _appliance(1045)).state == "complete"
        assert distant.store.unfinished() == ()
        assert _tries(api, distant, "upload") > 1


def test_wrong_keys_to_the_store_end_the_run_at_once(
    first: Summary, api: str, ports: Ports, bucket: _Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another try is pointless; the ticket says what is refused."""
    assert first
    assert bucket
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StoreRefused):
        _generate(ports, _appliance(1048))
    ended = ports.catalog.tickets.list()[-1]
    assert ended.state == "error"
    assert "secret key" in ended.error
    assert _tries(api, ports, "plan") == 1


@pytest.fixture
def house(tmp_path: Path) -> Iterator[SmallArchive]:
    """An archive of one package that needs one of Debian's."""
    (tmp_path / "keys").mkdir(mode=0o700)
    signer = Signer(tmp_path / "keys")
    archive = SmallArchive(tmp_path / "served", signer)
    archive.publish("house", Deb("house-tool", fields={"Depends": "bash"}), origin="House", label="House")
    yield archive
    archive.end()
    signer.end()


def _profile(house: SmallArchive, folder: Path, suite: str = "house") -> OSProfile:
    """Debian as this host reaches it, and the archive on top of it."""
    found = mirrors.find("Debian", (), mirrors.entries(), folder, Job())
    mirror = next(mirror for mirror in found if mirror.label == "Debian")
    keyring = mirror.signed_by or "/usr/share/keyrings/debian-archive-keyring.gpg"
    debian = Source(address=mirror.address, suite="bookworm", keyring=_armoured(keyring, folder))
    own = Source(address=house.address, suite=suite, keyring=house.key())
    return OSProfile(suite="bookworm", packages=("house-tool",), sources=(debian, own))


def _armoured(keyring: str, folder: Path) -> str:
    if "\n" in keyring or keyring.endswith(".asc"):
        return keyring if "\n" in keyring else Path(keyring).read_text("utf-8")
    (folder / "gpg").mkdir(mode=0o700, exist_ok=True)
    argv = [*GPG, "--no-default-keyring", "--keyring", keyring, "--export", "--armor"]
    return tool(*argv, environment={"GNUPGHOME": str(folder / "gpg")}).decode()


def test_a_mirror_that_is_overloaded_and_then_cuts_its_files(
    first: Summary, api: str, ports: Ports, house: SmallArchive, tmp_path: Path
) -> None:
    """Both are tried again until the mirror serves; what the run waits for is what the ticket's user reads."""
    assert first
    profile = _profile(house, tmp_path)
    house.answer(503)
    house.cut(3)  # apt itself asks three times
    with _once_told(ports, "503  Service Unavailable", lambda: house.answer(0)):
        _generate(ports, _appliance(1052, profile))
    assert _tries(api, ports, "plan") > 1
    assert _tries(api, ports, "build rootfs") > 1


def test_a_mirror_without_the_suite_ends_the_run_at_once(
    first: Summary, api: str, ports: Ports, house: SmallArchive, tmp_path: Path
) -> None:
    """A 404 is an answer: the ticket has it, after one try."""
    assert first
    with pytest.raises(MirrorRefused):
        _generate(ports, _appliance(1056, _profile(house, tmp_path, "nowhere")))
    ended = ports.catalog.tickets.list()[-1]
    assert ended.state == "error"
    assert "does not have a Release file" in ended.error
    assert _tries(api, ports, "plan") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system; the next test is for others")
def test_a_disk_that_is_full_in_the_middle_of_a_stage(first: Summary, api: str, ports: Ports) -> None:
    """The stage is made once there is room, with the bytes of an undisturbed one, and nothing half made stays."""
    folder = ports.home / "cache" / "checkpoints"
    record = ports.catalog.tickets.record(first.ticket)
    assert record is not None
    rootfs = folder / "rootfs" / record.generation.stages[0].digest
    with tempfile.TemporaryDirectory(dir=ports.home) as aside:
        tool("cp", "--archive", "--link", str(rootfs), aside)
        need = (rootfs / "data").stat().st_size
        tool("mount", "-t", "tmpfs", "-o", f"size={need + 2**26},mode=0700", "small", str(folder))
        try:
            (folder / "rootfs").mkdir()
            tool("cp", "--archive", f"{aside}/{rootfs.name}", str(folder / "rootfs"))
            with _once_told(ports, "failed", lambda: _grow(folder)):
                done = _generate(ports, _appliance(1024))
            assert list(folder.glob("partial-*")) == []
        finally:
            tool("umount", str(folder))
    assert rootfs.exists()
    assert [stage.reused for stage in done.stages] == [True, False, False]
    assert done.file is not None
    assert first.file is not None
    assert done.file.sha256 == first.file.sha256
    assert _tries(api, ports, "build disk") > 1


def _grow(folder: Path) -> None:
    tool("mount", "-o", "remount,size=4g", str(folder))


@pytest.mark.skipif(os.geteuid() == 0, reason="root has the test before")
def test_a_disk_that_other_builds_have_reserved(first: Summary, api: str, ports: Ports) -> None:
    """A build waits for the room that those give back."""
    assert first
    free = shutil.disk_usage(ports.home).free
    with contextlib.ExitStack() as others:
        others.enter_context(Space(ports.home / "reservations").reserved(free - 10**9))
        with _once_told(ports, "reserved by running builds", others.close):
            done = _generate(ports, _appliance(1060))
    assert [stage.reused for stage in done.stages] == [True, False, False]
    assert _tries(api, ports, "build disk") > 1


def test_a_cancel_is_heard_while_a_step_waits_for_its_next_try(
    first: Summary, ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the delay, the run ends as cancelled before the next try would have been due."""
    from flows.generate import generate_image  # noqa: PLC0415

    assert first
    appliance = ports.catalog.appliances.add(USER, _appliance(1064))
    cancelled: list[float] = []

    def cancel() -> None:
        ports.catalog.tickets.cancel(ports.catalog.tickets.list()[-1].id, "the test asked for it")
        cancelled.append(time.monotonic())

    monkeypatch.setattr("tasks.step.delay", lambda _tries: _LONG)
    with (
        Space(ports.home / "reservations").reserved(shutil.disk_usage(ports.home).free - 10**9),
        _once_told(ports, "reserved by running builds", cancel),
    ):
        state = generate_image(USER, appliance, return_state=True)
    assert state.is_cancelled()
    assert time.monotonic() < cancelled[0] + _LONG
    assert ports.catalog.tickets.list()[-1].state == "cancelled"


@pytest.mark.parametrize("fault", [httpx.ConnectError("refused"), httpx.RemoteProtocolError("cut off")])
def test_a_slot_that_prefect_cannot_give_now_is_asked_for_again(
    first: Summary, ports: Ports, monkeypatch: pytest.MonkeyPatch, fault: httpx.TransportError
) -> None:
    """What breaks off before a step begins costs no attempt: the ticket is complete at its first."""
    from prefect.client.orchestration import PrefectClient  # noqa: PLC0415

    from flows.regenerate import regenerate_image  # noqa: PLC0415

    really, cut = PrefectClient.increment_concurrency_slots_with_lease, [fault, fault]

    async def give(self: PrefectClient, *arguments: Any, **named: Any) -> httpx.Response:
        if cut:
            raise cut.pop()
        return await really(self, *arguments, **named)

    monkeypatch.setattr(PrefectClient, "increment_concurrency_slots_with_lease", give)
    monkeypatch.setattr("tasks.step.delay", lambda _tries: 0.1)
    done = regenerate_image(USER, ports.catalog.tickets.get(first.ticket).appliance, first.ticket)
    assert isinstance(done, Summary)
    assert (done.state, cut) == ("complete", [])
    assert ports.catalog.tickets.get(done.ticket).attempt == 1


def test_the_delays_grow_and_a_step_gives_up_at_its_limit() -> None:
    """1, 2, 4 … at most 60 seconds, each a little off; what lasts, and what lasts too long, is not tried again."""
    from tasks.patience import delay  # noqa: PLC0415
    from tasks.step import transient  # noqa: PLC0415

    for tries, least, most in ((1, 0.75, 1.25), (2, 1.5, 2.5), (3, 3, 5), (6, 24, 40), (7, 48, 60), (900, 48, 60)):
        assert all(least <= delay(tries) <= most for _ in range(50))
    assert len({delay(3) for _ in range(50)}) > 1
    now = datetime.now(UTC)

    def again(error: ReforgeError, minutes: float, limit: float = 300) -> bool:
        run: Any = SimpleNamespace(start_time=now - timedelta(minutes=minutes))
        step: Any = SimpleNamespace(timeout_seconds=limit)
        failed: Any = SimpleNamespace(data=error)
        return transient(step, run, failed)

    assert again(NoSpace("full"), 9)
    assert not again(NoSpace("full"), 11)
    assert again(CatalogUnavailable("away"), 11, limit=7200)
    assert not again(StageFailed("broken"), 0)
