"""Serving the gateway: where it may listen, who answers, and that all of it ends."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
from pathlib import Path
from secrets import token_urlsafe

import httpx
import psutil
import pytest

from blocks.errors import InvalidInput, MachineUnfit
from deployments.gateway.listening import Listening
from tests.servers.certificate import Certificate, certificate
from tests.servers.gateway import gateway
from tests.waiting import wait_until

_PROGRAM = str(Path(sys.executable).parent / "reforge")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate of the loopback's address with its key."""
    return certificate(tmp_path_factory.mktemp("certificate"))


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/status").is_success
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])  # noqa: S104 (which it refuses)
def test_passwords_travel_beyond_this_machine_with_tls_only(host: str, files: Certificate) -> None:
    """Any address but the loopback's needs a certificate, or the word that it shall do without."""
    with pytest.raises(InvalidInput, match="in the clear"):
        Listening(host).check()
    Listening(host, plain=True).check()
    Listening(host, certificate=files.certificate, key=files.key).check()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_the_loopback_needs_no_tls(host: str) -> None:
    """By whatever name."""
    Listening(host).check()


def test_a_certificate_needs_its_own_key(files: Certificate, tmp_path: Path) -> None:
    """One without the other, another's, or none at all are told before anything listens."""
    other = certificate(tmp_path / "other")
    with pytest.raises(InvalidInput, match="both"):
        Listening(certificate=files.certificate).check()
    for key in (other.key, files.certificate, tmp_path / "none"):
        with pytest.raises(InvalidInput, match="no certificate with its key"):
            Listening(certificate=files.certificate, key=key).check()


def test_an_address_must_be_one() -> None:
    """A name that names no machine is told, not tried."""
    with pytest.raises(InvalidInput, match="no address"):
        Listening("no-such-host.invalid").check()


def test_a_port_that_is_taken_is_told() -> None:
    """Two can't listen at one port, not even before the first one answers."""
    with Listening().bound() as listener:
        port = listener.getsockname()[1]
        assert Listening().address(listener) == f"http://127.0.0.1:{port}/api"
        with pytest.raises(MachineUnfit, match=f"Port {port} of 127.0.0.1 can't be had"):
            Listening(port=port).bound()


def test_the_command_refuses_in_words(tmp_path: Path) -> None:
    """Exit code 2, what is wrong and what to do; and no home is made for it."""
    environment = {**os.environ, "REFORGE_HOME": str(tmp_path / "home")}
    argv = [_PROGRAM, "gateway", "--host", "0.0.0.0", "--port", "0"]  # noqa: S104 (which it refuses)
    done = subprocess.run(argv, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, "--tls-certificate" in done.stderr) == (2, True)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_process_that_dies_is_replaced_and_all_end_together(ending: signal.Signals, tmp_path: Path) -> None:
    """Requests are answered again after a process was killed; told to end, nothing is left and nobody answers."""
    with gateway(tmp_path / "home", tmp_path / "log", processes=2) as serving:
        first = serving.processes()
        assert len(first) == 2
        assert _answers(serving.address)
        first[0].kill()
        wait_until(lambda: "another one starts" in serving.said(), "the dead process is replaced")
        wait_until(lambda: len(serving.processes()) == 2, "there are two again")
        assert first[0] not in serving.processes()
        assert _answers(serving.address)
        started = psutil.Process(serving.process.pid).children(recursive=True)
        assert serving.end(ending) == 0
    _, alive = psutil.wait_procs(started, timeout=10)
    assert alive == []
    assert not _answers(serving.address)


def test_its_processes_end_with_it_even_if_it_is_killed(tmp_path: Path) -> None:
    """Nobody goes on answering for a gateway that is gone, and its port is free again."""
    with gateway(tmp_path / "home", tmp_path / "log") as serving:
        started = serving.processes()
        serving.process.kill()
        _, alive = psutil.wait_procs(started, timeout=15)
        assert alive == []
    Listening(port=int(serving.address.rpartition(":")[2].removesuffix("/api"))).bound().close()


def test_tls_of_its_own(files: Certificate, tmp_path: Path) -> None:
    """With a certificate it answers those who trust it, and nobody in the clear."""
    options = ("--host", "127.0.0.1", "--tls-certificate", str(files.certificate), "--tls-key", str(files.key))
    with gateway(tmp_path / "home", tmp_path / "log", *options) as serving:
        assert serving.address.startswith("https://")
        trusting = ssl.create_default_context(cafile=str(files.authority))
        assert httpx.get(f"{serving.address}/status", verify=trusting).is_success
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{serving.address.replace('https', 'http')}/status")
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{serving.address}/status")


def test_the_log_names_paths_without_what_opens_them(tmp_path: Path) -> None:
    """Neither queries, which hold keys and signatures, nor passwords are written down; the path and the answer are."""
    with gateway(tmp_path / "home", tmp_path / "log") as serving:
        secret = token_urlsafe()
        query = {"downloadId": secret, "apiKey": secret, "signature": secret}
        path = "users/ada/appliances/1/images/1/downloads/disk.raw"
        assert httpx.get(f"{serving.address}/{path}", params=query, auth=("ada", secret)).status_code >= 400
        assert httpx.get(f"{serving.address}/users/ada", auth=("ada", secret)).status_code >= 400
        wait_until(lambda: f"GET /api/{path} " in serving.said(), "the request is written down")
        assert secret not in serving.said()
