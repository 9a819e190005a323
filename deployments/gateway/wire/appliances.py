"""Appliances: the templates that images are generated from."""

from __future__ import annotations

from datetime import datetime

from deployments.gateway.wire.distributions import DistribProfile
from deployments.gateway.wire.elements import Document, document
from deployments.gateway.wire.grammar import Int, Long, Uri
from deployments.gateway.wire.installation import InstallProfile
from deployments.gateway.wire.objects import Logo, UForgeObject, UForgeObjects, UriList
from deployments.gateway.wire.publications import PublishImageItems


@document("appliance")
class Appliance(UForgeObject):
    """A template that images are generated from."""

    uuid: str | None = None
    arch_name: str | None = None
    base_clone_uri: Uri | None = None
    base_images_status_uri: Uri | None = None
    base_images_uri: Uri | None = None
    base_my_software_uri: Uri | None = None
    base_oas_package_uri: Uri | None = None
    base_os_profile_uri: Uri | None = None
    base_projects_uri: Uri | None = None
    base_publish_images_status_uri: Uri | None = None
    base_publish_images_uri: Uri | None = None
    base_templates_status_uri: Uri | None = None
    base_templates_uri: Uri | None = None
    boot_scripts_uri: Uri | None = None
    boot_script_uris: UriList | None = None
    conf_mgmt_platforms_uri: Uri | None = None
    conf_mgmt_platform_uris: UriList | None = None
    description: str | None = None
    distribution_name: str | None = None
    distribution_uri: Uri | None = None
    exports_uri: Uri | None = None
    image_uris: UriList | None = None
    imported: bool | None = None
    installed_size: Long | None = None
    install_profile: InstallProfile | None = None
    install_profile_uri: Uri | None = None
    last_pkg_update: datetime | None = None
    logo: Logo | None = None
    my_software_uris: UriList | None = None
    name: str | None = None
    nb_security_updates: Int | None = None
    nb_updates: Int | None = None
    oas_package_uri: Uri | None = None
    org_uri: Uri | None = None
    os_profile: DistribProfile | None = None
    os_profile_uri: Uri | None = None
    parent_appliance_uri: Uri | None = None
    parent_template_uri: Uri | None = None
    project_uris: UriList | None = None
    publish_images: PublishImageItems | None = None
    publish_image_uris: UriList | None = None
    revision: Int | None = None
    shared: bool | None = None
    size: Long | None = None
    tag: str | None = None
    uri: Uri | None = None
    version: str | None = None


@document()
class ApplianceItems(Document):
    """The appliances of a list."""

    appliance: tuple[Appliance, ...] = ()


@document("appliances")
class Appliances(UForgeObjects):
    """Appliances."""

    appliances: ApplianceItems = ApplianceItems()
