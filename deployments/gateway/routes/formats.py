"""Formats: what images can be made for, of which distributions, and which clouds take them."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from blocks.errors import MissingEntitlement, NotFound
from blocks.model.target import PLATFORMS, TARGETS, TargetFormat, taken_by
from deployments.gateway import wire
from deployments.gateway.answering import read
from deployments.gateway.answers import formats
from deployments.gateway.answers.lists import listed
from deployments.gateway.answers.uris import organization_number
from deployments.gateway.authorisation import Generator, Owner, Visit, Visitor
from deployments.gateway.listing import paged
from deployments.gateway.operations import Number, operation

router = APIRouter(tags=["formats"])


@router.get(
    "/users/{uid}/targetformats", **operation("userTargetFormat_getAll", "targetFormats", "page", errors=(400,))
)
def get_target_formats(visit: Generator) -> Response:
    """The target formats."""
    return _target_formats(visit, visit.account.organization, tuple(TARGETS.values()))


@router.get(
    "/users/{uid}/targetplatforms", **operation("userTargetPlatforms_getAll", "targetPlatforms", "page", errors=(400,))
)
def get_platforms(visit: Generator) -> Response:
    """The kinds of clouds."""
    found = tuple(formats.target_platform(each, visit.account.organization) for each in PLATFORMS)
    return read(visit.request, listed(wire.TargetPlatforms, *paged(visit.request, found)))


@router.get(
    "/users/{uid}/targetplatforms/{tpid:number}/targetformats",
    **operation("userTargetPlatformFormat_getAll", "targetFormats", "page", errors=(400,)),
)
def get_formats_of_platform(visit: Generator, tpid: Number) -> Response:
    """The target formats that one kind of cloud takes."""
    for platform in PLATFORMS:
        if platform.id == tpid:
            return _target_formats(visit, visit.account.organization, taken_by(platform))
    raise NotFound(f"There is no target platform {tpid}", "See the list of target platforms")


@router.get("/users/{uid}/formats", **operation("userFormats_getAll", "imageFormats", "page", errors=(400,)))
def get_formats(visit: Owner) -> Response:
    """The primitive formats."""
    return _formats(visit, visit.account.organization)


@router.get("/users/{uid}/distros", **operation("userOS_getAll", "distributions", "page", errors=(400,)))
def get_distributions(visit: Owner) -> Response:
    """The distributions that appliances can be made of."""
    return read(visit.request, listed(wire.Distributions, *paged(visit.request, formats.distributions())))


@router.get("/orgs/{oid}/formats", **operation("primitiveFormat_getAll", "imageFormats", "page", errors=(400,)))
def get_formats_of_organization(visit: Visitor, oid: str) -> Response:
    """The primitive formats, for whoever administrates the organisation."""
    return _formats(visit, _administrated(visit, oid))


@router.get("/orgs/{oid}/targetformats", **operation("targetFormat_getAll", "targetFormats", "page", errors=(400,)))
def get_target_formats_of_organization(visit: Visitor, oid: str) -> Response:
    """The target formats, likewise."""
    return _target_formats(visit, _administrated(visit, oid), tuple(TARGETS.values()))


@router.get("/orgs/{oid}/targetformats/{tfid:number}", **operation("targetFormat_get", "targetFormat"))
def get_target_format(visit: Visitor, oid: str, tfid: Number) -> Response:
    """One target format."""
    organization = _seen(visit, oid)
    for target in TARGETS.values():
        if target.id == tfid:
            return read(visit.request, formats.target_format(target, organization))
    raise NotFound(f"There is no target format {tfid}", "See the list of target formats")


def _target_formats(visit: Visit, organization: str, targets: tuple[TargetFormat, ...]) -> Response:
    found = tuple(formats.target_format(each, organization) for each in targets)
    return read(visit.request, listed(wire.TargetFormats, *paged(visit.request, found)))


def _formats(visit: Visit, organization: str) -> Response:
    found = tuple(formats.image_format(each, organization) for each in TARGETS.values())
    return read(visit.request, listed(wire.ImageFormats, *paged(visit.request, found)))


def _seen(visit: Visit, oid: str) -> str:
    """The name of the organisation of that number or name, if it exists for the caller."""
    for known in visit.ports.catalog.organizations.list():
        if oid in {known.name, str(organization_number(known.name))} and visit.account.sees(known.name):
            return known.name
    raise NotFound(f"There is no organisation {oid}", "See those of the user")


def _administrated(visit: Visit, oid: str) -> str:
    name = _seen(visit, oid)
    if not visit.account.supervises(name):
        raise MissingEntitlement(f"{visit.uid} doesn't administrate {name}", "Ask whoever does")
    return name
