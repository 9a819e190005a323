"""API keys of a user."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from deployments.gateway import wire
from deployments.gateway.answering import Asked, done, made, read, told
from deployments.gateway.answers import uris
from deployments.gateway.answers.keys import pair
from deployments.gateway.answers.lists import listed
from deployments.gateway.authorisation import KeyHolder
from deployments.gateway.bodies import Body, document
from deployments.gateway.operations import Number, operation

_ALL = "/users/{uid}/apikeys"
_ONE = _ALL + "/{akid:number}"
router = APIRouter(tags=["API keys"])


@router.get(_ALL, **operation("apiKey_getAll", "apiKeyPairs"))
def get_all(visit: KeyHolder) -> Response:
    """The user's key pairs."""
    found = tuple(pair(key) for key in visit.ports.catalog.keys.list(visit.uid))
    return read(visit.request, listed(wire.APIKeyPairs, found))


@router.post(_ALL, **operation("apiKey_create", "apiKeyPair", status=201, body="apiKeyPair", errors=(400,)))
def create(visit: KeyHolder, media: Asked, body: Body) -> Response:
    """Make a pair; the body may be left out."""
    sent = document(wire.APIKeyPair, visit.request, body) if body else wire.APIKeyPair()
    key = visit.ports.catalog.keys.create(visit.uid, sent.name or "", sent.description or "")
    return made(media, pair(key), f"{uris.user(visit.uid)}/apikeys/{key.id}")


@router.put(_ONE, **operation("apiKey_update", "apiKeyPair", body="apiKeyPair", errors=(400,)))
def update(visit: KeyHolder, media: Asked, body: Body, akid: Number) -> Response:
    """Change its name and its description, and nothing else."""
    sent = document(wire.APIKeyPair, visit.request, body)
    key = visit.ports.catalog.keys.update(visit.uid, akid, sent.name or "", sent.description or "")
    return told(media, pair(key))


@router.delete(_ONE, **operation("apiKey_delete", None))
def delete(visit: KeyHolder, akid: Number) -> Response:
    """Delete it; what it signs is refused from now on."""
    visit.ports.catalog.keys.delete(visit.uid, akid)
    return done()
