"""What the gateway writes to standard error: a line for each request, with nothing in it that opens anything."""

from __future__ import annotations

import logging
from typing import Any

CONFIGURATION: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "filters": {"paths": {"()": "deployments.gateway.log.PathsOnly"}},
    "handlers": {"error": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["paths"]}},
    "root": {"handlers": ["error"], "level": "WARNING"},
    "loggers": {"uvicorn.error": {"level": "WARNING"}, "uvicorn.access": {"level": "INFO"}},
}


class PathsOnly(logging.Filter):
    """Leaves the query out of the access log: keys of downloads, API keys and signatures travel in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten the path of an access record; every record is let through."""
        if record.name == "uvicorn.access" and isinstance(record.args, tuple):
            peer, method, path, *rest = record.args
            record.args = (peer, method, str(path).partition("?")[0], *rest)
        return True
