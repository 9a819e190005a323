"""Dispatch: hand a ticket that was asked for to the deployment that works on it."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator, Mapping
from json import JSONDecodeError
from typing import Any

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound, PrefectException
from pydantic import ValidationError

from blocks.catalog import Order
from blocks.errors import NotFound, PrefectUnavailable, Refused
from blocks.model import Ticket
from blocks.ports import Ports
from tasks.present import run_name, run_tags

_UNREACHED = "See whether its server runs, and whether PREFECT_API_URL names it"
DEPLOYMENT = "on-demand"
"""The deployment of each flow that a ticket is handed to."""


def dispatch(ports: Ports, number: int, blocks: Mapping[str, str | None]) -> Ticket:
    """Have the ticket worked on by its flow's deployment; one that has ended or has its run is left as it is.

    `blocks` are the names that the run opens its ports by, unless the ticket was asked for with others. A ticket whose
    run was cancelled in Prefect is cancelled.
    Raises NotFound if nothing is deployed, Refused, PrefectUnavailable.
    """
    ticket = ports.catalog.tickets.get(number)
    if ticket.terminal or ticket.flow_run is not None:
        return ticket
    order = ports.catalog.orders.get(number)
    with asking() as client:
        run = _run(client, ticket, order, order.blocks or blocks)
    ports.catalog.tickets.set_flow_run(number, str(run.id))
    if run.state is not None and run.state.is_cancelled():
        ports.catalog.tickets.cancel(number, "cancelled in Prefect before it began")
    return ports.catalog.tickets.get(number)


@contextlib.contextmanager
def asking() -> Iterator[SyncPrefectClient]:
    """A client of the Prefect API; raises Refused for what the API will never take, PrefectUnavailable else."""
    try:
        with get_client(sync_client=True) as client:
            yield client
    except (httpx.HTTPError, PrefectException) as error:  # its address may hold a password
        what = f"The Prefect API doesn't take the request: {re.sub('//[^/@]*@', '//', str(error))}"
        if isinstance(error, httpx.HTTPStatusError) and error.response.is_client_error:
            raise Refused(
                what, "See whether it wants a password, and whether its deployments are of this version"
            ) from None
        raise PrefectUnavailable(what, _UNREACHED) from None
    except (ValidationError, JSONDecodeError):  # such as the page of a proxy
        raise PrefectUnavailable("What answers at the Prefect API's address is not Prefect", _UNREACHED) from None


def _run(client: SyncPrefectClient, ticket: Ticket, order: Order, blocks: Mapping[str, str | None]) -> FlowRun:
    name = f"{'generate' if order.image is None else 'regenerate'}-image/{DEPLOYMENT}"
    try:
        deployment = client.read_deployment_by_name(name)
    except ObjectNotFound:
        raise NotFound(
            f"Prefect has no deployment {name}",
            "Start `reforge up`, or deploy to a work pool as docs/operate.md tells",
        ) from None
    return client.create_flow_run_from_deployment(
        deployment.id,
        parameters=_parameters(ticket, order) | {name: block for name, block in blocks.items() if block is not None},
        name=run_name(ticket),
        tags=run_tags(ticket),
        idempotency_key=_key(ticket, order),
    )


def _parameters(ticket: Ticket, order: Order) -> dict[str, Any]:
    common = {"user": order.user, "appliance": order.appliance, "ticket": ticket.id, "token": order.token}
    if order.image is None:
        return common | dict(order.asked)
    return common | {
        "image": order.image,
        "policy": order.policy,
        "rebuild": order.rebuild,
        "plan_state": order.plan,
    }


def _key(ticket: Ticket, order: Order) -> str:
    """Several catalogs may share a Prefect server, so the ticket's number alone would not do."""
    return f"ticket-{ticket.id}-{hashlib.sha256(order.token.encode()).hexdigest()[:16]}"
