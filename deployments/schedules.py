"""Schedules of the deployment `regenerate-image/on-demand`: each with its own parameters, cron line and time zone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import DeploymentSchedule, StateType
from prefect.client.schemas.schedules import CronSchedule
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from pydantic import ValidationError

from blocks.admission import authorise, load
from blocks.errors import InvalidInput, NotFound, Refused
from blocks.model import Words
from blocks.model.request import Regeneration
from blocks.ports import Ports
from deployments.definitions import definitions
from tasks.dispatch import asking

_DEPLOYMENT = "regenerate-image/on-demand"


class Entry(Words):
    """A schedule as people see it; one that was made in Prefect's UI may have any parameters and another rhythm."""

    id: str
    name: str | None
    rhythm: str
    timezone: str | None
    parameters: dict[str, Any]
    active: bool
    next: datetime | None


def add(ports: Ports, request: Regeneration, name: str, cron: str, timezone: str) -> Entry:
    """Regenerate as the request says whenever the cron line does, in the time zone's clock.

    Raises what asking for it now would raise (an unknown user, a foreign appliance, no such image), InvalidInput for
    a cron line or time zone that isn't one, Refused if the name is taken, PrefectUnavailable.
    """
    rhythm = _rhythm(cron, timezone)
    authorise(ports, request)
    load(ports, request)
    parameters = request.document()
    kept = {key: value for key, value in parameters.items() if value is not None and key in _PARAMETERS}
    with _asking() as (client, deployment):
        if any(known.slug == name for known in client.read_deployment_schedules(deployment)):
            raise Refused(f"There is a schedule named {name} already", "Choose another name, or remove that one")
        wanted = DeploymentScheduleCreate(schedule=rhythm, parameters=kept, slug=name)
        made = client.create_deployment_schedules(deployment, [wanted])
        return _entry(made[0], {})


def entries() -> list[Entry]:
    """Every schedule of the deployment, with its next run as far as one is planned; raises PrefectUnavailable."""
    with _asking() as (client, deployment):
        following = _following(client, deployment)
        return [_entry(schedule, following) for schedule in client.read_deployment_schedules(deployment)]


def remove(name: str) -> Entry:
    """Remove the schedule of this name or id; raises NotFound, PrefectUnavailable."""
    with _asking() as (client, deployment):
        for schedule in client.read_deployment_schedules(deployment):
            if name in (schedule.slug, str(schedule.id)):
                client.delete_deployment_schedule(deployment, schedule.id)
                return _entry(schedule, {})
    raise NotFound(f"There is no schedule named {name}", "`reforge schedule list` shows all")


_FIELDS = 5
_PARAMETERS = ("user", "appliance", "image", "policy", "rebuild", "newest", "force")


def _rhythm(cron: str, timezone: str) -> CronSchedule:
    try:
        rhythm = CronSchedule(cron=cron, timezone=timezone)
    except ValidationError as error:
        wrong = "; ".join(f"{row['loc'][0] if row['loc'] else 'schedule'}: {row['msg']}" for row in error.errors())
        raise _no_schedule(cron, timezone, wrong) from None
    if len(cron.split()) != _FIELDS:
        raise _no_schedule(cron, timezone, f"it has {len(cron.split())} fields")
    if not _comes(rhythm):
        raise _no_schedule(cron, timezone, "its day never comes")
    return rhythm


def _comes(rhythm: CronSchedule) -> bool:
    """Whether there is such a day at all: with one that never comes, the server plans nothing of the deployment."""
    from prefect.server.schemas.schedules import CronSchedule as Planned  # noqa: PLC0415 - heavy, and only here

    try:
        return bool(asyncio.run(Planned(cron=rhythm.cron, timezone=rhythm.timezone).get_dates(1)))
    except ValueError:  # what the server's cron lines raise is one
        return False


def _no_schedule(cron: str, timezone: str, wrong: str) -> InvalidInput:
    return InvalidInput(
        f"{cron!r} in {timezone!r} is no schedule: {wrong}",
        'Give five fields and a time zone of the tz database: --cron "0 3 * * *" --timezone Europe/Berlin',
    )


@contextlib.contextmanager
def _asking() -> Iterator[tuple[SyncPrefectClient, UUID]]:
    """A client and the deployment's id; the deployment is registered if it never was."""
    with asking() as client:
        yield client, _registered(client)


def _registered(client: SyncPrefectClient) -> UUID:
    try:
        return client.read_deployment_by_name(_DEPLOYMENT).id
    except ObjectNotFound:
        made = next(each for each in definitions() if each.full_name == _DEPLOYMENT)
        return cast("UUID", made.apply())


def _following(client: SyncPrefectClient, deployment: UUID) -> dict[UUID, datetime]:
    """When each schedule's next planned run is."""
    planned = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[deployment]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
    )
    runs = client.read_flow_runs(flow_run_filter=planned, sort=FlowRunSort.EXPECTED_START_TIME_ASC)
    starts = [(run.created_by.id, run.expected_start_time) for run in runs if run.created_by]
    known = [(schedule, start) for schedule, start in starts if schedule is not None and start is not None]
    return dict(sorted(known, key=lambda pair: pair[1], reverse=True))


def _entry(schedule: DeploymentSchedule, following: dict[UUID, datetime]) -> Entry:
    rhythm = schedule.schedule
    return Entry(
        id=str(schedule.id),
        name=schedule.slug,
        rhythm=rhythm.cron if isinstance(rhythm, CronSchedule) else str(rhythm),
        timezone=getattr(rhythm, "timezone", None),
        parameters=schedule.parameters,
        active=schedule.active,
        next=following.get(schedule.id),
    )
