"""What a body may not be, whatever it tells."""

from __future__ import annotations

LIMIT = 1024 * 1024
"""The most bytes that a body may have."""

DEPTH = 32
"""How many elements may lie within each other."""

COUNT = 20_000
"""How many elements there may be."""


class Unfit(ValueError):
    """A body that can't be taken, and why."""
