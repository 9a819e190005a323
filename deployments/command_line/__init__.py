"""The command line `reforge`: one noun a module, nothing heavy imported before it is needed."""

from deployments.command_line.application import main

__all__ = ["main"]
