"""Target formats, platforms and distributions: what can be made, of what, and who takes it."""

from __future__ import annotations

from functools import lru_cache

from blocks.builder.archive import SUITES
from blocks.model.target import PLATFORMS, TargetFormat, TargetPlatform, taken_by
from deployments.gateway import wire
from deployments.gateway.answers import uris
from deployments.gateway.answers.sealing import sealed

_KEPT = 256
_VERSIONS = {"bookworm": "12", "trixie": "13"}


@lru_cache(_KEPT)
def target_format(target: TargetFormat, organization: str) -> wire.TargetFormat:
    """A target format, as an image embeds it and as lists have it."""
    uri = f"{uris.organization(organization)}/targetformats/{target.id}"
    platforms = [each for each in PLATFORMS if each.type == target.platform]
    return sealed(
        wire.TargetFormat(
            db_id=target.id,
            name=target.label,
            format=image_format(target, organization),
            category=_category(target, organization),
            type=target.type,
            cred_account_type=target.platform,
            target_platforms_uri=f"{uri}/targetplatforms",
            target_platforms_uri_list=wire.UriList(uri=tuple(_platform_uri(each, organization) for each in platforms)),
            access=True,
            active=True,
            preselected=False,
            uri=uri,
        )
    )


@lru_cache(_KEPT)
def image_format(target: TargetFormat, organization: str) -> wire.ImageFormat:
    """The primitive format of a target format."""
    return sealed(
        wire.ImageFormat(
            db_id=target.id,
            access=True,
            active=True,
            name=target.primitive,
            preselected=False,
            uri=f"{uris.organization(organization)}/formats/{target.id}",
        )
    )


@lru_cache(_KEPT)
def target_platform(platform: TargetPlatform, organization: str) -> wire.TargetPlatform:
    """A kind of cloud."""
    uri = _platform_uri(platform, organization)
    formats = tuple(f"{uris.organization(organization)}/targetformats/{each.id}" for each in taken_by(platform))
    return sealed(
        wire.TargetPlatform(
            db_id=platform.id,
            name=platform.name,
            type=platform.type,
            target_formats_uri=f"{uri}/targetformats",
            target_formats_uri_list=wire.UriList(uri=formats),
            access=True,
            active=True,
            uri=uri,
        )
    )


def distributions() -> tuple[wire.Distribution, ...]:
    """The suites that the builder knows, of which appliances can be made."""
    return tuple(_distribution(suite, _VERSIONS[suite], number) for number, suite in enumerate(SUITES, 1))


def _distribution(suite: str, version: str, number: int) -> wire.Distribution:
    return sealed(
        wire.Distribution(
            db_id=number,
            active=True,
            arch="x86_64",
            description=f"Debian {version} ({suite})",
            family="linux",
            name="Debian",
            uri=f"distributions/{number}",
            version=version,
        )
    )


def _category(target: TargetFormat, organization: str) -> wire.Category:
    uri = f"{uris.organization(organization)}/categories/{target.category.id}"
    return wire.Category(
        db_id=target.category.id,
        name=target.category.name,
        org_uri=uris.organization(organization),
        uri=uri,
        type="IMAGEFORMAT",
    )


def _platform_uri(platform: TargetPlatform, organization: str) -> str:
    return f"{uris.organization(organization)}/targetplatforms/{platform.id}"
