"""The packages of an image, of an OS profile and of a bundle."""

from __future__ import annotations

from datetime import datetime

from deployments.gateway.wire.elements import Document, document
from deployments.gateway.wire.grammar import Int, Uri
from deployments.gateway.wire.objects import UForgeObjects, UForgeUploadObject, UriList


@document("package")
class Pkg(UForgeUploadObject):
    """A package."""

    arch: str | None = None
    binary_uri: Uri | None = None
    default: bool | None = None
    extract: bool | None = None
    full_name: str | None = None
    install: bool | None = None
    install_location: str | None = None
    language: bool | None = None
    name: str | None = None
    orig_name: str | None = None
    params: str | None = None
    parent_uri: Uri | None = None
    pkg_build_date: datetime | None = None
    pkg_file_date: datetime | None = None
    release: str | None = None
    short_tag: str | None = None
    repository_name: str | None = None
    sticky: bool | None = None
    type: str | None = None
    uri: Uri | None = None
    version: str | None = None
    epoch: Int | None = None


@document()
class PkgItems(Document):
    """The pkgs of a list."""

    pkg: tuple[Pkg, ...] = ()


@document("packages")
class PkgList(Document):
    """Packages of a profile or a bundle."""

    added_pkg_uris: UriList | None = None
    deleted_pkg_uris: UriList | None = None
    pkgs: PkgItems | None = None


@document("imagePkg")
class ImagePkg(Document):
    """A package of an image; level 0 is named by its profile, 1 is pulled in by another."""

    level: Int | None = None
    native_from_distribution: bool | None = None
    pkg: Pkg | None = None


@document()
class ImagePkgItems(Document):
    """The imagePkgs of a list."""

    image_pkg: tuple[ImagePkg, ...] = ()


@document("imagePkgs")
class ImagePkgs(UForgeObjects):
    """The packages of an image."""

    image_pkgs: ImagePkgItems = ImagePkgItems()
