"""Watching: health, readiness and metrics beside the API, and the document that describes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts

from blocks.ports import Ports
from deployments.gateway.application import application
from tests.deployments.gateway.conftest import Client, Made, error, root

_NAMES = """
machineImage_generate machineImage_getAll machineImage_deleteAll machineImage_get machineImage_regenerate
machineImage_delete machineImageStatus_get machineImageGeneration_cancel machineImageStatus_getAll
machineImagePkg_getAll machineImage_download machineImage_downloadFile machineImageFile_download
machineImage_getPlatformTools userMachineImage_getAll userMachineImageStatus_get userMachineImagePublished_getAll
userMachineImagePublishedStatus_getAll pxeBootScript_download uforgeStatus_get user_get userQuotas_get userUsage_get
userRoles_getAll userOrg_getAll userTargetFormat_getAll userTargetPlatforms_getAll userTargetPlatformFormat_getAll
userFormats_getAll userOS_getAll cloudAccount_getAll cloudAccount_get apiKey_getAll apiKey_create apiKey_update
apiKey_delete appliance_getAll appliance_get appliance_delete installProfile_get applianceOSProfile_get
applianceOSProfilePkg_getAll primitiveFormat_getAll targetFormat_getAll targetFormat_get platformTool_getSoftware
"""


def _values(text: str) -> dict[str, float]:
    rows = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in rows}


def test_health(client: Client, ports: Ports, tmp_path: Path) -> None:
    """A process that can't reach its catalog is alive and not ready."""
    assert client.get("/healthz", None).status_code == 200
    assert client.get("/readyz", None).status_code == 200
    ports.catalog.close()
    (tmp_path / "home" / "catalog.sqlite").rename(tmp_path / "elsewhere")
    (tmp_path / "home" / "catalog.sqlite").mkdir()
    assert client.get("/healthz", None).status_code == 200
    assert error(client.get("/readyz", None), 503)
    assert _values(client.get("/metrics", None).text)['reforge_up{server="catalog"}'] == 0


def test_metrics(client: Client, made: Made, live: int) -> None:
    """Requests by their route and never by their address; tickets, the queue, and who answers how fast."""
    assert live
    for _ in range(3):
        root(client.get(f"{made.uri}/status"))
    client.get("nothing")
    client.ask("BREW", "nothing")
    found = _values(client.get("/metrics", None).text)
    route = "/users/{uid}/appliances/{aid:number}/images/{itid:number}/status"
    assert found[f'reforge_http_request_seconds_count{{method="GET",route="{route}",status="200"}}'] == 3
    assert found['reforge_http_request_seconds_count{method="GET",route="none",status="404"}'] == 1
    assert found['reforge_http_request_seconds_count{method="other",route="none",status="404"}'] == 1
    assert (found['reforge_tickets{state="complete"}'], found['reforge_tickets{state="requested"}']) == (1, 1)
    assert found["reforge_queue_length"] == 1
    assert found['reforge_up{server="store"}'] == 1
    assert found['reforge_latency_seconds{server="catalog"}'] > 0
    assert "alice" not in client.get("/metrics", None).text


def test_stage_seconds(client: Client, ports: Ports, live: int) -> None:
    """What stages took, of all that were run."""
    ports.catalog.outputs.record("d" * 64, "rootfs", "e" * 64, 10, 2.5, live)
    found = _values(client.get("/metrics", None).text)
    assert found['reforge_stage_seconds_total{stage="rootfs"}'] == 2.5
    assert found['reforge_stage_runs_total{stage="rootfs"}'] == 1


_COUNTING = """
import sys
from pathlib import Path
from blocks.ports import Ports
from blocks.settings import Settings
from deployments.gateway.metrics import Metrics
with Ports.open(Settings(home=Path(sys.argv[1]))) as ports:
    metrics = Metrics(ports)
    metrics.requests.labels("/route", "GET", "200").observe(0.5)
    print(metrics.text().decode())
"""


def test_metrics_of_several_processes(ports: Ports, tmp_path: Path) -> None:
    """With a folder for them, each process tells what all of them counted."""
    folder = tmp_path / "counters"
    folder.mkdir()
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    command = [sys.executable, "-c", _COUNTING, str(ports.home)]
    told = [
        subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout for _ in range(2)
    ]
    name = 'reforge_http_request_seconds_count{method="GET",route="/route",status="200"}'
    assert [_values(text)[name] for text in told] == [1, 2]
    assert _values(told[1])['reforge_tickets{state="complete"}'] == 1


@pytest.fixture
def described(client: Client) -> Any:
    """The OpenAPI document, as it is served."""
    return json.loads(client.get("openapi.json", None).content)


def _operations(described: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_every_operation_is_described(described: Any) -> None:
    """Under its name in UForge, with its security and with every status that it may have as a document."""
    names = {operation["operationId"] for _, _, operation in _operations(described)}
    assert set(_NAMES.split()) <= names
    for _, _, operation in _operations(described):
        assert operation["summary"]
        assert "422" not in operation["responses"]
        assert all(parameter["in"] != "cookie" for parameter in operation["parameters"])
        for status in operation["responses"]:
            assert (
                status in {"304", "307"}
                or int(status) < 300
                or f"error{status}" in described["components"]["responses"]
            )


def test_the_description_has_every_route(described: Any, ports: Ports) -> None:
    """And no other."""
    contexts = [route for route in iter_route_contexts(application(ports).routes) if route.endpoint is not None]
    routes = {(str(route.path_format), method.lower()) for route in contexts for method in route.methods or ()}
    aside = {(path, "get") for path in ("/healthz", "/readyz", "/metrics")}
    described_ones = {(path, method) for path, method, _ in _operations(described)}
    assert {route for route in routes if "openapi" not in route[0]} - aside == described_ones


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            else:
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def test_no_reference_leads_nowhere(described: Any) -> None:
    """Every schema and answer that is named is there."""
    for reference in set(_references(described)):
        kind, name = reference.removeprefix("#/components/").split("/")
        assert name in described["components"][kind]
