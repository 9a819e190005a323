"""Step build: one stage of the image, found here or in the library, waited for, or made."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from dataclasses import replace
from weakref import WeakKeyDictionary

from blocks.builder import STAGES, Built, Job, Order, identities
from blocks.errors import CatalogUnavailable, Unreproducible
from blocks.model import StageName, StageResult
from blocks.planning import Prior, Prospect
from tasks import present
from tasks.attempt import Attempt
from tasks.claim import claimed
from tasks.share import share
from tasks.step import step

_MILESTONES = ("reforge: ", "Fetch", "Unpacking ", "Sharing ")
_PERCENT: dict[StageName, int] = {"rootfs": 10, "disk": 60, "pack": 70}
_END: dict[StageName, int] = {"rootfs": 60, "disk": 70, "pack": 80}
_STEP = 4
_MADE: WeakKeyDictionary[Attempt, dict[StageName, Built]] = WeakKeyDictionary()
"""What each attempt of this process has made, so that a step that is tried again doesn't take it for found."""


@step("build", minutes=120, tag="build", shown="build {stage}")
def build(attempt: Attempt, stage: StageName, start: Prior, prospect: Prospect, *, rebuild: bool) -> Built:
    """The stage's output; its digest's first recorded bytes must be met. Raises what the builder raises."""
    attempt.advance("building", _PERCENT[stage], stage, f"Stage {stage}, {STAGES.index(stage) + 1} of {len(STAGES)}")
    present.progress(attempt, _PERCENT[stage], stage)
    order = Order(start.recipe, prospect.lock, attempt.name, rebuild)
    with attempt.at(stage) as working, present.logged(attempt, stage) as logged:
        job = replace(logged, report=_told(attempt, stage, logged.report, working))
        return _obtained(attempt, stage, order, job, start)


def _obtained(attempt: Attempt, stage: StageName, order: Order, job: Job, start: Prior) -> Built:
    """The stage's output, made by nobody else at the same time; a rebuild makes it whatever others do, once."""
    digest = identities(order.recipe, order.lock)[stage]
    made = _MADE.setdefault(attempt, {})
    if order.rebuild and stage not in made and digest in attempt.ports.catalog.outputs.built(attempt.ticket):
        order = replace(order, rebuild=False)  # an earlier attempt has
    if not order.rebuild and stage not in made and (found := attempt.ports.builder.find(stage, order, job)):
        return share(attempt, found, order, job) if _own(attempt, digest) else found
    alone = contextlib.nullcontext() if order.rebuild else claimed(attempt, stage, digest, _PERCENT[stage], job)
    with alone:
        if stage not in made:
            built = attempt.ports.builder.run(stage, order, job, _expected(attempt, start, digest))
            if built.result.reused:
                return built
            made[stage] = built
        _record(attempt, made[stage].result)
        made[stage] = share(attempt, made[stage], order, job)
    return made[stage]


def _own(attempt: Attempt, digest: str) -> bool:
    """Whether an earlier attempt of the ticket made the stage, or one that could tell nobody: it may lack sharing."""
    known = attempt.ports.catalog.outputs.get(digest)
    return known is None or known.ticket == attempt.ticket


def _told(
    attempt: Attempt, stage: StageName, report: Callable[[str], None], working: Callable[[], None]
) -> Callable[[str], None]:
    """A reporter that also tells the ticket's user the stage's milestones, each a step towards the next stage."""
    percent = itertools.chain(range(_PERCENT[stage] + _STEP, _END[stage], _STEP), itertools.repeat(_END[stage] - 1))

    def tell(line: str) -> None:
        report(line)
        if line.startswith(_MILESTONES):
            working()
            with contextlib.suppress(CatalogUnavailable):  # not worth a build: the watcher has the patience
                attempt.advance("building", next(percent), stage, line.removeprefix("reforge: "))

    return tell


def _expected(attempt: Attempt, start: Prior, name: str) -> str | None:
    """The content digest first recorded for a stage's digest, by this catalog or by the parent's record."""
    if known := attempt.ports.catalog.outputs.get(name):
        return known.sha256
    recorded = start.generation.stages if start.generation else ()
    return next((stage.sha256 for stage in recorded if stage.digest == name), None)


def _record(attempt: Attempt, result: StageResult) -> None:
    owner = attempt.ports.catalog.outputs.record(
        result.digest, result.name, result.sha256, result.size, result.seconds, attempt.ticket
    )
    if owner.sha256 != result.sha256:
        raise Unreproducible(
            f"The stage {result.name} gave other bytes here than in ticket {owner.ticket} at the same time",
            "Something in the recipe depends on chance, time or the outside, most likely a build script",
        )
