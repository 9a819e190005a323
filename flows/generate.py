"""The story of a first generation: from an appliance as it is now to its image."""

from typing import Annotated, get_args

from prefect import flow
from pydantic import WithJsonSchema

from blocks.model import Format
from blocks.model.request import FirstGeneration
from blocks.model.summary import Summary
from blocks.model.target import TargetName
from flows.boundary import bounded
from tasks.attempt import answerable, attempting, opened
from tasks.authorise import authorise
from tasks.build import build
from tasks.create import create
from tasks.load import load
from tasks.plan import plan
from tasks.resume import resume
from tasks.settle import settle, settle_simulated
from tasks.upload import upload
from tasks.verify import verify

# Prefect's form shows a select for each, not a choice of types.
_Format = Annotated[Format | None, WithJsonSchema({"enum": [*get_args(Format), None]})]
_Target = Annotated[TargetName | None, WithJsonSchema({"enum": [*get_args(TargetName), None]})]


@flow(name="generate-image", flow_run_name="generate {user}/{appliance}", persist_result=False)
@bounded
def generate_image(
    user: str,
    appliance: int,
    format: _Format = None,  # noqa: A002 (the word of the field, and of Prefect's form)
    compress: bool = True,
    target: _Target = None,
    simulated: bool = False,
    check_dependencies: bool = False,
    disk_size: int | None = None,
    memory_size: int | None = None,
    swap_size: int | None = None,
    ticket: int | None = None,
    token: str | None = None,
    key: str | None = None,
    catalog: str | None = None,
    store: str | None = None,
    builder: str | None = None,
) -> Summary:
    """Make an image of an appliance as it is now.

    Args:
        user: Who asks; needs the entitlement image_generate, and owns the appliance or may act for its owner.
        appliance: The appliance to make an image of.
        format: The image file's format; empty for the target's own, or qcow2.
        compress: Compress it; only a compressed image can be downloaded over HTTP.
        target: What the image is made for, as users of the HTTP gateway name it; empty for its format alone.
        simulated: Resolve the packages only: no image is made, and the ticket says which packages it would have.
        check_dependencies: Resolve them from an index that is fetched anew, whatever is known.
        disk_size: The disk's size in MiB, instead of that of the appliance.
        memory_size: The memory's size in MiB, likewise.
        swap_size: The swap's size in MiB, likewise.
        ticket: For programs: a ticket that was made for this run already; leave it empty and the run makes its own.
        token: For programs: what proves that the ticket was made for this run.
        key: For programs: the same key gives the same ticket, however often it is asked for.
        catalog: The name of a Reforge Catalog block; empty for the one of the environment, or the embedded one.
        store: The name of a Reforge Store block, likewise.
        builder: The name of a Reforge Builder block, likewise.
    """
    request = FirstGeneration.parse(
        {"user": user, "appliance": appliance, "format": format, "compress": compress, "target": target}
        | {"simulated": simulated, "check_dependencies": check_dependencies}
        | {"disk_size": disk_size, "memory_size": memory_size, "swap_size": swap_size}
        | {"ticket": ticket, "token": token, "key": key},
        "the request",
    )
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
            rootfs = build(attempt, "rootfs", start, prospect, rebuild=False)
            disk = build(attempt, "disk", start, prospect, rebuild=False)
            packed = build(attempt, "pack", start, prospect, rebuild=False)
            file = verify(attempt, upload(attempt, start, prospect, packed))
            return settle(attempt, start, prospect, (rootfs.result, disk.result, packed.result), file)
