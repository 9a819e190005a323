"""Packages of an image, and the tools that a target format's clouds would want in it."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from blocks.errors import NotFound
from blocks.model.target import TARGETS
from deployments.gateway import wire
from deployments.gateway.answering import read
from deployments.gateway.answers.lists import listed
from deployments.gateway.answers.packages import image_package
from deployments.gateway.authorisation import Generator, Owner, Visitor
from deployments.gateway.operations import APPLIANCE, IMAGE, Number, operation
from deployments.gateway.routes import owned

router = APIRouter(tags=["images"])


@router.get(IMAGE + "/pkgs", **operation("machineImagePkg_getAll", "imagePkgs"))
def get_all(visit: Owner, aid: Number, itid: Number) -> Response:
    """Every package of the image with its version, as soon as they are known."""
    profile = owned.image(visit, aid, itid).recipe.os_profile
    named, native = frozenset(profile.packages), not profile.sources
    packages = visit.ports.catalog.images.packages(itid)
    found = tuple(image_package(package, named, native=native) for package in packages)
    return read(visit.request, listed(wire.ImagePkgs, found))


@router.get(
    APPLIANCE + "/images/platformtools/{tfid:number}", **operation("machineImage_getPlatformTools", "softwareBundles")
)
def get_tools(visit: Generator, aid: Number, tfid: Number) -> Response:
    """None: no format needs tools of its own."""
    owned.appliance(visit, aid)
    if not any(target.id == tfid for target in TARGETS.values()):
        raise NotFound(f"There is no target format {tfid}", "See the list of target formats")
    return read(visit.request, listed(wire.SoftwareBundles, ()))


@router.get(
    "/orgs/{oid}/platformtools/{sbid:number}/pkgs", **operation("platformTool_getSoftware", "packages", "lastPkgUpdate")
)
def get_tool(visit: Visitor, oid: str, sbid: Number) -> Response:
    """The packages of such a tool: there is none."""
    raise NotFound(f"{oid} has no platform tool {sbid} for {visit.uid}", "No format needs tools of its own")
