"""Images at clouds: each one upload, one type for each kind of cloud."""

from __future__ import annotations

from deployments.gateway.wire.elements import Document, document
from deployments.gateway.wire.grammar import Uri
from deployments.gateway.wire.images import Image
from deployments.gateway.wire.objects import UForgeObjects


@document("publishImage", abstract=True)
class PublishImage(Image):
    """One upload of an image to a cloud."""

    cloud_id: str | None = None
    image_uri: Uri | None = None
    instances_uri: Uri | None = None
    publish_location: str | None = None


@document()
class PublishImageAws(PublishImage):
    """An upload to AWS."""

    region: str | None = None


@document()
class PublishImageAzure(PublishImage):
    """An upload to Azure."""

    storage_account: str | None = None
    container: str | None = None
    resource_group: str | None = None
    blob: str | None = None
    display_name: str | None = None
    region: str | None = None


@document()
class PublishImageCloudStack(PublishImage):
    """An upload to a CloudStack."""

    description: str | None = None
    display_name: str | None = None
    featured_enabled: bool | None = None
    password_enabled: bool | None = None
    public_image: bool | None = None
    zone_name: str | None = None


@document()
class PublishImageCloudwatt(PublishImage):
    """An upload to Cloudwatt."""

    display_name: str | None = None
    keystone_domain: str | None = None
    keystone_project: str | None = None
    public_image: bool | None = None
    tenant_name: str | None = None


@document()
class PublishImageDocker(PublishImage):
    """An upload to a Docker registry."""

    namespace: str | None = None
    repository_name: str | None = None
    tag_name: str | None = None


@document()
class PublishImageGoogle(PublishImage):
    """An upload to Google Cloud."""

    bucket: str | None = None
    bucket_location: str | None = None
    disk_name_prefix: str | None = None
    description: str | None = None
    project_id: str | None = None
    storage_class: str | None = None
    zone_name: str | None = None


@document()
class PublishImageK5(PublishImage):
    """An upload to K5."""

    keystone_domain: str | None = None
    keystone_project: str | None = None
    display_name: str | None = None


@document()
class PublishImageOpenShift(PublishImage):
    """An upload to an OpenShift registry."""

    namespace: str | None = None
    repository_name: str | None = None
    tag_name: str | None = None


@document()
class PublishImageOpenStack(PublishImage):
    """An upload to an OpenStack."""

    keystone_domain: str | None = None
    keystone_project: str | None = None
    display_name: str | None = None
    public_image: bool | None = None
    tenant_name: str | None = None


@document()
class PublishImageOracle(PublishImage):
    """An upload to Oracle Cloud."""

    compute_end_point: str | None = None
    display_name: str | None = None


@document()
class PublishImageOutscale(PublishImage):
    """An upload to Outscale."""

    bucket: str | None = None
    region: str | None = None


@document()
class PublishImageSuseCloud(PublishImage):
    """An upload to a SUSE Cloud."""

    keystone_domain: str | None = None
    keystone_project: str | None = None
    display_name: str | None = None
    public_image: bool | None = None
    tenant_name: str | None = None


@document()
class PublishImageVCloudDirector(PublishImage):
    """An upload to a vCloud Director."""

    catalog_name: str | None = None
    display_name: str | None = None
    vdc_name: str | None = None


@document()
class PublishImageVSphere(PublishImage):
    """An upload to a vSphere."""

    datastore: str | None = None
    display_name: str | None = None
    esx_host: str | None = None
    network: str | None = None


@document()
class PublishImageItems(Document):
    """The publishImages of a list."""

    publish_image: tuple[PublishImage, ...] = ()


@document("publishImages")
class PublishImages(UForgeObjects):
    """Uploads of images."""

    publish_images: PublishImageItems = PublishImageItems()
