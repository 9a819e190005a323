"""Prefect's own server, started when nobody names another API and shared by all commands of a home."""

from deployments.embedded.sharing import address, mend, server

__all__ = ["address", "mend", "server"]
