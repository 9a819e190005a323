"""Health, readiness and metrics, for those who watch over the gateway; beside the API, and open to all who reach it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from deployments.gateway.authorisation import house
from deployments.gateway.house import House
from deployments.gateway.metrics import CONTENT_TYPE, NOTHING

Watched = Annotated[House, Depends(house)]
router = APIRouter(include_in_schema=False)


@router.get("/healthz", response_class=Response, response_model=None)
async def healthz() -> Response:
    """Whether the process answers at all."""
    return Response("alive\n", media_type="text/plain")


@router.get("/readyz", response_class=Response, response_model=None)
def readyz(found: Watched) -> Response:
    """Whether catalog and store answer; raises Unavailable."""
    found.ports.catalog.organizations.list()
    found.ports.store.has(NOTHING)
    return Response("ready\n", media_type="text/plain")


@router.get("/metrics", response_class=Response, response_model=None)
def metrics(found: Watched) -> Response:
    """Requests, tickets, queue, stages, and how fast the servers behind answer."""
    return Response(found.metrics.text(), media_type=CONTENT_TYPE)
