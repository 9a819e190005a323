"""The main job on an example: a small Debian server and the record of an earlier generation of it."""

from deployments.demo.demo import run

__all__ = ["run"]
