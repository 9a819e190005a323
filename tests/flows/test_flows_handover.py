"""Each way in from outside, on what `reforge up` serves: Prefect's form and command, other flows, and schedules."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from blocks.model import Script, Ticket
from blocks.model.summary import Summary
from blocks.ports import Ports
from tests.calling import Call, calling
from tests.flows.conftest import USER, small
from tests.flows.serving import DEPLOYMENT, schedule, serving
from tests.waiting import wait_until

pytestmark = [pytest.mark.flow, pytest.mark.build]
BIN = Path(sys.executable).parent
_DOCUMENT = Path(__file__).parents[2] / "docs" / "flows.md"
_EXAMPLES = re.findall(r"```python\n(.*?)```", _DOCUMENT.read_text("utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def up(api: str, first: Summary) -> Iterator[str]:
    """What `reforge up` says when it serves this home, whose server it joins."""
    assert first.state == "complete"
    with serving() as lines:
        wait_until(lambda: any("Serving" in line for line in lines), "the deployments are served")
        assert any(api in line for line in lines)
        yield next(line for line in lines if "Serving" in line)


def _appliance(ports: Ports, image: int) -> int:
    return ports.catalog.tickets.get(image).appliance


def _artifacts(run: UUID) -> dict[str, Any]:
    from prefect.client.orchestration import get_client  # noqa: PLC0415 (Prefect is imported after its server is named)
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId  # noqa: PLC0415

    with get_client(sync_client=True) as client:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run])), limit=200
        )
    return {artifact.key or "": artifact for artifact in found}


def test_the_deployment_runs_and_the_runs_page_tells(up: str, first: Summary, ports: Ports) -> None:
    """`run_deployment` without a ticket: the run makes one, is named after it, and shows plan, packages and links."""
    from prefect.deployments import run_deployment  # noqa: PLC0415

    assert DEPLOYMENT in up
    parameters = {"user": USER, "appliance": _appliance(ports, first.ticket), "image": first.ticket, "rebuild": True}
    run: Any = run_deployment(DEPLOYMENT, parameters=parameters, timeout=120, poll_interval=0.5)
    assert run.state.is_completed(), run.state
    ticket = ports.catalog.tickets.list(parent=first.ticket)[-1]
    assert (ticket.state, ticket.flow_run) == ("complete", str(run.id))
    assert run.name == f"regenerate {USER}/{ticket.appliance}/{first.ticket}: ticket {ticket.id}"
    assert {f"ticket:{ticket.id}", f"image:{first.ticket}", "reforge"} <= set(run.tags)
    shown = _artifacts(run.id)
    name = f"{ticket.id}-{ticket.attempt}"
    kinds = {"progress", "plan", "packages", "summary", "image", "log-resolve", "log-rootfs", "log-disk", "log-pack"}
    assert {f"{kind}-{name}" for kind in kinds} <= set(shown)
    record = ports.catalog.tickets.record(ticket.id)
    assert record is not None
    assert record.generation.file is not None
    assert ports.store.uri(record.generation.file.sha256) in shown[f"image-{name}"].data


def test_prefects_own_command_runs_it(up: str, first: Summary, ports: Ports) -> None:
    """`prefect deployment run`, with parameters as a person types them."""
    given = {"user": USER, "appliance": _appliance(ports, first.ticket), "image": first.ticket, "policy": "exact"}
    typed = [word for name, value in given.items() for word in ("--param", f"{name}={value}")]
    done = subprocess.run(
        [BIN / "prefect", "deployment", "run", DEPLOYMENT, *typed, "--watch", "--watch-interval", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ticket = ports.catalog.tickets.list(parent=first.ticket)[-1]
    assert (ticket.policy, ticket.state) == ("exact", "complete")
    assert up


def test_a_first_image_is_generated_likewise(up: str, first: Summary, ports: Ports) -> None:
    """`flows.start.generate` hands it over; the stages that exist are reused."""
    from flows import start  # noqa: PLC0415

    ticket = start.generate(USER, _appliance(ports, first.ticket), format="raw", compress=False, key="by-hand")
    again = start.generate(USER, _appliance(ports, first.ticket), format="raw", compress=False, key="by-hand")
    assert (again.id, again.flow_run) == (ticket.id, ticket.flow_run)
    done = start.wait(ticket, seconds=120)
    assert done.file is not None
    assert (done.file.format, done.flow_run) == ("raw", ticket.flow_run)
    assert up


@pytest.mark.parametrize("number", range(len(_EXAMPLES)))
def test_the_documents_examples_run(number: int, up: str, first: Summary, ports: Ports, tmp_path: Path) -> None:
    """Every example of docs/flows.md makes a complete ticket."""
    before = ports.catalog.tickets.list()[-1].id
    program = tmp_path / "example.py"
    program.write_text(_EXAMPLES[number], "utf-8")
    argv = [sys.executable, str(program), USER, str(_appliance(ports, first.ticket)), str(first.ticket)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    made = [ticket for ticket in ports.catalog.tickets.list() if ticket.id > before]
    assert [ticket.state for ticket in made] == ["complete"]
    assert done.stdout.strip()
    assert up


def test_there_are_examples() -> None:
    """The document shows a hand-over, a direct call and Prefect's own way."""
    assert len(_EXAMPLES) == 3


@pytest.fixture
def reforge(capsys: pytest.CaptureFixture[str]) -> Call:
    """Calls the command line in this process."""
    return calling(capsys)


def test_a_detached_command_returns_at_once(up: str, reforge: Call, first: Summary, ports: Ports) -> None:
    """`regenerate --detach` prints the ticket, which a run works on."""
    from flows import start  # noqa: PLC0415

    appliance = _appliance(ports, first.ticket)
    done = reforge("regenerate", USER, appliance, first.ticket, "--detach", "--newest")
    assert done.code == 0, done.err
    ticket = ports.catalog.tickets.list()[-1]
    assert f"{ticket.id}" in done.out
    assert ticket.flow_run is not None
    assert ticket.parent == ports.catalog.tickets.list(USER, appliance)[-2].id
    assert start.wait(ticket, seconds=60).parent == ticket.parent
    assert up


def _building(ports: Ports, ticket: Ticket) -> bool:
    return ports.catalog.tickets.get(ticket.id).stage == "rootfs"


def _in_prefect(run: str | None, kind: str) -> Any:
    from prefect.client.orchestration import get_client  # noqa: PLC0415
    from prefect.client.schemas.objects import State, StateType  # noqa: PLC0415

    assert run is not None
    with get_client(sync_client=True) as client:
        return client.set_flow_run_state(UUID(run), State(type=StateType(kind)))


def _state(run: str | None) -> str:
    from prefect.client.orchestration import get_client  # noqa: PLC0415

    assert run is not None
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(UUID(run)).state
    return state.type.value if state else ""


def test_a_cancel_in_the_ui_reaches_a_served_run(up: str, ports: Ports) -> None:
    """The ticket is cancelled, with the receipt of what its run held, and the run ends as Cancelled."""
    from flows import start  # noqa: PLC0415

    slow = Script(name="slow", content="#!/bin/sh\nsleep 300\n")
    appliance = ports.catalog.appliances.add(USER, small(slow, name="slow"))
    ticket = start.generate(USER, appliance)
    wait_until(lambda: _building(ports, ticket), "the stage rootfs runs", 60)
    _in_prefect(ticket.flow_run, "CANCELLING")
    wait_until(lambda: ports.catalog.tickets.get(ticket.id).state == "cancelled", "the ticket is cancelled", 20)
    wait_until(lambda: ports.catalog.receipts.get(ticket.id) is not None, "what it held is released", 20)
    wait_until(lambda: _state(ticket.flow_run) == "CANCELLED", "the run has ended", 60)
    assert up


def test_a_schedule_is_added_and_validated_at_the_command_line(
    up: str, reforge: Call, first: Summary, ports: Ports
) -> None:
    """A wrong line, a wrong image and a name that is taken are refused; the list tells what there is, and when next."""
    image = (USER, _appliance(ports, first.ticket), first.ticket)
    wrong = reforge("schedule", "add", *image, "--cron", "at dawn")
    assert (wrong.code, "at dawn" in wrong.err) == (2, True)
    assert reforge("schedule", "add", *image, "--cron", "0 3 * * *", "--timezone", "Mars/Crater").code == 2
    assert reforge("schedule", "add", *image[:2], 10**6, "--cron", "0 3 * * *").code == 4
    often = ("--name", "nightly", "--timezone", "Asia/Tokyo", "--cron", "0 3 * * *")
    added = reforge("schedule", "add", *image, "--newest", "--policy", "exact", *often)
    assert added.code == 0, added.err
    assert reforge("schedule", "add", *image, *often).code == 2
    wait_until(lambda: "18:00:00+00:00" in reforge("schedule", "list").out, "the next run is planned", 60)
    listed = reforge("schedule", "list").out
    assert all(word in listed for word in ("nightly", "0 3 * * *", "Asia/Tokyo", "newest True", "policy exact"))
    assert reforge("schedule", "remove", "nightly").code == 0
    assert "nightly" not in reforge("schedule", "list").out
    assert reforge("schedule", "remove", "nightly").code == 4
    assert up


def test_a_schedule_runs_with_its_own_parameters(up: str, reforge: Call, first: Summary, ports: Ports) -> None:
    """One that was made in the UI follows the lineage's head."""
    before = ports.catalog.tickets.list()[-1].id
    image = {"user": USER, "appliance": _appliance(ports, first.ticket), "image": first.ticket}
    schedule("often", image | {"newest": True, "policy": "exact"}, 5)
    wait_until(lambda: _scheduled(ports, before) is not None, "a scheduled run is complete", 60)
    made = _scheduled(ports, before)
    assert made is not None
    assert made.parent == max(each.id for each in ports.catalog.tickets.list(USER) if each.id <= before and _ok(each))
    assert reforge("schedule", "remove", "often").code == 0
    assert up


def _ok(ticket: Ticket) -> bool:
    return ticket.state == "complete"


def _scheduled(ports: Ports, before: int) -> Ticket | None:
    done = (ticket for ticket in ports.catalog.tickets.list() if ticket.id > before and ticket.state == "complete")
    return next((ticket for ticket in done if ticket.policy == "exact"), None)
