"""The story of housekeeping: what was lost is settled, what was left is given back."""

from prefect import flow

from blocks.configured import configured
from blocks.ports import Ports
from tasks.housekeep import Done, abort_uploads, dispatch_requested, settle_lost, settle_queued, sweep_machine


@flow(name="housekeeping", flow_run_name="housekeeping", persist_result=False)
def housekeeping(catalog: str | None = None, store: str | None = None, builder: str | None = None) -> tuple[Done, ...]:
    """Settle tickets that were lost, hand over those that wait, and give back what dead attempts left.

    Args:
        catalog: The name of a Reforge Catalog block; empty for the one of the environment, or the embedded one.
        store: The name of a Reforge Store block, likewise.
        builder: The name of a Reforge Builder block, likewise.
    """
    with Ports.open(configured(catalog, store, builder)) as ports:
        return (
            *settle_lost(ports),
            *settle_queued(ports),
            *dispatch_requested(ports, {"catalog": catalog, "store": store, "builder": builder}),
            *sweep_machine(ports),
            *abort_uploads(ports),
        )
