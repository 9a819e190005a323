"""The gateway: the interface of the published UForge clients, over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number as Limits

from deployments.command_line.home import opened
from deployments.command_line.output import tell

if TYPE_CHECKING:
    from deployments.gateway.listening import Listening

Port = Annotated[int, Parameter(validator=Limits(gte=0, lt=2**16))]
"""A port of this machine, 0 for a free one."""


@Parameter(name="*")
@dataclass(frozen=True)
class Place:
    """Where it listens, and how what travels is kept secret."""

    host: str = "127.0.0.1"
    """The address to listen at; any other than the loopback's needs TLS."""

    port: Port = 8080
    """The port; 0 for a free one."""

    tls_certificate: Path | None = None
    """A file in PEM with the certificate and its chain."""

    tls_key: Path | None = None
    """A file in PEM with the certificate's key."""

    plain_http: Annotated[bool, Parameter(negative=())] = False
    """Listen beyond the loopback without TLS: passwords travel in the clear."""

    def listening(self) -> Listening:
        """The same for the gateway; raises InvalidInput if it isn't allowed."""
        from deployments.gateway.listening import Listening  # noqa: PLC0415 - heavy

        listening = Listening(self.host, self.port, self.tls_certificate, self.tls_key, self.plain_http)
        listening.check()
        return listening


_LOOPBACK = Place()


def gateway(
    *,
    place: Place = _LOOPBACK,
    processes: Annotated[int | None, Parameter(validator=Limits(gte=1, lte=64))] = None,
    proxy: str | None = None,
    redirect_downloads: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Answer the published UForge clients over HTTP, until interrupted.

    What is asked for is worked on by what `reforge up` or workers serve; everything else works without Prefect.

    Args:
        place: Where it listens.
        processes: How many processes answer; one for each core up to four unless given, two at least.
        proxy: The address of a proxy in front, whose word is taken for the addresses of clients.
        redirect_downloads: Answer downloads with a link to the store, where it has such links; hammr follows none.
    """
    from deployments.gateway.serve import Serving, serve, usual_processes  # noqa: PLC0415 - heavy

    listening = place.listening()
    with opened():  # which prepares the catalog
        pass
    serve(Serving(listening, processes or usual_processes(), proxy, redirect_downloads), tell)
