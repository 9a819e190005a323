"""The application: the API below /api, and beside it what watchers ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from blocks.ports import Ports
from deployments.gateway import health
from deployments.gateway.authentication import Authentication
from deployments.gateway.errors import answer_with_documents
from deployments.gateway.house import House
from deployments.gateway.metrics import Measured, Metrics
from deployments.gateway.openapi import describe
from deployments.gateway.paths import Paths
from deployments.gateway.routes import (
    accounts,
    appliances,
    downloads,
    formats,
    images,
    keys,
    packages,
    publications,
    service,
    statuses,
    user_images,
    users,
)
from deployments.gateway.routes.service import VERSION
from deployments.gateway.starting import Starter

PREFIX = "/api"
_FAMILIES = (
    service,
    statuses,
    packages,
    images,
    downloads,
    user_images,
    users,
    appliances,
    formats,
    keys,
    accounts,
    publications,
)


def application(ports: Ports, *, redirects: bool = False) -> FastAPI:
    """The gateway over open ports; with `redirects` downloads lead to the store where that gives links."""
    found = House(ports, Authentication(ports), Starter(ports), Metrics(ports), redirects)
    app = FastAPI(
        title="Reforge",
        version=VERSION,
        lifespan=_living,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.house = found
    for family in _FAMILIES:
        app.include_router(family.router, prefix=PREFIX)
    app.include_router(health.router)
    answer_with_documents(app)
    describe(app)
    app.add_middleware(Measured, metrics=found.metrics)
    app.add_middleware(Paths)
    return app


@asynccontextmanager
async def _living(app: FastAPI) -> AsyncIterator[None]:
    with app.state.house.starter.running():
        yield
