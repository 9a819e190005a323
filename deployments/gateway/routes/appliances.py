"""Appliances, and their install profiles, OS profiles and packages."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from blocks import deletion
from blocks.catalog import StoredAppliance
from blocks.errors import NotFound
from blocks.model import OSProfile
from deployments.gateway import wire
from deployments.gateway.answering import done, read
from deployments.gateway.answers import profiles, uris
from deployments.gateway.answers.appliances import appliance as answer
from deployments.gateway.answers.lists import listed
from deployments.gateway.answers.packages import named_package
from deployments.gateway.authorisation import Owner, Visit
from deployments.gateway.listing import flag, search
from deployments.gateway.operations import APPLIANCE, Number, operation
from deployments.gateway.routes import owned

_OS_PROFILE = APPLIANCE + "/osprofile/{osid:number}"
router = APIRouter(tags=["appliances"])


@router.get("/users/{uid}/appliances", **operation("appliance_getAll", "appliances", "page", errors=(400,)))
def get_all(visit: Owner) -> Response:
    """The user's appliances."""
    page = visit.ports.catalog.appliances.search(visit.uid, search(visit.request))
    found = tuple(answer(stored, visit.account.organization) for stored in page.rows)
    return read(visit.request, listed(wire.Appliances, found, page.total))


@router.get(APPLIANCE, **operation("appliance_get", "appliance"))
def get(visit: Owner, aid: Number) -> Response:
    """One appliance with its profiles, and the addresses of its images."""
    stored = owned.appliance(visit, aid)
    images = visit.ports.catalog.images.numbers(visit.uid, aid)
    return read(visit.request, answer(stored, visit.account.organization, images))


@router.delete(APPLIANCE, **operation("appliance_delete", None, "force", errors=(400, 409)))
def delete(visit: Owner, aid: Number) -> Response:
    """Delete the appliance and its images; with `force` those that are being made are cancelled first."""
    owned.appliance(visit, aid)
    deletion.delete_appliance(visit.ports, aid, force=flag(visit.request, "force"))
    return done()


@router.get(APPLIANCE + "/installProfile", **operation("installProfile_getOld", "installProfile"))
def get_install_profile(visit: Owner, aid: Number) -> Response:
    """How it is installed."""
    return _install_profile(visit, owned.appliance(visit, aid))


@router.get(APPLIANCE + "/installProfile/{ipid:number}", **operation("installProfile_get", "installProfile"))
def get_install_profile_by_id(visit: Owner, aid: Number, ipid: Number) -> Response:
    """The same; its number is the appliance's."""
    stored = owned.appliance(visit, aid)
    if ipid != aid:
        raise NotFound(f"Appliance {aid} has no install profile {ipid}", "See its installProfileUri")
    return _install_profile(visit, stored)


@router.get(_OS_PROFILE, **operation("applianceOSProfile_get", "distribProfile"))
def get_os_profile(visit: Owner, aid: Number, osid: Number) -> Response:
    """What is installed."""
    found = profiles.os_profile(_os_profile(visit, aid, osid), uris.appliance(visit.uid, aid), aid)
    return read(visit.request, found)


@router.get(_OS_PROFILE + "/pkgs", **operation("applianceOSProfilePkg_getAll", "packages"))
def get_packages(visit: Owner, aid: Number, osid: Number) -> Response:
    """The packages that it names."""
    found = tuple(named_package(name) for name in _os_profile(visit, aid, osid).packages)
    return read(visit.request, wire.PkgList(pkgs=wire.PkgItems(pkg=found)))


def _install_profile(visit: Visit, stored: StoredAppliance) -> Response:
    uri = uris.appliance(stored.user, stored.id)
    found = profiles.install_profile(stored.appliance.install_profile, uri, uri)
    return read(visit.request, found, stored.changed)


def _os_profile(visit: Visit, aid: int, osid: int) -> OSProfile:
    profile = owned.appliance(visit, aid).appliance.os_profile
    if profile is None or osid != aid:
        raise NotFound(f"Appliance {aid} has no OS profile {osid}", "See its osProfileUri")
    return profile
