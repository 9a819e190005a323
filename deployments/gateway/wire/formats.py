"""What an image can be made as: primitive formats, target formats as administrators name them, and platforms."""

from __future__ import annotations

from deployments.gateway.wire.elements import Document, document
from deployments.gateway.wire.grammar import CategoryType, FormatName, PlatformType, TargetType, Uri
from deployments.gateway.wire.objects import Logo, UForgeObject, UForgeObjects, UriList


@document("imageFormat")
class ImageFormat(UForgeObject):
    """A primitive format, whose name is a word of the schema."""

    access: bool | None = None
    active: bool | None = None
    name: FormatName | None = None
    preselected: bool | None = None
    uri: Uri | None = None


@document()
class ImageFormatItems(Document):
    """The imageFormats of a list."""

    image_format: tuple[ImageFormat, ...] = ()


@document("imageFormats")
class ImageFormats(UForgeObjects):
    """Primitive formats."""

    image_formats: ImageFormatItems = ImageFormatItems()


@document()
class CategoryItems(Document):
    """The subCategories of a list."""

    category: tuple[Category, ...] = ()


@document("category")
class Category(UForgeObject):
    """What target formats are grouped by."""

    name: str | None = None
    org_uri: Uri | None = None
    sub_categories: CategoryItems | None = None
    sub_category_uri: Uri | None = None
    uri: Uri | None = None
    type: CategoryType | None = None


@document("targetFormat")
class TargetFormat(UForgeObject):
    """A format as an administrator names it, made as a primitive format."""

    name: str | None = None
    logo: Logo | None = None
    format: ImageFormat | None = None
    category: Category | None = None
    type: TargetType | None = None
    cred_account_type: PlatformType | None = None
    target_platforms_uri: Uri | None = None
    target_platforms_uri_list: UriList | None = None
    cred_infos: str | None = None
    image_infos: str | None = None
    publish_infos: str | None = None
    access: bool | None = None
    active: bool | None = None
    preselected: bool | None = None
    uri: Uri | None = None


@document()
class TargetFormatItems(Document):
    """The targetFormats of a list."""

    target_format: tuple[TargetFormat, ...] = ()


@document("targetFormats")
class TargetFormats(UForgeObjects):
    """Target formats."""

    target_formats: TargetFormatItems = TargetFormatItems()


@document("targetPlatform")
class TargetPlatform(UForgeObject):
    """What images run on."""

    name: str | None = None
    logo: Logo | None = None
    type: PlatformType | None = None
    target_formats_uri: Uri | None = None
    target_formats_uri_list: UriList | None = None
    account_infos: str | None = None
    access: bool | None = None
    active: bool | None = None
    uri: Uri | None = None


@document()
class TargetPlatformItems(Document):
    """The targetPlatforms of a list."""

    target_platform: tuple[TargetPlatform, ...] = ()


@document("targetPlatforms")
class TargetPlatforms(UForgeObjects):
    """Target platforms."""

    target_platforms: TargetPlatformItems = TargetPlatformItems()
