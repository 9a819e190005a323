"""The command line on a real image: one JSON document, the right exit code, and the same verdicts as the flow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from blocks.model.summary import Summary
from blocks.ports import Ports
from tests.flows.conftest import USER

pytestmark = [pytest.mark.flow, pytest.mark.build]


def _reforge(*arguments: object) -> tuple[int, Any]:
    """The exit code of a command, and its JSON document."""
    argv = [str(Path(sys.executable).parent / "reforge"), *map(str, arguments), "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else None


def test_an_unchanged_image_is_answered_with_the_reason(first: Summary, ports: Ports) -> None:
    """`regenerate --json` prints the summary that the design fixes, and exits with 0."""
    appliance = ports.catalog.tickets.get(first.ticket).appliance
    code, document = _reforge("regenerate", USER, appliance, first.ticket)
    assert (code, document["verdict"], document["state"]) == (0, "unchanged", "complete")
    assert document["parent"] == first.ticket
    assert document["file"] == first.document()["file"]
    assert document["flow_run"]
    assert all(stage["reused"] for stage in document["stages"])


def test_a_download_is_the_stored_file(first: Summary, ports: Ports, tmp_path: Path) -> None:
    """The copy has the size and the sha256 of the image."""
    appliance = ports.catalog.tickets.get(first.ticket).appliance
    code, document = _reforge("download", USER, appliance, first.ticket, "--output", tmp_path)
    assert code == 0
    assert first.file is not None
    assert (document["size"], document["sha256"]) == (first.file.size, first.file.sha256)
    assert Path(document["file"]).stat().st_size == first.file.size


def test_what_cannot_be_built_exits_with_1_and_the_ticket_says_why(first: Summary, tmp_path: Path) -> None:
    """A package that doesn't exist fails the generation; the status tells it afterwards."""
    template = tmp_path / "wrong.yaml"
    template.write_text("name: wrong\nos_profile: {suite: bookworm, packages: [not-a-package]}\n", "utf-8")
    _, imported = _reforge("appliance", "import", template, "--user", USER)
    code, document = _reforge("generate", USER, imported["id"])
    assert (code, document["state"]) == (1, "error")
    assert "not-a-package" in document["reason"]
    code, status = _reforge("status", USER, imported["id"], document["ticket"])
    assert (code, status["state"]) == (0, "error")
    assert "not-a-package" in status["error"]
    assert first.state == "complete"
