"""Users, what they may do, how much, and their API keys."""

from __future__ import annotations

from datetime import datetime

from deployments.gateway.wire.elements import Document, document
from deployments.gateway.wire.grammar import Frequency, Int, Long, QuotaType, Uri
from deployments.gateway.wire.installation import SSHKeyItems
from deployments.gateway.wire.objects import Logo, UForgeObject, UForgeObjects, UriList


@document("entitlement")
class Entitlement(Document):
    """A right."""

    description: str | None = None
    name: str | None = None


@document()
class EntitlementItems(Document):
    """The entitlements of a list."""

    entitlement: tuple[Entitlement, ...] = ()


@document("entitlements")
class Entitlements(UForgeObjects):
    """Rights."""

    entitlements: EntitlementItems = EntitlementItems()


@document("role")
class Role(UForgeObject):
    """Rights under one name."""

    name: str | None = None
    description: str | None = None
    entitlements: EntitlementItems | None = None


@document()
class RoleItems(Document):
    """The roles of a list."""

    role: tuple[Role, ...] = ()


@document("roles")
class Roles(UForgeObjects):
    """Roles."""

    roles: RoleItems = RoleItems()


@document("userProfile")
class UserProfile(UForgeObject):
    """What a user tells of itself."""

    login_name: str | None = None
    active: bool | None = None
    email: str | None = None
    first_name: str | None = None
    surname: str | None = None
    job_title: str | None = None
    photo: Logo | None = None
    website: str | None = None


@document("user")
class User(UserProfile):
    """A user and where its things are."""

    admin: bool | None = None
    admin_orgs_uri: Uri | None = None
    admin_org_uris: UriList | None = None
    api_keys_quota: Int | None = None
    appliance_uris: UriList | None = None
    base_api_keys_uri: Uri | None = None
    base_appliances_uri: Uri | None = None
    base_blueprints_uri: Uri | None = None
    base_cred_accounts_uri: Uri | None = None
    base_deployments_uri: Uri | None = None
    base_distributions_uri: Uri | None = None
    base_formats_uri: Uri | None = None
    base_target_platforms_uri: Uri | None = None
    base_target_formats_uri: Uri | None = None
    base_galleries_uri: Uri | None = None
    base_gallery_orgs_uri: Uri | None = None
    base_images_uri: Uri | None = None
    base_exports_uri: Uri | None = None
    base_imports_uri: Uri | None = None
    my_software_imports_uri: Uri | None = None
    base_my_software_library_uri: Uri | None = None
    base_orgs_uri: Uri | None = None
    base_projects_uri: Uri | None = None
    base_publish_images_uri: Uri | None = None
    base_rankings_uri: Uri | None = None
    base_roles_uri: Uri | None = None
    base_tags_uri: Uri | None = None
    base_workspaces_uri: Uri | None = None
    creation_code: str | None = None
    cred_account_uris: UriList | None = None
    artifact_accounts_uri: Uri | None = None
    dob: datetime | None = None
    gender: str | None = None
    home_phone: str | None = None
    instances_uri: Uri | None = None
    lang: str | None = None
    migrations_uri: Uri | None = None
    mobile_phone: str | None = None
    my_software_library_uris: UriList | None = None
    name: str | None = None
    office_phone: str | None = None
    org_uris: UriList | None = None
    password: str | None = None
    project_uris: UriList | None = None
    promo_code: str | None = None
    quotas_uri: Uri | None = None
    roles: RoleItems | None = None
    scanned_instances_uri: Uri | None = None
    scans_uri: Uri | None = None
    ssh_keys: SSHKeyItems | None = None
    ssh_keys_uri: Uri | None = None
    stats_uri: Uri | None = None
    uri: Uri | None = None
    usage_uri: Uri | None = None


@document()
class UserItems(Document):
    """The users of a list."""

    user: tuple[User, ...] = ()


@document("users")
class Users(UForgeObjects):
    """Users."""

    users: UserItems = UserItems()


@document("quota")
class Quota(UForgeObject):
    """How much of something a user may have; a limit of -1 is none."""

    frequency: Frequency | None = None
    limit: Long | None = None
    nb: Long | None = None
    renewal_date: datetime | None = None
    type: QuotaType | None = None
    type_id: Int | None = None
    uri: Uri | None = None


@document()
class QuotaItems(Document):
    """The quotas of a list."""

    quota: tuple[Quota, ...] = ()


@document("quotas")
class Quotas(UForgeObjects):
    """The quotas of a user."""

    quotas: QuotaItems = QuotaItems()


@document("apiKeyPair")
class APIKeyPair(UForgeObject):
    """A pair of keys that requests are signed with."""

    name: str | None = None
    description: str | None = None
    public_key: str | None = None
    secret_key: str | None = None
    uri: Uri | None = None


@document()
class APIKeyPairItems(Document):
    """The apiKeyPairs of a list."""

    api_key_pair: tuple[APIKeyPair, ...] = ()


@document("apiKeyPairs")
class APIKeyPairs(UForgeObjects):
    """Pairs of keys."""

    api_key_pairs: APIKeyPairItems = APIKeyPairItems()
