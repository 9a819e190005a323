"""The all-in-one local runner."""

from deployments.up.up import up

__all__ = ["up"]
