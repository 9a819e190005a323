"""The manifests say what the programs understand: settings, units, the container's packages and folders."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deployments.gateway.wire import UForgeError
from deployments.gateway.wire.documents import parse
from tests.servers.manifests import MANIFESTS

_BIN = Path(sys.executable).parent
_OURS = {"REFORGE_WORKER_OPTIONS", "REFORGE_GATEWAY_OPTIONS", "REFORGE_CATALOG_URL", "REFORGE_STORE_URL"}
_OURS |= {"REFORGE_SECRET_KEY", "DO_NOT_TRACK"}
_ELSEWHERE = {"PREFECT_SERVER_ENCRYPTION_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
_UNITS = sorted(MANIFESTS.glob("*.service"))
# What systemd takes as a wish for no new privileges, or covers parts of /proc with.
_FORBIDDEN = re.compile(
    "^(NoNewPrivileges|Restrict|SystemCall|MemoryDeny|LockPersonality|PrivateDevices|DynamicUser|ProtectClock"
    "|ProtectHostname|ProtectKernel|ProtectProc|PrivateUsers|ProcSubset)",
    re.MULTILINE,
)


def _named(path: Path) -> set[str]:
    """Every variable of a file of settings, also those that wait behind a hash to be filled in."""
    return set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", path.read_text("utf-8"), re.MULTILINE))


def _known() -> set[str]:
    """What Prefect and its Redis modules read from the environment."""
    from prefect.settings import Settings  # noqa: PLC0415 (Prefect is imported after its server is named)
    from prefect.settings.legacy import _get_settings_fields  # noqa: PLC0415 (there is no public list of them)
    from prefect_redis.cleanup_queue import RedisWorkerCleanupQueueSettings  # type: ignore[import-untyped] # noqa: PLC0415
    from prefect_redis.client import RedisMessagingSettings  # type: ignore[import-untyped] # noqa: PLC0415

    redis = {"MESSAGING": RedisMessagingSettings, "WORKER_CLEANUP_QUEUE": RedisWorkerCleanupQueueSettings}
    names = {f"PREFECT_REDIS_{part}_{name.upper()}" for part, kind in redis.items() for name in kind.model_fields}
    return {*_get_settings_fields(Settings), *names}


@pytest.mark.parametrize("path", sorted(MANIFESTS.glob("*.env")), ids=lambda path: path.name)
def test_every_setting_is_one_that_is_read(path: Path) -> None:
    """A name that nobody knows would be left out without a word."""
    assert _named(path)
    assert _named(path) - _known() <= _OURS | _ELSEWHERE


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_units_are_valid(tmp_path: Path) -> None:
    """No word of systemd against them, with the programs of this environment in place of the installed ones."""
    for unit in _UNITS:
        text = unit.read_text("utf-8")
        assert "/opt/reforge/.venv/bin/" in text
        (tmp_path / unit.name).write_text(text.replace("/opt/reforge/.venv/bin", str(_BIN)), "utf-8")
    for service, name in (("worker", "credentials"), ("gateway", "tls")):
        drop_in = tmp_path / f"reforge-{service}.service.d" / f"{name}.conf"
        drop_in.parent.mkdir()
        text = (MANIFESTS / f"{service}-{name}.conf").read_text("utf-8")
        drop_in.write_text(text.replace("/opt/reforge/.venv/bin", str(_BIN)), "utf-8")
    argv = ["/usr/bin/systemd-analyze", "verify", *(str(tmp_path / unit.name) for unit in _UNITS)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_worker_keeps_what_its_sandbox_needs() -> None:
    """No setting of its unit takes the privilege of newuidmap or covers parts of /proc, also not by implication."""
    assert not _FORBIDDEN.findall((MANIFESTS / "reforge-worker.service").read_text("utf-8"))


def test_a_container_has_what_an_installation_has() -> None:
    """The packages of `make`, the same programs, and no host of a registry."""
    text = (MANIFESTS / "Containerfile").read_text("utf-8")
    makefile = (MANIFESTS.parents[1] / "Makefile").read_text("utf-8")
    (packages,) = re.findall(r"^RUN_PACKAGES := (.*)$", makefile, re.MULTILINE)
    assert set(packages.split()) <= set(text.split())
    assert re.findall(r"^(?:ARG BASE|FROM)[= ](\S+)", text, re.MULTILINE) == ["debian:bookworm-slim", *["${BASE}"] * 2]
    assert "--require-hashes -r requirements.lock" in text
    assert "index-url" not in text


def test_the_proxy_of_the_gateway_speaks_as_the_gateway_does() -> None:
    """While no gateway answers clients get the document of an error; what is too long the gateway itself refuses."""
    text = (MANIFESTS / "gateway.nginx.conf").read_text("utf-8")
    (body,) = re.findall("return 503 '(.*)';", text)
    told = parse(UForgeError, body.encode(), "xml")
    assert (told.status_code, told.request_method) == (503, "$request_method")
    assert told.localized_error_msg is not None
    assert told.localized_error_msg.message
    assert re.findall("client_max_body_size (.*);", text) == ["0"]


def test_the_proxy_of_the_gateway_logs_no_query() -> None:
    """Neither with each request nor with those that failed, which nginx logs as they came."""
    text = (MANIFESTS / "gateway.nginx.conf").read_text("utf-8")
    (line,) = re.findall("log_format reforge '(.*)';", text)
    assert set(re.findall(r"\$(?:request|request_uri|args|query_string|http_referer)\b", line)) == set()
    assert re.findall(r"error_log \S+ (\w+);", text) == ["crit"]
