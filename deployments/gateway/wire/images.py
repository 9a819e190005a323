"""Images: each one generation of an appliance in one format."""

from __future__ import annotations

from deployments.gateway.wire.accounts import CredAccount
from deployments.gateway.wire.elements import Document, document
from deployments.gateway.wire.formats import ImageFormat, TargetFormat
from deployments.gateway.wire.grammar import Int, Long, Uri
from deployments.gateway.wire.installation import InstallProfile
from deployments.gateway.wire.objects import UForgeObjects, UForgeUploadObject


@document("image")
class Image(UForgeUploadObject):
    """One generation of an appliance in one format; `status` tells how far it is."""

    parent_uri: Uri | None = None
    base_publish_images_uri: Uri | None = None
    complete_installed_size: Long | None = None
    complete_size: Long | None = None
    compress: bool | None = None
    cred_account: CredAccount | None = None
    distribution_name: str | None = None
    download_key: str | None = None
    download_uri: Uri | None = None
    ebs: bool | None = None
    ebs_volume_size: Int | None = None
    file_extension: str | None = None
    file_name: str | None = None
    file_size: Long | None = None
    format: ImageFormat | None = None
    target_format: TargetFormat | None = None
    full_name: str | None = None
    image_created: bool | None = None
    install_profile: InstallProfile | None = None
    name: str | None = None
    org_uri: Uri | None = None
    pkgs_uri: Uri | None = None
    public_access: bool | None = None
    registered_cred_account: bool | None = None
    revision: Int | None = None
    simulated: bool | None = None
    status_uri: Uri | None = None
    tag: str | None = None
    update_tools: bool | None = None
    uri: Uri | None = None
    version: str | None = None
    vm_disk_size: Long | None = None
    vm_memory_size: Int | None = None
    force_checking_deps: bool | None = None
    entrypoint: str | None = None
    registering_name: str | None = None


@document()
class ImageItems(Document):
    """The images of a list."""

    image: tuple[Image, ...] = ()


@document("images")
class Images(UForgeObjects):
    """Images."""

    images: ImageItems = ImageItems()
