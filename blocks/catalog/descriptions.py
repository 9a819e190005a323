"""What the tables of tickets and appliances say of the documents in them, so that a list can be searched and sorted."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import func, select

from blocks.catalog.tables import APPLIANCES
from blocks.model import Appliance, Recipe, canonical
from blocks.model.target import target

ARCHITECTURES = {"amd64": "x86_64"}
"""UForge's names of the architectures."""


def described(user: str, appliance: int, recipe: Recipe) -> dict[str, Any]:
    """The columns of a new ticket that tell of its recipe, of its owner, and of its first download.

    The owner is that of the appliance, or if that is gone the ticket's own user.
    """
    owner = select(APPLIANCES.c.user).where(APPLIANCES.c.id == appliance).scalar_subquery()
    return {
        "recipe": canonical(recipe.document()).decode(),
        "owner": func.coalesce(owner, user),
        "download_key": new_key(),
        "target": target(recipe.target, recipe.format).label,
        **recipe.model_dump(include={"name", "version", "revision", "format", "compress", "simulated"}),
    }


def new_key() -> str:
    """A key that can't be guessed."""
    return secrets.token_urlsafe()


def columns(appliance: Appliance) -> dict[str, Any]:
    """The columns of an appliance, but for its id, owner and times."""
    profile = appliance.os_profile
    return {
        **appliance.model_dump(include={"name", "version", "revision"}),
        "document": canonical(appliance.document()).decode(),
        "architecture": profile and profile.architecture,
        "distribution": profile and f"{profile.distribution} {profile.suite}",
    }
