"""Bundles of software that platforms ask to have in their images."""

from __future__ import annotations

from deployments.gateway.wire.elements import Document, document
from deployments.gateway.wire.formats import Category
from deployments.gateway.wire.grammar import Long, Uri
from deployments.gateway.wire.objects import Logo, UForgeObject, UForgeObjects, UriList


@document("softwareBundle")
class SoftwareBundle(UForgeObject):
    """A bundle of software."""

    tag: str | None = None
    short_tag: str | None = None
    name: str | None = None
    version: str | None = None
    description: str | None = None
    release: str | None = None
    location: str | None = None
    default_install_location: str | None = None
    install_location: str | None = None
    restricted: bool | None = None
    installed_size: Long | None = None
    size: Long | None = None
    revision: Long | None = None
    artifacts_uri: Uri | None = None
    uri: Uri | None = None
    export_uri: Uri | None = None
    category: Category | None = None
    logo: Logo | None = None
    maintainer: str | None = None
    website: str | None = None
    software_artifact_uris: UriList | None = None
    format_dependent: bool | None = None
    container_templates_uri: Uri | None = None


@document()
class SoftwareBundleItems(Document):
    """The softwareBundles of a list."""

    software_bundle: tuple[SoftwareBundle, ...] = ()


@document("softwareBundles")
class SoftwareBundles(UForgeObjects):
    """Bundles of software."""

    software_bundles: SoftwareBundleItems = SoftwareBundleItems()
