"""The all-in-one local runner."""

from deployments.up.up import served, up

__all__ = ["served", "up"]
