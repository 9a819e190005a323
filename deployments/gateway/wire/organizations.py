"""Organizations, which users belong to."""

from __future__ import annotations

from deployments.gateway.wire.elements import Document, document
from deployments.gateway.wire.formats import TargetFormatItems
from deployments.gateway.wire.grammar import Uri
from deployments.gateway.wire.objects import UForgeObject, UForgeObjects, UriList


@document("org")
class Org(UForgeObject):
    """An organization and where its things are."""

    activate_new_users: bool | None = None
    admin: bool | None = None
    appliances_uri: Uri | None = None
    appliance_uris: UriList | None = None
    categories_uri: Uri | None = None
    companies_uri: Uri | None = None
    default_org: bool | None = None
    distributions_uri: Uri | None = None
    target_formats: TargetFormatItems | None = None
    formats_uri: Uri | None = None
    target_platforms_uri: Uri | None = None
    target_formats_uri: Uri | None = None
    gallery_uri: Uri | None = None
    licenses_uri: Uri | None = None
    license_uri: Uri | None = None
    members_uri: Uri | None = None
    milestones_uri: Uri | None = None
    name: str | None = None
    projects_uri: Uri | None = None
    roles_uri: Uri | None = None
    stats_uri: Uri | None = None
    subscription_profiles_uri: Uri | None = None
    uri: Uri | None = None
    workspaces_uri: Uri | None = None
    repositories_uri: Uri | None = None
    artifact_accounts_uri: Uri | None = None


@document()
class OrgItems(Document):
    """The orgs of a list."""

    org: tuple[Org, ...] = ()


@document("orgs")
class Orgs(UForgeObjects):
    """Organizations."""

    orgs: OrgItems = OrgItems()
