"""Step build: one stage of the image, made or found."""

from __future__ import annotations

from blocks.builder import STAGES, Built, Order, identities
from blocks.errors import Unreproducible
from blocks.model import StageName
from blocks.planning import Prior, Prospect
from tasks import present
from tasks.attempt import Attempt
from tasks.step import step

_PERCENT: dict[StageName, int] = {"rootfs": 10, "disk": 60, "pack": 70}


@step("build", minutes=120, tag="build")
def build(attempt: Attempt, stage: StageName, start: Prior, prospect: Prospect, *, rebuild: bool) -> Built:
    """The stage's output; its digest's first recorded bytes must be met. Raises what the builder raises."""
    attempt.advance("building", _PERCENT[stage], stage, f"Stage {stage}, {STAGES.index(stage) + 1} of {len(STAGES)}")
    present.progress(attempt, _PERCENT[stage], stage)
    outputs = attempt.ports.catalog.outputs
    known = outputs.get(identities(start.recipe, prospect.lock)[stage])
    order = Order(start.recipe, prospect.lock, attempt.name, rebuild)
    with attempt.logged(stage) as job:
        built = attempt.ports.builder.run(stage, order, job, known.sha256 if known else None)
    result = built.result
    if not result.reused:
        owner = outputs.record(result.digest, stage, result.sha256, result.size, result.seconds, attempt.ticket)
        if owner.sha256 != result.sha256:
            raise Unreproducible(f"The stage {stage} gave other bytes here than in ticket {owner.ticket}")
    return built
