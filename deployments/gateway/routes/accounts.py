"""Accounts on clouds: none are kept yet."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from blocks.errors import NotFound
from deployments.gateway import wire
from deployments.gateway.answering import read
from deployments.gateway.answers.lists import listed
from deployments.gateway.authorisation import User
from deployments.gateway.operations import Number, operation

router = APIRouter(tags=["accounts"])


@router.get("/users/{uid}/accounts", **operation("cloudAccount_getAll", "credAccounts", "page"))
def get_all(visit: User) -> Response:
    """The user's accounts on clouds."""
    return read(visit.request, listed(wire.CredAccounts, ()))


@router.get("/users/{uid}/accounts/{caid:number}", **operation("cloudAccount_get", "credAccount"))
def get(visit: User, caid: Number) -> Response:
    """One of them."""
    raise NotFound(f"{visit.uid} has no account {caid} on a cloud", "None are kept yet")
