"""The story of a first generation: from an appliance as it is now to its image."""

from prefect import flow

from blocks.configured import configured
from blocks.model import Format
from blocks.model.request import FirstGeneration
from blocks.model.summary import Summary
from blocks.ports import Ports
from flows.boundary import bounded
from tasks.attempt import answerable, attempting
from tasks.authorise import authorise
from tasks.build import build
from tasks.create import create
from tasks.load import load
from tasks.plan import plan
from tasks.resume import resume
from tasks.settle import settle
from tasks.upload import upload
from tasks.verify import verify


@flow(name="generate-image", flow_run_name="generate {user}/{appliance}", persist_result=False)
@bounded
def generate_image(
    user: str,
    appliance: int,
    format: Format = "qcow2",  # noqa: A002 (the word of the field, and of Prefect's form)
    compress: bool = True,
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
        format: The image file's format.
        compress: Compress it; only a compressed image can be downloaded over HTTP.
        ticket: For programs: a ticket that was made for this run already; leave it empty and the run makes its own.
        token: For programs: what proves that the ticket was made for this run.
        key: For programs: the same key gives the same ticket, however often it is asked for.
        catalog: The name of a Reforge Catalog block; empty for the one of the environment, or the embedded one.
        store: The name of a Reforge Store block, likewise.
        builder: The name of a Reforge Builder block, likewise.
    """
    request = FirstGeneration.parse(
        {"user": user, "appliance": appliance, "format": format, "compress": compress}
        | {"ticket": ticket, "token": token, "key": key},
        "the request",
    )
    with (
        Ports.open(configured(catalog, store, builder)) as ports,
        answerable(ports, resume(ports, request)) as request,
    ):
        authorise(ports, request)
        start = load(ports, request)
        with attempting(ports, create(ports, request, start)) as attempt:
            prospect = plan(attempt, request, start)
            rootfs = build(attempt, "rootfs", start, prospect, rebuild=False)
            disk = build(attempt, "disk", start, prospect, rebuild=False)
            packed = build(attempt, "pack", start, prospect, rebuild=False)
            file = verify(attempt, upload(attempt, start, prospect, packed))
            return settle(attempt, start, prospect, (rootfs.result, disk.result, packed.result), file)
