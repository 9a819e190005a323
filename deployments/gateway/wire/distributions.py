"""Distributions and the OS profiles that are chosen from them."""

from __future__ import annotations

from datetime import datetime

from deployments.gateway.wire.elements import Document, document
from deployments.gateway.wire.formats import ImageFormat, TargetFormat
from deployments.gateway.wire.grammar import Architecture, DistributionName, Edition, Family, Long, Uri, WindowsType
from deployments.gateway.wire.objects import UForgeObject, UForgeObjects, UriList
from deployments.gateway.wire.partitions import PartitionTable


@document("distribProfile", abstract=True)
class DistribProfile(UForgeObject):
    """The OS profile of an appliance."""

    abbreviation: str | None = None
    active: bool | None = None
    appliance_uri: Uri | None = None
    arch: str | None = None
    description: str | None = None
    distribution_uri: Uri | None = None
    installed_size: Long | None = None
    name: str | None = None
    standard_profile_uri: Uri | None = None
    uri: Uri | None = None
    size: Long | None = None
    version: str | None = None


@document("linuxProfile")
class LinuxProfile(DistribProfile):
    """An OS profile of a Linux distribution."""

    distribution_packages_uri: Uri | None = None
    distribution_services_uri: Uri | None = None
    exclude_docs: bool | None = None
    packages_uri: Uri | None = None
    package_uris: UriList | None = None
    services_uri: Uri | None = None
    service_uris: UriList | None = None
    updates_uri: Uri | None = None


@document("windowsProfile")
class WindowsProfile(DistribProfile):
    """An OS profile of Windows."""

    edition: Edition | None = None
    imported_golden: bool | None = None
    partition_table: PartitionTable | None = None
    type: WindowsType | None = None
    language: str | None = None
    services_uri: Uri | None = None
    applications_uri: Uri | None = None


@document()
class DistribProfileItems(Document):
    """The distribProfiles of a list."""

    distrib_profile: tuple[DistribProfile, ...] = ()


@document("distribProfiles")
class DistribProfiles(UForgeObjects):
    """OS profiles."""

    distrib_profiles: DistribProfileItems = DistribProfileItems()


@document()
class ProfileItems(Document):
    """The profiles of a list."""

    profile: tuple[DistribProfile, ...] = ()


@document()
class ProhibitedFormatItems(Document):
    """The prohibitedFormats of a list."""

    prohibited_format: tuple[ImageFormat, ...] = ()


@document()
class ProhibitedTargetFormatItems(Document):
    """The prohibitedTargetFormats of a list."""

    prohibited_target_format: tuple[TargetFormat, ...] = ()


@document("distribution")
class Distribution(UForgeObject):
    """A distribution in one version for one architecture."""

    active: bool | None = None
    arch: Architecture | None = None
    base_milestones_uri: Uri | None = None
    base_pkgs_uri: Uri | None = None
    base_profiles_uri: Uri | None = None
    base_repositories_uri: Uri | None = None
    base_prohibited_formats_uri: Uri | None = None
    base_prohibited_target_formats_uri: Uri | None = None
    base_services_uri: Uri | None = None
    base_goldens_uri: Uri | None = None
    complete_profile_uri: Uri | None = None
    description: str | None = None
    family: Family | None = None
    last_pkg_build_date: datetime | None = None
    milestone_uris: UriList | None = None
    name: DistributionName | None = None
    parent_uri: Uri | None = None
    pkg_type: str | None = None
    preselected: bool | None = None
    profiles: ProfileItems | None = None
    profile_uris: UriList | None = None
    prohibited_formats: ProhibitedFormatItems | None = None
    prohibited_target_formats: ProhibitedTargetFormatItems | None = None
    release_date: datetime | None = None
    service_uris: UriList | None = None
    size: Long | None = None
    skeleton_size: Long | None = None
    uri: Uri | None = None
    version: str | None = None
    version_id: Long | None = None
    visible: bool | None = None
    welcome_msg: str | None = None


@document()
class DistributionItems(Document):
    """The distributions of a list."""

    distribution: tuple[Distribution, ...] = ()


@document("distributions")
class Distributions(UForgeObjects):
    """Distributions."""

    distributions: DistributionItems = DistributionItems()
