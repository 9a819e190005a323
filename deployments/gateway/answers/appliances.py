"""Appliances: the templates that images are generated from."""

from __future__ import annotations

from collections.abc import Iterable

from blocks.catalog import StoredAppliance
from deployments.gateway import wire
from deployments.gateway.answers import uris
from deployments.gateway.answers.profiles import ARCHITECTURE, distribution_name, install_profile, os_profile
from deployments.gateway.answers.sealing import sealed


def appliance(stored: StoredAppliance, organization: str, images: Iterable[int] | None = None) -> wire.Appliance:
    """The appliance; with the numbers of its images when it is asked for alone."""
    uri, made = uris.appliance(stored.user, stored.id), stored.appliance
    profile = made.os_profile
    found = None if images is None else tuple(f"{uri}/images/{number}" for number in images)
    return sealed(
        wire.Appliance(
            created=stored.created,
            db_id=stored.id,
            last_modified=stored.changed,
            arch_name=ARCHITECTURE,
            base_images_status_uri=f"{uri}/images/statuses",
            base_images_uri=f"{uri}/images",
            base_os_profile_uri=f"{uri}/osprofile",
            base_publish_images_status_uri=f"{uri}/pimages/statuses",
            base_publish_images_uri=f"{uri}/pimages",
            distribution_name=distribution_name(profile) if profile else "none",
            image_uris=None if found is None else wire.UriList(uri=found),
            imported=False,
            install_profile=None if images is None else install_profile(made.install_profile, uri, uri),
            install_profile_uri=f"{uri}/installProfile/{stored.id}",
            name=made.name,
            org_uri=uris.organization(organization),
            os_profile=os_profile(profile, uri, stored.id) if profile and images is not None else None,
            os_profile_uri=f"{uri}/osprofile/{stored.id}" if profile else None,
            publish_image_uris=None if images is None else wire.UriList(),
            revision=min(made.revision, 2**31 - 1),
            shared=False,
            uri=uri,
            version=made.version,
        )
    )
