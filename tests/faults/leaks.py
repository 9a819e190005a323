"""The leak check: what is still there of tickets that have ended, in words, on every machine and in every server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import psycopg

from blocks.errors import ReforgeError
from tests.faults.installation import Installation, Worker, run_of

_LEFT = {
    "work folder": "work/*",
    "reservation": "reservations/*.reservation",
    "attempt": "attempts/*.lock",
    "half-made checkpoint": "cache/checkpoints/partial-*",
    "half-made package": "cache/pool/partial-*",
    "half-made tools": "cache/tools/partial-*",
    "half-made index": "cache/index/partial-*",
}
_FINAL = frozenset({"COMPLETED", "FAILED", "CANCELLED", "CRASHED"})
_SUPERVISOR = "_workspace_"
_LOOKED_AT = 10
_POLL = 0.5
_SWEEP = 15.0
_PATIENCE = 30.0


def leaks(site: Installation, seconds: float, *, builds: bool = False) -> tuple[str, ...]:
    """What is left although every ticket has ended; nothing as soon as there is nothing, else after so many seconds.

    Of the builds alone, or also of Prefect's own: how it calls a run, and its supervisors of the runs.
    """
    look = _of_builds if builds else _found
    deadline = time.monotonic() + seconds
    while (found := tuple(look(site))) and time.monotonic() < deadline:
        time.sleep(_POLL)
    return found


def left(site: Installation) -> tuple[str, ...]:
    """What is left once the workers have swept their machines and, if that isn't enough, housekeeping has run."""
    if leaks(site, _SWEEP):
        site.housekeep()
    return leaks(site, _PATIENCE)


def _found(site: Installation) -> Iterator[str]:
    yield from _of_builds(site)
    yield from _of_prefect(site)


def _of_builds(site: Installation) -> Iterator[str]:
    tickets = site.ports.catalog.tickets.list()
    yield from (f"ticket {each.id} is {each.state}" for each in tickets if not each.terminal)
    for worker in site.workers:
        yield from _of_machine(worker)
    yield from (_told(process) for process in _processes(site) if not _supervises(process))
    yield from _of_store(site)
    yield from _of_catalog(site)


def _of_machine(worker: Worker) -> Iterator[str]:
    for what, pattern in _LEFT.items():
        yield from (f"{what} {path.name} of {worker.name}" for path in worker.home.glob(pattern))


def _processes(site: Installation) -> Iterator[psutil.Process]:
    """Processes of the tickets' runs, and all that see a home's folders: sandboxes keep no environment."""
    runs = {ticket.flow_run for ticket in site.ports.catalog.tickets.list() if ticket.flow_run}
    keepers = {process.pid for worker in site.workers for process in worker.own()}
    homes = tuple(f"{worker.home.parent.name}/{worker.home.name}" for worker in site.workers)
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            run = run_of(process)
            if run in runs or (run is None and process.pid not in keepers and _sees(process, homes)):
                yield process


def _supervises(process: psutil.Process) -> bool:
    """Whether it is Prefect's own, that started the run's process and waits for its end."""
    with suppress(psutil.NoSuchProcess):
        return any(_SUPERVISOR in word for word in process.cmdline())
    return True


def _told(process: psutil.Process) -> str:
    with suppress(psutil.NoSuchProcess):
        return f"process {process.pid}: {' '.join(process.cmdline())[:100]}"
    return f"process {process.pid}"


def _sees(process: psutil.Process, homes: tuple[str, ...]) -> bool:
    mounts = Path(f"/proc/{process.pid}/mountinfo").read_text("utf-8")
    words = [*process.cmdline(), process.cwd(), *(row.split()[3] for row in mounts.splitlines())]
    return any(home in word for word in words for home in homes)


def _of_store(site: Installation) -> Iterator[str]:
    yield from (f"unfinished upload {upload.key}" for upload in site.ports.store.unfinished())
    for record in site.ports.store.records():
        known = site.ports.catalog.tickets.record(record.ticket)
        if known is None or known.attempt != record.attempt:
            yield f"record of attempt {record.attempt} of ticket {record.ticket}"


def _of_catalog(site: Installation) -> Iterator[str]:
    yield from (f"intent {intent.key}" for intent in site.ports.catalog.intents.pending())
    yield from (f"doomed blob {sha256}" for sha256 in site.ports.catalog.blobs.doomed())
    with psycopg.connect(site.catalog.replace("+psycopg", "")) as connection:
        for digest, ticket in connection.execute("SELECT digest, ticket FROM claims"):
            yield f"claim of ticket {ticket} on {digest[:12]}"


def _of_prefect(site: Installation) -> Iterator[str]:
    yield from (_told(process) for process in _processes(site) if _supervises(process))
    for ticket in site.ports.catalog.tickets.list()[-_LOOKED_AT:]:
        if ticket.flow_run and (state := site.run_state(ticket.flow_run)) not in _FINAL:
            yield f"run of ticket {ticket.id} is {state}"
    limits = httpx.post(f"{site.server.address}/v2/concurrency_limits/filter", json={}).json()
    busy = httpx.post(f"{site.server.address}/flow_runs/filter", json=_BUSY).json()
    for limit in limits:
        if limit["active_slots"] > len(busy):
            yield f"{limit['active_slots']} slots of {limit['name']}"


_BUSY = {"flow_runs": {"state": {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}}}}


def intact(site: Installation, numbers: list[int]) -> Iterator[str]:
    """What is wrong with the files and books of complete tickets: every file is there with its bytes."""
    for number in numbers:
        record = site.ports.catalog.tickets.record(number)
        if record and record.generation.file:
            file = record.generation.file
            try:
                site.ports.store.verify(file.sha256, file.size, lambda: None)
            except ReforgeError as error:
                yield f"file of ticket {number}: {error}"
