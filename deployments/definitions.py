"""The deployments: what of the flows can be started from outside, under which name, and on which schedule."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectNotFound
from prefect.schedules import Interval, Schedule
from prefect.types.entrypoint import EntrypointType

from blocks.errors import Refused
from flows.generate import generate_image
from flows.housekeeping import housekeeping
from flows.regenerate import regenerate_image

_HOUSEKEEPING = timedelta(minutes=1)


def definitions() -> tuple[RunnerDeployment, ...]:
    """Every deployment, as it is when it is new."""
    return (
        _deployment(regenerate_image, "on-demand", "Make an image again from the record of its earlier generation."),
        _deployment(generate_image, "on-demand", "Make an image of an appliance as it is now."),
        _deployment(
            housekeeping, "scheduled", "Settle what was lost and give back what was left.", Interval(_HOUSEKEEPING)
        ),
    )


async def registered(definition: RunnerDeployment) -> RunnerDeployment:
    """The deployment as it is to be registered: what it has got since it was new is kept.

    That is schedules, a pause, default parameters, tags and a limit. Raises Refused if workers of a pool run it.
    """
    async with get_client() as client:
        try:
            known = await client.read_deployment_by_name(definition.full_name)
        except ObjectNotFound:
            return definition
    if known.work_pool_name is not None:
        raise Refused(
            f"The deployment {definition.full_name} is run by workers of the work pool {known.work_pool_name}",
            "Unset PREFECT_API_URL to have a Prefect server of your own, or delete the deployment first",
        )
    limit = known.global_concurrency_limit
    changes = {
        "schedules": None,
        "paused": known.paused,
        "parameters": known.parameters,
        "tags": sorted({*definition.tags, *known.tags}),
        "concurrency_limit": limit.limit if limit else None,
        "concurrency_options": known.concurrency_options,
    }
    kept = definition.model_copy(update=changes)
    kept.model_fields_set.discard("schedules")  # what isn't set isn't sent
    return kept


def _deployment(
    flow: Flow[..., Any], name: str, description: str, schedule: Schedule | None = None
) -> RunnerDeployment:
    return RunnerDeployment.from_flow(
        flow,
        name,
        description=description,
        tags=["reforge"],
        schedules=[schedule] if schedule else None,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
