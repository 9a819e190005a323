"""The policy: how a regeneration treats the parent's lock."""

from __future__ import annotations

from typing import Literal

Policy = Literal["refresh", "exact"]
"""`refresh`: same recipe, newest packages. `exact`: same recipe, same lock, byte for byte."""
