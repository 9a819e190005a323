"""One process of the gateway: uvicorn on a socket that it shares with the others."""

from __future__ import annotations

import os
import socket
import sys

import uvicorn

from blocks.errors import ReforgeError
from blocks.ports import Ports
from deployments.command_line.output import complain
from deployments.gateway.application import application
from deployments.gateway.log import CONFIGURATION
from deployments.gateway.share import Share

_GRACE = 3
_KEPT = 30
_READY = b"ready\n"


class Server(uvicorn.Server):
    """Says when it answers, once."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and tell whoever started us; from then on what is printed is for the log."""
        await super().startup(sockets)
        os.write(sys.stdout.fileno(), _READY)
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


def main(text: str) -> int:
    """Serve until told to end; returns the exit code."""
    try:
        with Ports.open() as ports:
            _serve(ports, Share.model_validate_json(text))
    except ReforgeError as error:
        complain(error.what, error.hint)
        return error.exit_code
    return 0


def _serve(ports: Ports, share: Share) -> None:
    config = uvicorn.Config(
        application(ports, redirects=share.redirects),
        log_config=CONFIGURATION,
        ssl_certfile=share.certificate,
        ssl_keyfile=share.key,
        proxy_headers=share.proxy is not None,
        forwarded_allow_ips=share.proxy,
        server_header=False,
        timeout_keep_alive=_KEPT,
        timeout_graceful_shutdown=_GRACE,
    )
    Server(config).run(sockets=[socket.socket(fileno=share.socket)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
