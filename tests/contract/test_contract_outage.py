"""While Prefect is away: the gateway answers, cancels and deletes, and what is asked for waits until it is back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.installation import Client, Installation, document, flags, installed, text
from tests.servers.up import up

pytestmark = pytest.mark.build
_WAITING, _DONE, _CANCELLED = ("false", "false", "false"), ("true", "false", "false"), ("false", "false", "true")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A gateway without any Prefect server."""
    with installed(tmp_path_factory.mktemp("alone")) as made:
        yield made


def test_without_prefect_all_but_the_work_goes_on(alone: Installation, tmp_path: Path) -> None:
    """Tickets are given and shown as waiting, cancelled, made again, deleted; with Prefect those that wait are made."""
    client: Client = alone.client()
    waiting, doomed, deleted = (client.post(alone.images()) for _ in range(3))
    status = client.status(waiting)
    assert (flags(status), status["percentage"]) == (_WAITING, "0")
    assert status["message"]
    assert text(client.xml("GET", alone.images()), "total") == "3"
    assert client.ask("DELETE", f"{doomed}/status").status_code == 200
    assert flags(client.status(doomed)) == _CANCELLED
    again = client.post(doomed, body=None)
    assert flags(client.status(again)) == _WAITING
    assert client.ask("DELETE", deleted).status_code == 204
    document(client.ask("GET", deleted), 404)
    document(client.ask("POST", waiting, headers={"Content-Type": "application/xml"}), 409)
    with up(alone.ports.home, tmp_path / "up.log", "--no-gateway"):
        assert flags(client.ended(waiting)) == flags(client.ended(again)) == _DONE
    assert flags(client.status(doomed)) == _CANCELLED
    assert int(text(client.xml("GET", f"{waiting}/pkgs"), "total")) > 10
