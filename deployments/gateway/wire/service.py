"""The state of the service, and what went wrong in it."""

from __future__ import annotations

from datetime import datetime

from deployments.gateway.wire.elements import Document, document
from deployments.gateway.wire.grammar import Int
from deployments.gateway.wire.objects import UForgeObject


@document("serviceStatus")
class ServiceStatus(UForgeObject):
    """Whether the service is alive, its version, and its load from 0 to 100."""

    alive: bool | None = None
    version: str | None = None
    service_load: Int | None = None


@document()
class ParameterItems(Document):
    """The parameters of a list."""

    parameter: tuple[str, ...] = ()


@document()
class LocalizedMessage(Document):
    """A message, a word for its kind, and what it is about."""

    message: str | None = None
    message_id: str | None = None
    parameters: ParameterItems | None = None


@document("uforgeError")
class UForgeError(Document):
    """What went wrong with which request."""

    localized_error_msg: LocalizedMessage | None = None
    request_method: str | None = None
    request_uri: str | None = None
    status_code: Int | None = None
    timestamp: datetime | None = None
