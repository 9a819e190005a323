"""The service itself: whether it is there, for whoever asks."""

from __future__ import annotations

import os

from fastapi import APIRouter, Request
from starlette.responses import Response

from deployments.gateway import wire
from deployments.gateway.answering import read
from deployments.gateway.operations import operation

VERSION = "3.8.13"
"""The version of UForge whose clients work here: they refuse any other."""

router = APIRouter(tags=["service"])


@router.get("/status", **operation("uforgeStatus_get", "serviceStatus", anybody=True))
def get(request: Request) -> Response:
    """Alive, of which version, and how busy; whatever credentials come along."""
    if request.headers.get("accept", "").partition(";")[0].strip().lower() == "text/plain":
        return Response("alive\n", media_type="text/plain")
    load = min(100, round(100 * os.getloadavg()[0] / (os.cpu_count() or 1)))
    return read(request, wire.ServiceStatus(alive=True, version=VERSION, service_load=load))
