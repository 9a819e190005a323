"""Asking: what a client sends as the request of a generation that it wants."""

from __future__ import annotations

import hashlib

from starlette.requests import Request

from blocks.errors import InvalidInput
from blocks.model.request import FirstGeneration, Regeneration
from blocks.model.target import TARGETS, TargetFormat
from deployments.gateway import wire
from deployments.gateway.answers import uris
from deployments.gateway.listing import flag


def first(request: Request, uid: str, appliance: int, sent: wire.Image) -> FirstGeneration:
    """A generation from the appliance as it is; of what was sent, what echoes earlier answers is left alone.

    Raises InvalidInput for an unknown target format, or for sizes that can't be.
    """
    target, profile = _target(sent), sent.install_profile
    sizes = {
        "disk_size": profile.disk_size if profile else None,
        "memory_size": profile.memory_size if profile else None,
        "swap_size": profile.swap_size if profile else None,
    }
    flags = {
        "compress": bool(sent.compress),
        "simulated": bool(sent.simulated),
        "check_dependencies": bool(sent.force_checking_deps),
    }
    named = {"user": uid, "appliance": appliance, "key": _key(request, uid)}
    made = {"target": target.label, "format": target.format}
    return FirstGeneration.parse(named | made | flags | sizes, "the image")


def again(request: Request, uid: str, appliance: int, image: int) -> Regeneration:
    """A regeneration of the image by its appliance's policy; raises InvalidInput."""
    named = {"user": uid, "appliance": appliance, "image": image, "key": _key(request, uid)}
    return Regeneration.parse(named | {"force": flag(request, "force")}, "the request")


def _target(sent: wire.Image) -> TargetFormat:
    """The target format by its name, else by its address or id, else by the name of its primitive format."""
    given = sent.target_format
    primitive = (given.format if given else None) or sent.format
    name = given.name if given else None
    number = (given.db_id or uris.last(given.uri)) if given else None
    for target in TARGETS.values():
        if name is not None and name == target.label:
            return target
    for target in TARGETS.values():
        if name is None and (
            number == target.id or (number is None and primitive and primitive.name == target.primitive)
        ):
            return target
    raise InvalidInput(f"There is no target format {name or 'of that description'}", f"There are: {', '.join(TARGETS)}")


def _key(request: Request, uid: str) -> str | None:
    """An idempotency key of the user's own, if the request has one."""
    given = request.headers.get("idempotency-key")
    return None if given is None else f"http:{hashlib.sha256(f'{uid} {given}'.encode()).hexdigest()}"
