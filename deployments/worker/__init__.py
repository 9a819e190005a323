"""The worker: what runs on each machine that builds."""

from deployments.worker.worker import work

__all__ = ["work"]
