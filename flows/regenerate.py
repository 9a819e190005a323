"""The story of a regeneration: from the record of an earlier generation to that image again."""

from typing import Annotated, get_args

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import WithJsonSchema

from blocks.model import Policy
from blocks.model.request import Regeneration
from blocks.model.summary import Summary
from flows.boundary import bounded
from tasks.attempt import answerable, attempting, opened
from tasks.authorise import authorise
from tasks.build import build
from tasks.create import create
from tasks.load import load
from tasks.missed import missed
from tasks.plan import plan
from tasks.resume import resume
from tasks.settle import settle, settle_simulated, settle_unchanged
from tasks.upload import upload
from tasks.verify import verify

# Prefect's form shows a select for it, not a choice of types.
_Choice = Annotated[Policy | None, WithJsonSchema({"enum": [*get_args(Policy), None]})]


@flow(name="regenerate-image", flow_run_name="regenerate {user}/{appliance}/{image}", persist_result=False)
@bounded
def regenerate_image(
    user: str,
    appliance: int,
    image: int,
    policy: _Choice = None,
    rebuild: bool = False,
    newest: bool = False,
    force: bool = False,
    ticket: int | None = None,
    token: str | None = None,
    key: str | None = None,
    plan_state: str | None = None,
    catalog: str | None = None,
    store: str | None = None,
    builder: str | None = None,
) -> Summary | State[None]:
    """Make an image again from the record of its earlier generation.

    Args:
        user: Who asks; needs the entitlement image_generate, and owns the appliance or may act for its owner.
        appliance: The appliance that the image belongs to.
        image: The image to regenerate: its ticket's number.
        policy: refresh takes the newest packages, exact the same ones byte for byte; empty for the appliance's own.
        rebuild: Build although nothing has changed; it must arrive at the same bytes.
        newest: Take the newest complete image of this image's lineage instead, as a schedule will want to.
        force: Cancel the image's own generation if it still runs; without it that is refused.
        ticket: For programs: a ticket that was made for this run already; leave it empty and the run makes its own.
        token: For programs: what proves that the ticket was made for this run.
        key: For programs: the same key gives the same ticket, however often it is asked for.
        plan_state: For programs: the archive's state that a plan was made for; refused if it has moved.
        catalog: The name of a Reforge Catalog block; empty for the one of the environment, or the embedded one.
        store: The name of a Reforge Store block, likewise.
        builder: The name of a Reforge Builder block, likewise.
    """
    request = Regeneration.parse(
        {"user": user, "appliance": appliance, "image": image, "policy": policy, "rebuild": rebuild}
        | {"newest": newest, "force": force, "ticket": ticket, "token": token, "key": key, "plan": plan_state},
        "the request",
    )
    if (later := missed()) is not None:
        return Completed(name="Skipped", message=later)
    with (
        opened(catalog, store, builder) as ports,
        answerable(ports, resume(ports, request)) as request,
    ):
        authorise(ports, request)
        start = load(ports, request)
        with attempting(ports, create(ports, request, start)) as attempt:
            prospect = plan(attempt, request, start)
            if start.recipe.simulated:
                return settle_simulated(attempt, start, prospect)
            if prospect.plan.verdict == "unchanged":
                return settle_unchanged(attempt, start, prospect)
            rootfs = build(attempt, "rootfs", start, prospect, rebuild=rebuild)
            disk = build(attempt, "disk", start, prospect, rebuild=rebuild)
            packed = build(attempt, "pack", start, prospect, rebuild=rebuild)
            file = verify(attempt, upload(attempt, start, prospect, packed))
            return settle(attempt, start, prospect, (rootfs.result, disk.result, packed.result), file)
