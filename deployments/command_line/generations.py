"""Generations: an image made for the first time, or made again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.table import Table

from blocks.model import Format, Policy, Ticket
from blocks.model.request import FirstGeneration, Regeneration, Request
from blocks.model.summary import Summary
from blocks.model.target import TargetName
from deployments.command_line.differences import counts
from deployments.command_line.home import Number, opened
from deployments.command_line.output import PLAIN, Output, complain, fields, table
from deployments.command_line.running import Generation, Story

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

Flag = Annotated[bool, Parameter(negative=())]


def generate(  # noqa: PLR0913 - the command's options
    user: str,
    appliance: Number,
    /,
    *,
    format_: Annotated[Format | None, Parameter(name="--format")] = None,
    compress: bool = True,
    target: TargetName | None = None,
    simulated: Flag = False,
    check_dependencies: Flag = False,
    disk_size: int | None = None,
    memory_size: int | None = None,
    swap_size: int | None = None,
    key: str | None = None,
    detach: Flag = False,
    verbose: Flag = False,
    output: Output = PLAIN,
) -> int:
    """Make an image of an appliance as it is now.

    Args:
        user: Who asks; needs the entitlement image_generate, and owns the appliance or may act for its owner.
        appliance: The appliance's number.
        format_: The image file's format; the target's own unless given, or qcow2.
        compress: Compress it; only a compressed image can be downloaded over HTTP.
        target: What the image is made for, as users of the HTTP gateway name it.
        simulated: Resolve the packages only, and make no image.
        check_dependencies: Resolve them from an index that is fetched anew, whatever is known.
        disk_size: The disk's size in MiB, instead of that of the appliance.
        memory_size: The memory's size in MiB, likewise.
        swap_size: The swap's size in MiB, likewise.
        key: A key of your own: the same key gives the same ticket, however often it is asked for.
        detach: Hand it to the deployment that `reforge up` or a worker serves, and return its ticket at once.
        verbose: Show Prefect's log as well.
    """
    asked: dict[str, Any] = {"format": format_, "compress": compress, "target": target, "simulated": simulated}
    asked |= {"check_dependencies": check_dependencies}
    asked |= {"disk_size": disk_size, "memory_size": memory_size, "swap_size": swap_size}
    request = FirstGeneration.parse({"user": user, "appliance": appliance, "key": key, **asked}, "the request")
    if detach:
        return _hand_over(request, output)

    def story(ticket: Ticket, token: str, running: Callable[..., None]) -> State[Any]:
        from flows.generate import generate_image  # noqa: PLC0415 - Prefect is imported after its server is named

        run = generate_image.with_options(on_running=[running])
        return run(user, appliance, ticket=ticket.id, token=token, **asked, return_state=True)

    return _make(request, story, output, verbose=verbose)


def regenerate(  # noqa: PLR0913 - the command's options
    user: str,
    appliance: Number,
    image: Number,
    /,
    *,
    policy: Policy | None = None,
    rebuild: bool = False,
    newest: bool = False,
    force: bool = False,
    plan: str | None = None,
    key: str | None = None,
    detach: Flag = False,
    verbose: Flag = False,
    output: Output = PLAIN,
) -> int:
    """Make an image again from the record of its earlier generation.

    Args:
        user: Who asks; needs the entitlement image_generate, and owns the appliance or may act for its owner.
        appliance: The appliance that the image belongs to.
        image: The image to regenerate: its ticket's number.
        policy: refresh takes the newest packages, exact the same ones byte for byte; the appliance's own unless given.
        rebuild: Build although nothing has changed; it must arrive at the same bytes.
        newest: Take the newest complete image of this image's lineage instead.
        force: Cancel the image's own generation if it still runs; without it that is refused.
        plan: The archive's state that `reforge plan` named; refused if the archive has moved since.
        key: A key of your own: the same key gives the same ticket, however often it is asked for.
        detach: Hand it to the deployment that `reforge up` or a worker serves, and return its ticket at once.
        verbose: Show Prefect's log as well.
    """
    request = Regeneration.parse(
        {"user": user, "appliance": appliance, "image": image, "policy": policy, "rebuild": rebuild}
        | {"newest": newest, "force": force, "plan": plan, "key": key},
        "the request",
    )
    if detach:
        return _hand_over(request, output)

    def story(ticket: Ticket, token: str, running: Callable[..., None]) -> State[Any]:
        from flows.regenerate import regenerate_image  # noqa: PLC0415 - Prefect is imported after its server is named

        run = regenerate_image.with_options(on_running=[running])
        handed = {"ticket": ticket.id, "token": token}
        return run(
            user, appliance, ticket.parent or image, policy, rebuild, plan_state=plan, **handed, return_state=True
        )

    return _make(request, story, output, verbose=verbose)


def _make(request: Request, story: Story, output: Output, *, verbose: bool) -> int:
    with opened() as ports:
        generation = Generation(ports, request)
        ticket = generation.run(story, verbose=verbose)
        summary = generation.summary(ticket)
    output.show(summary.document(), *_text(summary))
    failure = generation.failure(ticket)
    if failure is None:
        return 0
    complain(failure.what, failure.hint)
    return failure.exit_code


def _hand_over(request: Request, output: Output) -> int:
    """Create the ticket and let a deployment work on it."""
    from blocks.outcome import outcome  # noqa: PLC0415 - heavy
    from deployments.up import served  # noqa: PLC0415 - heavy

    with opened() as ports, served(ports.home):
        from flows.start import hand_over  # noqa: PLC0415 - Prefect is imported after its server is named

        summary = outcome(ports, hand_over(request))
    output.show(summary.document(), *_text(summary))
    return 0


def _text(summary: Summary) -> list[Table]:
    told = fields(
        ticket=summary.ticket,
        parent=summary.parent,
        state=summary.state,
        verdict=summary.verdict,
        reason=summary.reason,
        packages=counts(summary.packages),
        flow_run=summary.flow_run,
    )
    stages = [(each.name, f"{each.seconds:.1f}", each.reused) for each in summary.stages]
    shown = [table("stage", "seconds", "reused", rows=stages)] if stages else []
    if (file := summary.file) is not None:
        shown.append(fields(file=file.name, size=f"{file.size} bytes", sha256=file.sha256, where=file.uri))
    return [told, *shown]
