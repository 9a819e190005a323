"""A program of the installation's own Prefect: a line of JSON in (`do` and its arguments), a line of JSON out.

It is a process of its own, so that the tests' process never speaks to Prefect except by its HTTP API.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from pydantic import SecretStr

from blocks.collection import ReforgeBuilder, ReforgeCatalog, ReforgeStore
from blocks.configured import configured
from blocks.errors import ReforgeError
from blocks.ports import Ports
from flows import start

_BLOCKS: Mapping[str, Any] = {"catalog": "main", "store": "main", "builder": "main"}


def prepare(pool: str) -> None:
    """Save the blocks `main` as the environment says, and make the work pool."""
    keys = {name: SecretStr(os.environ[f"AWS_{name.upper()}"]) for name in ("access_key_id", "secret_access_key")}
    ReforgeCatalog(url=SecretStr(os.environ["REFORGE_CATALOG_URL"])).save("main", overwrite=True)
    ReforgeStore(
        url=os.environ["REFORGE_STORE_URL"], access_key=keys["access_key_id"], secret_key=keys["secret_access_key"]
    ).save("main", overwrite=True)
    ReforgeBuilder().save("main", overwrite=True)
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=pool, type="process"))


def generate(**given: Any) -> int:
    """Hand over an appliance's image; its ticket."""
    return start.generate(**given, **_BLOCKS).id


def regenerate(**given: Any) -> int:
    """Hand over an image's regeneration; its ticket."""
    return start.regenerate(**given, **_BLOCKS).id


@flow(name="somebody-elses", persist_result=False)
def cancel(ticket: int) -> bool:
    """What a flow of a user does to cancel a ticket."""
    with Ports.open(configured(**_BLOCKS)) as ports:
        return ports.catalog.tickets.cancel(ticket, "cancelled by another flow")


_DEEDS: Mapping[str, Callable[..., object]] = {
    "prepare": prepare,
    "generate": generate,
    "regenerate": regenerate,
    "cancel": cancel,
}


def main() -> None:
    """Answer until the input ends."""
    for line in sys.stdin:
        given = json.loads(line)
        try:
            answer = {"answer": _DEEDS[given.pop("do")](**given)}
        except ReforgeError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)  # noqa: T201 (what the harness reads)


if __name__ == "__main__":
    main()
