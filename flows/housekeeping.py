"""The story of housekeeping: what was lost is settled, what was left is given back."""

from prefect import flow

from blocks import leftovers
from blocks.configured import configured
from blocks.deed import Done
from blocks.ports import Ports
from tasks.housekeep import (
    abort_uploads,
    dispatch_requested,
    end_deserted,
    finish_deletions,
    forget_keys,
    prune_logs,
    release_ended,
    remove_files,
    settle_lost,
    start_waiting,
    sweep_machine,
    trim_shared,
)


@flow(name="housekeeping", flow_run_name="housekeeping", persist_result=False)
def housekeeping(
    catalog: str | None = None,
    store: str | None = None,
    builder: str | None = None,
    dry_run: bool = False,
    thorough: bool = False,
) -> tuple[Done, ...]:
    """Settle what was lost, start what waits, and give back what nobody needs; tells each thing and the reason.

    Args:
        catalog: The name of a Reforge Catalog block; empty for the one of the environment, or the embedded one.
        store: The name of a Reforge Store block, likewise.
        builder: The name of a Reforge Builder block, likewise.
        dry_run: Only tell what would be done.
        thorough: Look through the names of all stage logs as well, which each machine else does once a day.
    """
    with Ports.open(configured(catalog, store, builder)) as ports:
        return (
            *settle_lost(ports, dry=dry_run),
            *start_waiting(ports, dry=dry_run),
            *dispatch_requested(ports, {"catalog": catalog, "store": store, "builder": builder}, dry=dry_run),
            *end_deserted(ports, dry=dry_run),
            *sweep_machine(ports, dry=dry_run),
            *release_ended(ports, dry=dry_run),
            *abort_uploads(ports, dry=dry_run),
            *finish_deletions(ports, dry=dry_run),
            *trim_shared(ports, dry=dry_run),
            *remove_files(ports, dry=dry_run),
            *forget_keys(ports, dry=dry_run),
            *(prune_logs(ports, dry=dry_run) if thorough or leftovers.due(ports.home) else ()),
        )
