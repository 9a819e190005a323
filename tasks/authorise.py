"""Step authorise: whether this user may have this image made."""

from __future__ import annotations

from blocks import admission
from blocks.model.request import Request
from blocks.ports import Ports
from tasks.step import step


@step("authorise", minutes=1, tag="catalog")
def authorise(ports: Ports, request: Request) -> None:
    """Raise a Denied or NotFound error unless the user may."""
    admission.authorise(ports, request)
