"""The production manifests, so that tests run by the settings that an operator is given."""

from __future__ import annotations

from pathlib import Path

MANIFESTS = Path(__file__).parents[2] / "deployments" / "production"


def variables(name: str) -> dict[str, str]:
    """What a file of settings sets, without what is left to be filled in."""
    lines = (MANIFESTS / name).read_text("utf-8").splitlines()
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {key: value for key, value in pairs if value}
