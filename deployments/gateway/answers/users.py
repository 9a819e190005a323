"""Users: their accounts, roles, organisations, quotas and usage."""

from __future__ import annotations

from blocks.catalog import DEFAULT, Account, Organization
from blocks.catalog.generations import Success
from blocks.catalog.keys import LIMIT
from blocks.model.quota import Quota
from blocks.model.role import ROLES, Role, RoleName
from blocks.model.target import TARGETS
from deployments.gateway import wire
from deployments.gateway.answers import uris
from deployments.gateway.answers.sealing import sealed

_UNLIMITED = -1


def user(account: Account) -> wire.User:
    """The account, with the addresses of what is the user's; never a password."""
    uri = uris.user(account.name)
    return sealed(
        wire.User(
            created=account.created,
            login_name=account.name,
            active=account.active,
            admin="supervisor_access" in account.entitlements,
            api_keys_quota=LIMIT,
            base_api_keys_uri=f"{uri}/apikeys",
            base_appliances_uri=f"{uri}/appliances",
            base_cred_accounts_uri=f"{uri}/accounts",
            base_distributions_uri=f"{uri}/distros",
            base_formats_uri=f"{uri}/formats",
            base_target_platforms_uri=f"{uri}/targetplatforms",
            base_target_formats_uri=f"{uri}/targetformats",
            base_images_uri=f"{uri}/images",
            base_orgs_uri=f"{uri}/orgs",
            base_publish_images_uri=f"{uri}/pimages",
            base_roles_uri=f"{uri}/roles",
            name=account.name,
            org_uris=wire.UriList(uri=(uris.organization(account.organization),)),
            quotas_uri=f"{uri}/quotas",
            uri=uri,
            usage_uri=f"{uri}/usage",
        )
    )


def roles(account: Account) -> tuple[wire.Role, ...]:
    """The user's roles, and as one of their own what it was granted beside them."""
    given = [_role(name, ROLES[name]) for name in account.roles]
    if account.granted:
        given.append(_entitled("granted", "What was granted beside the roles", account.granted))
    return tuple(given)


def organization(found: Organization) -> wire.Org:
    """A tenant."""
    return sealed(
        wire.Org(
            created=found.created,
            db_id=uris.organization_number(found.name),
            default_org=found.name == DEFAULT,
            name=found.name,
            uri=uris.organization(found.name),
        )
    )


def quota(found: Quota, user_name: str) -> wire.Quota:
    """How much may be used, and how much is; -1 is no limit."""
    return sealed(
        wire.Quota(
            frequency=found.frequency,
            limit=_UNLIMITED if found.limit is None else found.limit,
            nb=found.used,
            renewal_date=found.renews,
            type=found.kind,
            uri=f"{uris.user(user_name)}/quotas/{found.kind}",
        )
    )


def _role(name: RoleName, role: Role) -> wire.Role:
    return _entitled(name, role.description, role.entitlements)


def _entitled(name: str, description: str, entitlements: frozenset[str]) -> wire.Role:
    may = tuple(wire.Entitlement(name=each, description=each.replace("_", " ")) for each in sorted(entitlements))
    return sealed(wire.Role(name=name, description=description, entitlements=wire.EntitlementItems(entitlement=may)))


def usage(success: Success) -> wire.StatTicket:
    """A generation that counted against the quota."""
    return sealed(
        wire.StatTicket(
            db_id=success.ticket,
            action_name="success",
            date=success.finished,
            description=f"{success.name} {success.version}",
            disk_size=success.size,
            format_id=TARGETS[success.target].id,
            format_name=success.target,
            from_object_id=success.appliance,
            from_object_name=success.name,
            from_object_type="appliance",
            object_id=success.ticket,
            object_name=success.name,
            object_status="complete",
            object_type="image",
            uri=f"{uris.user(success.user)}/usage/{success.ticket}",
            user_login_name=success.user,
        )
    )
