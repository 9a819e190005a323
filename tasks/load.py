"""Step load: what the generation starts from, its parent's record or the appliance."""

from __future__ import annotations

from blocks import admission
from blocks.model.request import Request
from blocks.planning import Prior
from blocks.ports import Ports
from tasks.step import step


@step("load", minutes=1, tag="catalog")
def load(ports: Ports, request: Request) -> Prior:
    """The recipe, the policy, and the parent's record; raises NotFound or NoOSProfile."""
    return admission.load(ports, request)
