"""The house: what all requests of a process share."""

from __future__ import annotations

from dataclasses import dataclass

from blocks.ports import Ports
from deployments.gateway.authentication import Authentication
from deployments.gateway.metrics import Metrics
from deployments.gateway.starting import Starter


@dataclass(frozen=True)
class House:
    """The ports, who knows callers, who starts tickets, what is counted, and whether downloads are redirected."""

    ports: Ports
    authentication: Authentication
    starter: Starter
    metrics: Metrics
    redirects: bool
