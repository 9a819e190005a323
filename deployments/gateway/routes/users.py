"""The user: account, quotas, usage, roles and organisations."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from deployments.gateway import wire
from deployments.gateway.answering import read
from deployments.gateway.answers import users
from deployments.gateway.answers.lists import listed
from deployments.gateway.authorisation import User
from deployments.gateway.listing import search
from deployments.gateway.operations import operation

router = APIRouter(tags=["user"])


@router.get("/users/{uid}", **operation("user_get", "user"))
def get(visit: User) -> Response:
    """The account."""
    return read(visit.request, users.user(visit.account))


@router.get("/users/{uid}/quotas", **operation("userQuotas_get", "quotas"))
def get_quotas(visit: User) -> Response:
    """How much the user may have made and keep, and how much is used."""
    found = tuple(users.quota(quota, visit.uid) for quota in visit.ports.catalog.quotas.list(visit.uid))
    return read(visit.request, listed(wire.Quotas, found))


@router.get("/users/{uid}/usage", **operation("userUsage_get", "statTickets", "page", errors=(400,)))
def get_usage(visit: User) -> Response:
    """The generations that succeeded, of deleted images, too."""
    page = visit.ports.catalog.generations.list(visit.uid, search(visit.request))
    return read(visit.request, listed(wire.StatTickets, tuple(map(users.usage, page.rows)), page.total))


@router.get("/users/{uid}/roles", **operation("userRoles_getAll", "roles"))
def get_roles(visit: User) -> Response:
    """The user's roles with what they entitle to."""
    found = users.roles(visit.account)
    return read(visit.request, listed(wire.Roles, found))


@router.get("/users/{uid}/orgs", **operation("userOrg_getAll", "orgs", "name"))
def get_orgs(visit: User) -> Response:
    """The one organisation that the user belongs to."""
    name = visit.request.query_params.get("name") or visit.account.organization
    known = visit.ports.catalog.organizations.list()
    mine = [each for each in known if each.name == visit.account.organization == name]
    return read(visit.request, listed(wire.Orgs, tuple(map(users.organization, mine))))
