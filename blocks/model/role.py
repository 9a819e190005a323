"""What users may do: entitlements, and roles, which are named sets of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from blocks.model.words import Words

Entitlement = Literal[
    "image_generate",
    "appliance_create",
    "image_publish",
    "api_key_access",
    "supervisor_access",
    "org_formats_administrate",
]
ENTITLEMENTS: tuple[Entitlement, ...] = get_args(Entitlement)

RoleName = Literal["builder", "developer", "administrator", "platform_administrator"]


class Role(Words):
    """A named set of entitlements. Whoever has `supervisor_access` may act for the users of its organisation."""

    name: RoleName
    description: str
    entitlements: frozenset[Entitlement]


ROLES: dict[RoleName, Role] = {
    role.name: role
    for role in (
        Role(
            name="builder",
            description="Has images made of the appliances that it owns",
            entitlements=frozenset({"image_generate"}),
        ),
        Role(
            name="developer",
            description="Makes appliances, has images made of them, publishes them, and uses key pairs",
            entitlements=frozenset(ENTITLEMENTS) - {"supervisor_access", "org_formats_administrate"},
        ),
        Role(
            name="administrator",
            description="May do everything, also for the other users of its organisation",
            entitlements=frozenset(ENTITLEMENTS),
        ),
        Role(
            name="platform_administrator",
            description="May do everything, also for the users of every organisation",
            entitlements=frozenset(ENTITLEMENTS),
        ),
    )
}


def united(roles: Iterable[RoleName]) -> frozenset[Entitlement]:
    """Everything that the roles entitle to."""
    return frozenset(entitlement for role in roles for entitlement in ROLES[role].entitlements)
