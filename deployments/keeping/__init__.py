"""Keeping: what was lost goes on, and what is told to end gives back what it works on."""

from deployments.keeping.handing import Underway, underway
from deployments.keeping.keeper import kept

__all__ = ["Underway", "kept", "underway"]
