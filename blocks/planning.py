"""Planning: what a regeneration works from, and what it would do and why. The run reaches the same verdict."""

from __future__ import annotations

from dataclasses import dataclass

from blocks import liveness
from blocks.builder import STAGES, Job, Resolution, identities
from blocks.errors import BuildFailed, CorruptFile, NoOSProfile, NotFound, PlanMoved
from blocks.model import Evidence, Generation, Lock, Plan, PlannedStage, Policy, Recipe, Record, StageName, Verdict
from blocks.model.changes import changes
from blocks.model.request import FirstGeneration, Regeneration
from blocks.ports import Ports


@dataclass(frozen=True)
class Prior:
    """What a generation starts from: the recipe, the policy, and of a regeneration its parent."""

    recipe: Recipe
    policy: Policy
    parent: int | None = None
    generation: Generation | None = None
    has_file: bool = False


@dataclass(frozen=True)
class Prospect:
    """The lock that a generation will have, and the plan for it."""

    lock: Lock
    evidence: Evidence
    plan: Plan


def prior(ports: Ports, request: Regeneration, *, admitted: bool = False) -> Prior:
    """The parent's recipe, and its record if it has one; raises NotFound, NoOSProfile.

    An image that was deleted isn't found, unless the request was admitted before that.
    """
    image = ports.catalog.tickets.head(request.image, request.user).id if request.newest else request.image
    if not admitted:
        ports.catalog.tickets.visible(image)
    parent = ports.catalog.attempts.settle(image, liveness.judge(ports.home, ports.home_id))
    if parent.appliance != request.appliance:
        raise NotFound(f"Appliance {request.appliance} has no image {image}", "`reforge images` lists what there is")
    stored = ports.catalog.appliances.get(request.appliance).appliance
    if stored.os_profile is None:
        raise _without_profile(request.appliance)
    record = ports.catalog.tickets.record(image)
    return Prior(
        recipe=ports.catalog.tickets.recipe(image),
        policy=request.policy or stored.policy,
        parent=image,
        generation=record.generation if record else None,
        has_file=_has_file(ports, record),
    )


def first(ports: Ports, request: FirstGeneration) -> Prior:
    """The recipe of an appliance as it is now; raises NotFound, NoOSProfile."""
    appliance = ports.catalog.appliances.get(request.appliance).appliance
    if appliance.os_profile is None:
        raise _without_profile(request.appliance)
    recipe = Recipe.of(appliance, appliance.os_profile, request.format, compress=request.compress)
    asked = {name: getattr(request, name) for name in ("target", "simulated", "check_dependencies")}
    sizes = recipe.install_profile.model_copy(update=request.overrides())
    return Prior(recipe=recipe.model_copy(update={**asked, "install_profile": sizes}), policy="refresh")


def foresee(ports: Ports, start: Prior, job: Job, *, rebuild: bool = False, state: str | None = None) -> Prospect:
    """Resolve as the policy says, and plan; with `state` raises PlanMoved if the archive is in another one."""
    lock, evidence = _locked(ports, start, job)
    if state is not None and state != evidence.state():
        raise PlanMoved(
            f"The archive has moved: the plan was made for state {state}, it is {evidence.state()} now",
            "Plan again and look at the differences",
        )
    made = plan(ports, start, lock, evidence, job, rebuild=rebuild)
    packages = ports.builder.explained(start.recipe, lock, made.packages, job)
    return Prospect(lock, evidence, made.model_copy(update={"packages": packages}))


def plan(ports: Ports, start: Prior, lock: Lock, evidence: Evidence, job: Job, *, rebuild: bool) -> Plan:
    """The verdict for a lock that is known, with reasons, package differences, stages and expected time."""
    verdict, reasons = _verdict(start, lock, rebuild=rebuild)
    if verdict == "unchanged" and (damage := _damage(ports, start, job)):
        verdict, reasons = "rebuild", (damage,)
    names = identities(start.recipe, lock)
    planned = () if start.recipe.simulated else STAGES
    stages = tuple(_stage(ports, stage, names[stage], rebuild=rebuild) for stage in planned)
    known = [stage.seconds for stage in stages if stage.seconds is not None]
    complete = len(known) == len(stages)
    return Plan(
        verdict=verdict,
        reasons=reasons,
        state=evidence.state(),
        packages=changes(start.generation.lock.packages if start.generation else (), lock.packages),
        stages=stages,
        seconds=0.0 if verdict == "unchanged" else round(sum(known), 1) if complete else None,
        basis=_basis(stages) if complete else "no earlier run to judge by",
    )


def _basis(stages: tuple[PlannedStage, ...]) -> str:
    return "the median of earlier runs on this catalog" if stages else "it is simulated: nothing is built"


def _locked(ports: Ports, start: Prior, job: Job) -> tuple[Lock, Evidence]:
    if start.policy == "exact":
        if start.generation is None:
            raise BuildFailed(
                f"Image {start.parent} never got a lock, so it can't be made again exactly",
                "Use the policy refresh, which takes the newest packages",
            )
        return start.generation.lock, start.generation.evidence
    resolution: Resolution = ports.builder.resolve(
        start.recipe, start.generation.lock if start.generation else None, job
    )
    return resolution.lock, resolution.evidence


def _verdict(start: Prior, lock: Lock, *, rebuild: bool) -> tuple[Verdict, tuple[str, ...]]:
    if start.generation is None:
        return "rebuild", ("There is no earlier image to compare with",)
    before = start.generation
    reasons: list[str] = []
    if before.lock.content() != lock.content():
        counts = changes(before.lock.packages, lock.packages).counts()
        moved = [f"{count} {kind}" for kind, count in counts.items() if count and kind != "unchanged"]
        reasons.append(f"Packages differ: {', '.join(moved) or 'their archive stanzas'}")
    elif before.image_digest() not in (None, identities(start.recipe, lock)["pack"]):
        reasons.append("The stages make other bytes than they did then")
    if not start.has_file and not start.recipe.simulated:
        reasons.append("The image's file is not in the store")
    if rebuild:
        reasons.append("A rebuild was asked for")
    if reasons:
        return "rebuild", tuple(reasons)
    return "unchanged", (f"The archive offers the same {len(lock.packages)} packages for the same recipe",)


def _stage(ports: Ports, stage: StageName, name: str, *, rebuild: bool) -> PlannedStage:
    reuse = not rebuild and ports.builder.has(stage, name)
    times = sorted(ports.catalog.outputs.seconds(stage))
    expected = times[len(times) // 2] if times else None
    return PlannedStage(name=stage, digest=name, reuse=reuse, seconds=0.0 if reuse else expected)


def _has_file(ports: Ports, record: Record | None) -> bool:
    file = record.generation.file if record else None
    return file is not None and ports.store.has(file.sha256) and ports.store.size(file.sha256) == file.size


def _damage(ports: Ports, start: Prior, job: Job) -> str | None:
    """What is wrong with the earlier image's file, read from the store."""
    file = start.generation.file if start.generation else None
    if file is None:
        return None
    try:
        ports.store.verify(file.sha256, file.size, job.stop.check)
    except (CorruptFile, NotFound) as error:
        return f"The image's file can't be used: {error.what}"
    return None


def _without_profile(appliance: int) -> NoOSProfile:
    return NoOSProfile(
        f"Appliance {appliance} has no OS profile, so nothing can be generated from it",
        "Give it one: reforge appliance export, add os_profile, reforge appliance import",
    )
