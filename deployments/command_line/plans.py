"""Plans: what a regeneration would do, and why."""

from __future__ import annotations

from rich.table import Table

from blocks.model import Plan, Policy
from blocks.model.request import Regeneration
from deployments.command_line.differences import counts, differences
from deployments.command_line.home import Number, opened
from deployments.command_line.output import PLAIN, Output, fields, table, waiting


def plan(
    user: str,
    appliance: Number,
    image: Number,
    /,
    *,
    policy: Policy | None = None,
    rebuild: bool = False,
    output: Output = PLAIN,
) -> None:
    """Say what a regeneration would change, and why, without doing it.

    Args:
        user: Who would ask for it.
        appliance: The appliance that the image belongs to.
        image: The image that would be regenerated: its ticket's number.
        policy: refresh takes the newest packages, exact the same ones; the appliance's own unless given.
        rebuild: Plan to build although nothing has changed.
    """
    request = Regeneration.parse(
        {"user": user, "appliance": appliance, "image": image, "policy": policy, "rebuild": rebuild}, "the request"
    )
    made = _foresee(request)
    output.show(made.document(), *_text(made))


def _foresee(request: Regeneration) -> Plan:
    from blocks import admission, planning  # noqa: PLC0415 - heavy
    from blocks.builder import Job  # noqa: PLC0415 - heavy

    with opened() as ports:
        admission.authorise(ports, request)
        start = planning.prior(ports, request)
        with waiting("Resolving the packages …"):
            return planning.foresee(ports, start, Job(), rebuild=request.rebuild).plan


def _text(made: Plan) -> list[Table]:
    seconds = "unknown" if made.seconds is None else f"{made.seconds:.1f} s"
    stages = [(each.name, each.reuse, each.seconds) for each in made.stages]
    told = fields(
        verdict=made.verdict,
        reasons="\n".join(made.reasons),
        packages=counts(made.packages.counts()),
        expected_time=f"{seconds} ({made.basis})",
        archive_state=f"{made.state} (for `reforge regenerate --plan`)",
    )
    moved = differences(made.packages)
    return [told, *([moved] if moved.row_count else []), table("stage", "reused", "seconds", rows=stages)]
